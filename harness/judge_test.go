package harness_test

import (
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness"
	"faultline/results"
	"faultline/targetfs/planted"
)

// Programs that run into a planted fault. The step that a proof names is where the judge must find it.
const (
	readIt = `prog proof/read
file A = 'a'*4p
d = open(A, rdonly)
b = anon(zero*4p)
pread(d, b, 0)
`
	checkIt = `prog proof/check
file A = 'a'*2p
check(A)
`
	writeIt = `prog proof/write
file A = 'a'*2p
d = open(A, rdwr)
b = anon('b'*2p)
pwrite(d, b, 0)
close(d)
check(A)
`
	growIt = `prog proof/grow
file A = 'a'*2p
d = open(A, rdwr)
ftruncate(d, 100)
ftruncate(d, 3p)
close(d)
check(A)
`
	loadIt = `prog proof/load
file A = 'a'*2p
d = open(A, rdonly)
m = mmap(d, shared, r, 0, 2p)
load(m)
`
	// The first read is from a descriptor, and not into a mapping.
	bufferIt = `prog proof/buffer
file A = hole*1p + 'b'*1p
d = open(A, rdwr)
m = mmap(d, private, rw, 0, 2p)
b = anon(zero*1p)
pread(d, b, 1p)
pread(d, m[0:1p], 1p)
check(A)
`
	// As bufferIt, but the page that is read has to be asked for as well.
	coldIt = `prog proof/cold
file A = hole*1p + 'b'*1p
d = open(A, rdwr)
m = mmap(d, private, rw, 0, 2p)
fadvise(d, 0, 2p, dontneed)
pread(d, m[0:1p], 1p)
check(A)
`
	statIt = `prog proof/stat
file A = 'a'*1000
stat(A, size)
`
	// Nothing is read or written, so that it passes beside most faults.
	namesOnly = `prog proof/names
mkdir(D)
d = open(A, rdwr|creat)
close(d)
rename(A, B)
unlink(B)
`
)

// proof is a program on a planted fault and what must be said of it.
type proof struct {
	fault, text string
	verdict     results.Verdict
	kind        results.Kind
	step        int // counts from 0
	gist        []string
}

// proofs has at least one row for every fault; each=2 passes over the write that makes the file. A thread that spins in the kernel itself
// cannot be planted from user space; package watch proves that verdict with children of its own.
var proofs = []proof{
	{"none", writeIt, results.Pass, "", -1, nil},
	{"none", bufferIt, results.Pass, "", -1, nil},
	{"block-read", readIt, results.Hang, results.KernelHang, 2, []string{"the main thread is blocked in pread(d, b, 0) for", "FUSE request"}},
	{"block-read", checkIt, results.Hang, results.KernelHang, 0, []string{"blocked in check(A", "FUSE request"}},
	{"block-write,each=2", writeIt, results.Hang, results.KernelHang, 2, []string{"blocked in pwrite(d, b, 0) for", "FUSE request"}},
	{"block-fault", loadIt, results.Hang, results.KernelHang, 2, []string{"blocked in load(m) for", "page fault from user space in its memory, which maps A"}},
	{"block-fault", bufferIt, results.Hang, results.KernelHang, 4, []string{"blocked in pread(d, m[0:1p], 1p) for", "page fault in its own buffer, which maps A, the same file"}},
	{"spin", readIt, results.Hang, results.KernelHang, 2, []string{"the main thread waits in pread(d, b, 0) for", "while its server, process", "spins"}},
	{"corrupt-byte", checkIt, results.Wrong, results.DataCorruption, 0, []string{"step 1, check(A"}},
	{"corrupt-byte", readIt + "check(b)\n", results.Wrong, results.DataCorruption, 3, []string{"step 4, check(b"}},
	{"tear-write,each=2", writeIt, results.Wrong, results.DataCorruption, 4, []string{"step 5, check(A"}},
	{"stale-data", writeIt, results.Wrong, results.DataCorruption, 4, []string{"step 5, check(A"}},
	{"stale-tail", growIt, results.Wrong, results.DataCorruption, 4, []string{"step 5, check(A"}},
	{"short-read", readIt, results.Wrong, results.Semantics, 2, []string{"step 3, pread(d, b, 0): wanted 4p, got "}},
	{"long-size", statIt, results.Wrong, results.Semantics, 0, []string{"step 1, stat(A, size): wanted 1000, got 1001"}},
	{"eio", readIt, results.Wrong, results.Semantics, 2, []string{"step 3, pread(d, b, 0): wanted 4p, got EIO"}},
	{"eio", loadIt, results.Wrong, results.Semantics, 2, []string{"step 3, load(m): wanted 2p, got SIGBUS"}},
	{"enospc,each=2", writeIt, results.Wrong, results.Semantics, 2, []string{"step 3, pwrite(d, b, 0): wanted 2p, got ENOSPC"}},
	{"die", readIt, results.Crash, results.TargetDied, 2, []string{"step 3, pread(d, b, 0)", "its server has ended"}},
	{"die", bufferIt, results.Crash, results.TargetDied, 3, []string{"its server has ended"}},
	{"keep-lock", coldIt, results.Hang, results.KernelHang, 3, []string{"blocked in pread(d, m[0:1p], 1p) for", "page fault in its own buffer, which maps A, the same file"}},
	{"keep-size", readIt + "truncate(A, 1p)\n", results.Pass, "", -1, nil},
	// Late, and before anybody can be sure: never a hang.
	{"slow,delay=1300ms", loadIt, results.Pass, "", -1, nil},
}

