package prog

import (
	"slices"
	"testing"

	"github.com/onsi/gomega"
)

// What may be done to stalls, and by whom.
func TestStallsAreValidated(t *testing.T) {
	const made = "prog x\nfile A = pat1*4p\nd = open(A, rdwr)\nu = stall(2p)\nw = guard('g'*1p)\nb = anon(hole*1p)\np1: v = stall(1p)\n"
	for steps, want := range map[string]string{
		"serve(u, 'a'*2p)": "", "serve(u[1p:2p])": "", "serve(w)": "", "stalled(u)": "", "poison(u[0:1p])": "", "unregister(w)": "", "munmap(u[0:1p])": "",
		"serve(v)": "", "t1: stalled(v)": "", "p2: serve(v, 'v'*1p)": "", "t1: stat(A, size)\nt2: stalled(u, t1)": "", "pread(d, u, 0)": "",
		"serve_struct(u[1p:2p], 1p-4, loff{offset=1})": "", "x = guard_struct(1p, 1p-8, loff{offset=1})": "",
		"serve_struct(u, 2p-4, loff{})":    "step 6, serve_struct(u, 2p-4, loff{}): found loff from 2p-4 to 2p+4, wanted it within 2p",
		"serve_struct(u, -1, loff{})":      "step 6, serve_struct(u, -1, loff{}): found loff from -1 to 7, wanted it within 2p",
		"serve_struct(w, 0, loff{})":       "step 6, serve_struct(w, 0, loff{}): found a guard, whose pages are there; wanted a stall",
		"x = guard_struct(1p, 1p, loff{})": "step 6, x = guard_struct(1p, 1p, loff{}): found loff from 1p to 1p+8, wanted it within 1p",
		"x = guard_struct(1, 0, loff{})":   "step 6, x = guard_struct(1, 0, loff{}): found length 1, wanted 1p to 64p",
		"stalled(b)":                       "step 6, stalled(b): found a buffer, wanted a stall",
		"serve(d)":                         "step 6, serve(d): buf: d: d is a descriptor, wanted a mapping or a buffer",
		"serve(u[0:100])":                  "step 6, serve(u[0:100]): found [0:100], 0 behind a page boundary, wanted whole pages",
		"serve(u, 'a'*1p)":                 "step 6, serve(u, 'a'*1p): found 1p of data for a range of 2p, wanted them equal",
		"serve(w, 'a'*1p)":                 "step 6, serve(w, 'a'*1p): found data for a guard, which has its bytes",
		"poison(w)":                        "step 6, poison(w): found a guard, whose pages are there; wanted a stall",
		"pread(d, v, 0)":                   "step 6, pread(d, v, 0): buf: v: v belongs to another process",
		"p2: v = stall(1p)\nserve(v)":      "step 7, serve(v): buf: v: v belongs to another process",
		"stalled(u, t1)":                   "step 6, stalled(u, t1): actor: t1 has done nothing yet",
		"madvise(u, dontneed)":             "step 6, madvise(u, dontneed): " + errNotStall.Error(),
		"mprotect(u, none)":                "step 6, mprotect(u, none): " + errNotStall.Error(),
		"x = stall(65p)":                   "step 6, x = stall(65p): found length 65p, wanted 1p to 64p",
		"x = stall(100)":                   "step 6, x = stall(100): found length 100, wanted 1p to 64p",
		"x = guard(hole*1p)":               "step 6, x = guard(hole*1p): found a hole, wanted bytes: a page that was never touched cannot be guarded",
		"munmap(u)\nserve(u)":              "step 7, serve(u): buf: u: u was ended by munmap",
		"t1: proceeds(t1)":                 "step 6, proceeds(t1): actor: only the main thread waits",
	} {
		t.Run(steps, func(t *testing.T) {
			g := gomega.NewWithT(t)
			p, err := Parse(made + steps)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			if err = p.Validate(); want == "" {
				g.Expect(err).NotTo(gomega.HaveOccurred())
				return
			}
			g.Expect(err).To(gomega.MatchError(want))
		})
	}
}

// A program whose serving step is cut off by the shrinker is no candidate for long: what uses the stall goes as well.
func TestShrinkingKeepsStallsTogether(t *testing.T) {
	g := gomega.NewWithT(t)
	p, err := Parse("prog x\nfile A = pat1*4p\nd = open(A, rdwr)\nu = stall(2p)\nb = anon('b'*1p)\npwrite(d, b, 3p)\nt1: pread(d, u, 0)\nstalled(u, t1)\nserve(u, 's'*2p)\nproceeds(t1)\nwait(t1)\nfsync(d)\n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	ops := func(p *Prog) (list []string) {
		for _, s := range p.Steps {
			list = append(list, s.Op)
		}
		return list
	}
	s := Shrinker{Tries: 500, Fails: func(p *Prog) bool {
		have := ops(p)
		return slices.Contains(have, "pread") && slices.Contains(have, "serve") && slices.Contains(have, "stalled")
	}}
	small := s.Shrink(p, 4)
	g.Expect(ops(small)).To(gomega.ConsistOf("open", "stall", "pread", "stalled", "serve"))
	g.Expect(small.Steps[1].Args[0]).To(gomega.Equal(Pages(1)), small.String())
}
