package worker_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/worker"
)

// TestWrongExpectations plants expectations that no file system can meet: each is found at its step, with the right words.
func TestWrongExpectations(t *testing.T) {
	w := start(t, worker.Config{Dir: t.TempDir()})
	for seq, c := range []struct {
		name, text string
		step       int
		want       string
	}{
		{"value", "file A = pat1*1p\nd = open(A, rdwr)\nb = anon(hole*1p)\npread(d, b, 0) -> 1p-1\nfsync(d)", 2, "wanted 1p-1, got 1p"},
		{"range", "file A = pat1*1p\nd = open(A, rdwr)\nb = anon(hole*1p)\npread(d, b, 8) -> 0..100 | EIO", 2, "wanted 0..100 | EIO, got 1p-8"},
		{"error", "file A = empty\nd = open(A, rdonly)\nfsync(d)\nftruncate(d, 1p)", 2, "wanted ok, got EINVAL"},
		{"success", "file A = empty\nd = open(A, rdonly) -> EACCES", 0, "wanted EACCES, got 0"},
		{"signal", "load(bad[0:1]!) -> SIGBUS", 0, "wanted SIGBUS, got SIGSEGV"},
		{"zeros", "file A = 'a'*1p + hole*1p\ncheck(A, 'a'*1p+12 + hole*1p-12)", 0,
			"A is wrong from offset 1p on, 12 of {2p} bytes differ: got 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00, " +
				"wanted 61 61 61 61 61 61 61 61 61 61 61 61 00 00 00 00; found zeros"},
		{"fill", "file A = 'a'*1p\ncheck(A, 'b'*8 + 'a'*1p-8)", 0, "A is wrong from offset 0 on, 8 of {1p} bytes differ: got 61"},
		{"fill origin", "file A = 'a'*1p\ncheck(A, 'b'*1p)", 0, "; found 'a'"},
		{"pattern origin", "file A = pat7*3p\nfile B = pat2*1p\ncheck(A, pat7*1p + pat2*1p + pat7[2p:3p])", 0, "A is wrong from offset 1p on, "},
		{"pattern origin place", "file A = pat7*3p\nfile B = pat2*1p\ncheck(A, pat7*1p+3 + pat2*1p + pat7[2p+3:3p])", 0, "; found pat7 at 1p+3"},
		{"size", "file A = 'a'*1p+5\ncheck(A, 'a'*1p | empty)", 0, "A is 1p+5 bytes long, wanted 1p or 0"},
		{"nearest alternative", "file A = 'a'*1p\ncheck(A, 'b'*1p | 'a'*1p-2 + 'c'*2)", 0, "A is wrong from offset 1p-2 on, 2 of {1p} bytes differ: got 61 61, wanted 63 63"},
		{"mix", "file A = 'a'*1p\ncheck(A, mix('b'*1p, 'c'*1p))", 0, "{1p} of {1p} bytes differ"},
		{"memory", "b = anon('b'*1p)\nstore(b[10:12], 'x'*2)\ncheck(b[1:1p], 'b'*1p-1)", 2, "b[1:1p] is wrong from offset 9 on, 2 of {1p-1} bytes differ: got 78 78 62"},
		{"no file", "file A = empty\nunlink(A)\ncheck(A, empty)", 1, "wanted ok, got ENOENT"},
		{"thread", "file A = empty\nd = open(A, rdwr)\nt1: lseek(d, 3, set) -> 4\nwait(t1)\nfsync(d)", 1, "wanted 4, got 3"},
		{"process", "file A = empty\np1: d = open(A, rdwr)\np1: lseek(d, 3, set) -> 4\np1: fsync(d)", 1, "wanted 4, got 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			r := run(t, w, uint64(seq), c.text)
			g.Expect(r.Failure).NotTo(gomega.BeNil())
			g.Expect(r.Failure.Step).To(gomega.Equal(c.step))
			g.Expect(r.Failure.Text).To(gomega.ContainSubstring(inBytes(c.want)))
			last := strings.Count(c.text, "\n") - strings.Count(c.text, "file ")
			if last > c.step {
				g.Expect(steps(w.Events(uint64(seq)))).NotTo(gomega.ContainElement(last), "no step after the wrong one")
			}
			g.Expect(r.Passed()).To(gomega.BeFalse())
			g.Expect(r.Cleanup).To(gomega.BeNil())
		})
	}
}