func TestEveryPlantedFaultHasAProof(t *testing.T) {
	for _, f := range planted.Faults {
		found := 0
		for _, p := range proofs {
			name, _, _ := strings.Cut(p.fault, ",")
			if name == f.Name {
				found++
				gomega.NewWithT(t).Expect(string(p.verdict)).To(gomega.Equal(f.Verdict), "the proof of %s and its row", f.Name)
			}
		}
		if found == 0 {
			t.Errorf("the fault %q has no row in proofs", f.Name)
		}
	}
}

func TestPlantedFaults(t *testing.T) {
	needFuse(t)
	for _, p := range proofs {
		text := derived(t, p.text)
		t.Run(p.fault+"/"+text.Name, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			left := watchForLeftovers(t)
			r := runnerIn(t, left.temp, "planted:"+p.fault, harness.Options{Deadline: time.Second, Repeats: -1})
			left.see(r)
			o := r.Run(t.Context(), text)
			g.Expect(o.Verdict).To(gomega.Equal(p.verdict), o.Message)
			g.Expect(o.Kind).To(gomega.Equal(p.kind), o.Message)
			g.Expect(o.Step).To(gomega.Equal(p.step), o.Message)
			for _, words := range p.gist {
				g.Expect(o.Message).To(gomega.ContainSubstring(words))
			}
			if p.verdict != results.Pass {
				g.Expect(sections(o)).To(gomega.ContainElement("events.txt"))
				g.Expect(o.Signature).NotTo(gomega.BeEmpty())
			}
			if p.verdict == results.Hang {
				g.Expect(sections(o)).To(gomega.ContainElements("watcher.txt", "processes.txt"))
			}
			next := r.Run(t.Context(), derived(t, namesOnly))
			g.Expect(next.Verdict).To(gomega.Equal(results.Pass), "the next program: %s", next.Message)
			left.see(r)
			g.Expect(r.Leaked).To(gomega.BeZero())
		})
	}
}

// What a fault does to the set-up of a program is found as well, and is no step.
func TestFaultInSetUp(t *testing.T) {
	needFuse(t)
	for fault, want := range map[string]results.Verdict{"block-write": results.Hang, "enospc": results.Wrong} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			r := runner(t, "planted:"+fault, harness.Options{Deadline: time.Second, Repeats: -1})
			o := r.Run(t.Context(), derived(t, readIt))
			g.Expect(o.Verdict).To(gomega.Equal(want), o.Message)
			g.Expect(o.Message).To(gomega.ContainSubstring("set-up"))
			g.Expect(o.Step).To(gomega.BeNumerically("<", 0))
		})
	}
}

// A fault that comes and goes is told with its rate.
func TestRate(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	r := runner(t, "planted:eio,rate=2,seed=3", harness.Options{Repeats: 7})
	direct := derived(t, strings.ReplaceAll(readIt, "rdonly", "rdonly|direct")) // a direct read is one request, and is not tried again
	var flaky harness.Outcome
	for flaky.Attempts == nil {
		flaky = r.Run(t.Context(), direct)
	}
	g.Expect(flaky.Verdict).To(gomega.Equal(results.Wrong), flaky.Message)
	g.Expect(flaky.Attempts).To(gomega.HaveLen(7))
	g.Expect(flaky.Failures()).To(gomega.And(gomega.BeNumerically(">", 0), gomega.BeNumerically("<", 8)))
	c := results.Case{Attempts: 8, Failures: flaky.Failures()}
	g.Expect(c.Rate()).To(gomega.MatchRegexp(`^failed [1-7] of 8 attempts$`))
}

// A hang takes its time, and is repeated at most twice.
func TestHangIsRepeated(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	r := runner(t, "planted:block-read", harness.Options{Deadline: 500 * time.Millisecond, Repeats: 5})
	o := r.Run(t.Context(), derived(t, readIt))
	g.Expect(o.Verdict).To(gomega.Equal(results.Hang), o.Message)
	g.Expect(o.Attempts).To(gomega.HaveLen(2))
	g.Expect(o.Failures()).To(gomega.Equal(3))
}
