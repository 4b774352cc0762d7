package model

import (
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
)

const stalling = "prog x\nfile A = pat1*4p\nd = open(A, rdwr)\nu = stall(2p)\nw = guard('g'*1p)\n"

// derivedStep is what the model says of one step, -1 for the last.
func derivedStep(t *testing.T, steps string, k int) string {
	t.Helper()
	p, err := prog.Parse(stalling + steps)
	if err != nil {
		t.Fatal(err)
	}
	if err := Derive(p, 4096); err != nil {
		return err.Error()
	}
	if k < 0 {
		k = len(p.Steps) - 1
	}
	return p.Steps[k].String()
}

// A page has the bytes that it will be served with, whoever looks; what is let go with an error gives one.
func TestStallsShowWhatTheyAreServed(t *testing.T) {
	for steps, want := range map[string]string{
		"serve(w)\nt1: pwrite(d, u, 0)\nserve(u[0:1p], 'a'*1p)\nserve(u[1p:2p])\nwait(t1)\ncheck(A)":       "check(A, 'a'*1p + zero*1p + pat1[2p:4p])",
		"serve(w)\nt1: pread(d, u, 0)\nunregister(u)\nwait(t1)\ncheck(u)":                                  "check(u, pat1*2p)",
		"serve(w)\nserve(u)\nt1: pread(d, u[0:100], 1p)\nwait(t1)\nstat(A, size)\ncheck(u)":                "check(u, pat1[1p:1p+100] + zero*2p-100)",
		"serve(w)\nserve(u, pat7*2p)\npwrite(d, u[1p:2p], 0)\nserve(u[0:0])\nfsync(d)\ncheck(A)":           "check(A, pat7[1p:2p] + pat1[1p:4p])",
		"serve(u)\nt1: pwrite(d, w, 0)\nt1: pread(d, w, 1p)\nstalled(w)\nserve(w)\ncheck(A)":               "check(A, mix('g'*1p, pat1*1p, pat1[1p:2p]) + pat1[1p:4p])",
		"serve(w)\nt1: load(u)\nstalled(u)\npoison(u)\nwait(t1)\nload(u[1p:2p])":                           "load(u[1p:2p]) -> SIGBUS",
		"serve(w)\nt1: stat(A, size)\nwait(t1)\npoison(u)\nfsync(d)\npwrite(d, u, 0)":                      "pwrite(d, u, 0) -> EFAULT",
		"serve(w)\nt1: pwrite(d, u, 0)\nstalled(u)\nmunmap(u)\nwait(t1)\nstat(A, size)":                    "stat(A, size) -> 4p",
		"serve(w)\nserve(u[0:1p])\nt1: pread(d, u, 0)\nstalled(u[1p:2p], t1)\nserve(u[1p:2p])\nstalled(u)": "stalled(u) -> 0..1p | ESRCH",
		"serve(w)\nserve(u[0:1p])\nt1: pread(d, u, 0)\nproceeds(t1)\nserve(u[1p:2p])\nstalled(u[1p:2p])":   "stalled(u[1p:2p]) -> 1p | ESRCH",
		"serve(w)\nt2: munmap(u)\nt1: stat(A, size)\nproceeds(t1)\nwait(t1)\nwait(t2)":                     "wait(t2)",
		"serve(w)\nt1: pread(d, u, 0)\nserve(u)\nt2: munmap(u[0:1p])\nwait(t1)\nwait(t2)":                  "wait(t2)",
		"p1: u2 = stall(1p)\np1: load(u2)\nserve(u2)\nserve(u)\nserve(w)\nwait(p1)":                        "wait(p1)",
	} {
		t.Run(steps, func(t *testing.T) { gomega.NewWithT(t).Expect(derivedStep(t, steps, -1)).To(gomega.Equal(want)) })
	}
	g := gomega.NewWithT(t)
	contested := "serve(w)\nt1: pread(d, u, 0)\nserve(u)\nt2: munmap(u[0:1p])\nwait(t1)\nwait(t2)"
	g.Expect(derivedStep(t, contested, 5)).To(gomega.Equal("serve(u) -> any"), "the other actor may be faster")
	g.Expect(derivedStep(t, contested, 4)).To(gomega.Equal("t1: pread(d, u, 0) -> 1..2p | EFAULT"))
}

// What could never end is refused, and so is what the order of actors would decide.
func TestStallsThatEndNowhereAreRefused(t *testing.T) {
	for steps, want := range map[string]string{
		"serve(w)\nserve(u[0:1p])":                         "step 2, u = stall(2p): nobody lets go who is stopped at page 1",
		"serve(u)":                                         "step 3, w = guard('g'*1p): nobody lets go who is stopped at page 0",
		"serve(w)\npread(d, u, 0)\nserve(u)":               "step 5, pread(d, u, 0): it would be stopped at page 0 of u for ever: step 6 comes too late",
		"serve(w)\nt1: pread(d, u, 0)\nt1: serve(u)":       "step 5, pread(d, u, 0): it would be stopped at page 0 of u for ever: step 6 comes too late",
		"serve(w)\nt1: pread(d, u, 0)\nwait(t1)\nserve(u)": "step 5, pread(d, u, 0): it would be stopped at page 0 of u for ever: step 7 comes too late",
		"serve(u)\npread(d, w, 0)\nserve(w)":               "step 5, pread(d, w, 0): it would be stopped at page 0 of w for ever: step 6 comes too late",
		"serve(w)\nserve(u)\nt1: serve(u[1p:2p])":          "step 6, serve(u[1p:2p]): page 1 was let go by step 5",
		"serve(w)\nt1: preadv(d, {u[0:10]*2@1p}, 0)\nserve(u[0:1p])\nwait(t1)\nserve(u[1p:2p])": "step 5, preadv(d, {u[0:10]*2@1p}, 0): it would be stopped at page 1 of u for ever: step 8 comes too late",
	} {
		t.Run(steps, func(t *testing.T) {
			g := gomega.NewWithT(t)
			p, err := prog.Parse(stalling + steps)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(Derive(p, 4096)).To(gomega.MatchError(want))
		})
	}
	g := gomega.NewWithT(t)
	g.Expect(derivedStep(t, "pwrite(d, w, 0)\nserve(u)\nserve(w)", 3)).To(gomega.Equal("pwrite(d, w, 0) -> 1p"), "who reads a guard is not stopped")
}