// inBytes writes sizes in braces in bytes.
func inBytes(text string) string {
	page := os.Getpagesize()
	for size, n := range map[string]int{"{1p}": page, "{1p-1}": page - 1, "{2p}": 2 * page} {
		text = strings.ReplaceAll(text, size, fmt.Sprint(n))
	}
	return text
}

func steps(events []worker.Event) (list []int) {
	for _, e := range events {
		list = append(list, e.Step)
	}
	return list
}

func TestFailureNamesTheActor(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	r := run(t, w, 1, "file A = empty\np3: d = open(A, rdwr)\np3: check(A, 'x')")
	g.Expect(r.Failure).NotTo(gomega.BeNil())
	g.Expect(r.Failure.Actor).To(gomega.Equal("p3"))
	g.Expect(r.Failure.Data.What).To(gomega.Equal("A"))
	g.Expect(r.Failure.Data.Sizes).To(gomega.Equal([]int64{1}))
}

// A step that was allowed to fail, and did, takes along what needs its result, and nothing else.
func TestStepsWithoutTheirObjectAreSkipped(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	r := run(t, w, 1, `
file A = 'a'*1p
unlink(A)
d = open(A, rdonly) -> ok | ENOENT
m = mmap(d, private, r, 0, 1p)
t1: load(m) -> 7
close(d)
p1: e = open(A, rdonly) -> ok | ENOENT
p1: fsync(e)
stat(A, size) -> ENOENT
`)
	g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r)
	g.Expect(r.Ran).To(gomega.Equal(4))
	g.Expect(r.Skipped).To(gomega.Equal(4))
}

// A thread that uses what another thread makes waits for it, though the program does not say so.
func TestNamesOrderTheStepsOfThreads(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	for seq := range uint64(20) {
		r := run(t, w, seq, `
file A = pat1*2p
t1: d = open(A, rdonly)
t2: m = mmap(d, private, r, 0, 2p)
t3: check(m, pat1*2p)
check(m, pat1*2p)
`)
		g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r)
		g.Expect(r.Ran).To(gomega.Equal(4))
	}
}

func TestSetupTroubleIsNoVerdictOfAStep(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	w := start(t, worker.Config{Dir: dir + "/missing"})
	r := run(t, w, 1, everyKind)
	g.Expect(r.Failure).To(gomega.BeNil())
	g.Expect(r.Setup.String()).To(gomega.Equal("mkdir " + dir + "/missing/1: ENOENT"))
	g.Expect(r.Ran).To(gomega.BeZero())
	g.Expect(r.Skipped).To(gomega.BeZero())
	g.Expect(r.Passed()).To(gomega.BeFalse())
	g.Expect(os.Mkdir(dir+"/missing", 0o700)).To(gomega.Succeed())
	g.Expect(os.Mkdir(dir+"/missing/2", 0o700)).To(gomega.Succeed())
	g.Expect(run(t, w, 2, everyKind).Setup.Err).To(gomega.Equal("EEXIST"))
	g.Expect(run(t, w, 3, everyKind).Passed()).To(gomega.BeTrue(), "the worker goes on")
	g.Expect(dir+"/missing/2").To(gomega.BeADirectory(), "what was there before is not ours")
}

func TestBrokenPrograms(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	many := "prog many\nfile A = empty\n"
	for i := range worker.MaxActors + 1 {
		many += "t" + string(rune('0'+i/10)) + string(rune('0'+i%10)) + ": stat(A, size)\n"
	}
	for seq, c := range []struct{ text, want string }{
		{"prog x\nnonsense", "line 2"},
		{"prog x\nfsync(d)", "d is not known here"},
		{"prog x\nfile X on other = empty", "no place"},
		{"prog x\nfile A = empty\ncheck(A, 'a'*10000000p)", "of data"},
		{many, "33 actors"},
	} {
		g.Expect(w.Send(uint64(seq), c.text)).To(gomega.Succeed())
		r := next(t, w)
		g.Expect(r.Broken).To(gomega.ContainSubstring(c.want))
		g.Expect(r.Passed()).To(gomega.BeFalse())
	}
	g.Expect(run(t, w, 99, "file A = empty\ncheck(A, empty)").Passed()).To(gomega.BeTrue(), "the worker goes on")
}

func TestFilesElsewhere(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir(), Other: t.TempDir()})
	r := run(t, w, 1, `
file A = pat1*1p
file X on other = pat2*1p
d = open(A, rdwr)
e = open(X, rdonly)
m = mmap(e, private, r, 0, 1p)
pwrite(d, m, 0) -> 1p
check(A, pat2*1p)
unlink(X)
`)
	g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r)
}
