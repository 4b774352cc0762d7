// Package policy_test is the table that this project exists to show: how gfs2 treated user buffers up to Linux 5.15, how it was first proposed
// to treat them, and how it treats them since, and which programs hang under which. Each hang is judged from outside and comes with
// the circle of tasks that wait for each other; each mount is freed and its image checked.
package policy_test

import (
	"context"
	"embed"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"faultline/generators/model"
	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/self"
	"faultline/harness/target"
	"faultline/results"
	"faultline/targetfs/usercopy"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func TestPolicy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to free what hangs")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "user-copy policies")
}

// row is a program and what comes of it.
type row struct {
	program string
	// hangs is the circle under each policy that hangs, as a regular expression.
	hangs map[usercopy.Policy]string
	// counts is what the counters must say of a policy that passes.
	counts map[usercopy.Policy]string
}

// Circles. A number is a thread.
const (
	itself = `^(\w+) of A by \d+ holds A \((SH|DF|EX)\) and waits for A \(SH\), which\n\w+ of A by \d+ holds \((SH|DF|EX)\)\.\n`
	abba   = `^pwritev of (A|B) by \d+ holds (A|B) \(EX\) and waits for (A|B) \(SH\), which\npwritev of (A|B) by \d+ holds \(EX\), and waits for (A|B) \(SH\), which\npwritev of (A|B) by \d+ holds \(EX\)\.\n`
	reads  = `^pwrite of A by \d+ holds A \(EX\) and waits for the fault at 0x[0-9a-f]+, which a userfaultfd gets, which\n(pread|getattr) of A by \d+ serves, and waits for A \(SH\), which\npwrite of A by \d+ holds \(EX\)\.\n`
	writes = `^pread of A by \d+ holds A \(SH\) and waits for the fault at 0x[0-9a-f]+, which a userfaultfd gets, which\npwrite of A by \d+ serves, and waits for A \(EX\), which\npread of A by \d+ holds \(SH\)\.\n`
)

const (
	faulting  = usercopy.Faulting
	recursive = usercopy.Recursive
	nofault   = usercopy.NoFault
)

// rows are the rows that Faultline's language can say. A circle of one task passes under recursive; one with another task in it does not.
// Under both a page of other memory, of a probe or of the Go heap, may have to be faulted in as well: the numbers are the least.
var rows = []row{
	{"self-read", map[usercopy.Policy]string{faulting: itself}, map[usercopy.Policy]string{
		recursive: `FaultsUnderLock=[1-9]\d*\n`, nofault: `Retries=[1-9]\d* FaultsOutside=[1-9]\d*\n`}},
	{"self-write", map[usercopy.Policy]string{faulting: itself}, map[usercopy.Policy]string{
		recursive: `FaultsUnderLock=[1-9]\d*\n`, nofault: `FaultsOutside=[1-9]\d*\n`}},
	// What is held for direct I/O does not cover a fault: the fault fails, and is tried again without the glock.
	{"direct-self-read", map[usercopy.Policy]string{faulting: itself}, map[usercopy.Policy]string{
		recursive: `Retries=[1-9]\d* FaultsUnderLock=[1-9]\d* FaultsOutside=[1-9]\d* Weak=[1-9]\d*\n`, nofault: `Retries=[1-9]\d* FaultsOutside=[1-9]\d*\n`}},
	{"direct-self-write", map[usercopy.Policy]string{faulting: itself}, map[usercopy.Policy]string{
		recursive: `Retries=[1-9]\d* FaultsUnderLock=[1-9]\d* FaultsOutside=[1-9]\d* Weak=[1-9]\d*\n`, nofault: `Retries=[1-9]\d* FaultsOutside=[1-9]\d*\n`}},
	{"crossed", map[usercopy.Policy]string{faulting: abba, recursive: abba}, map[usercopy.Policy]string{nofault: `FaultsOutside=[1-9]\d*\n`}},
	{"handler-reads", map[usercopy.Policy]string{faulting: reads, recursive: reads}, map[usercopy.Policy]string{nofault: `FaultsOutside=[1-9]\d*\n`}},
	{"handler-writes", map[usercopy.Policy]string{faulting: writes, recursive: writes}, map[usercopy.Policy]string{nofault: `Retries=[1-9]\d* FaultsOutside=[1-9]\d*\n`}},
}

//go:embed testdata/*.prog
var texts embed.FS

var _ = Describe("programs", func() {
	for _, r := range rows {
		for _, p := range usercopy.Policies() {
			circle, hangs := r.hangs[p]
			what := "passes"
			if hangs {
				what = "hangs"
			}
			It(r.program+" "+what+" under "+p.String(), func(ctx SpecContext) {
				m, o := run(ctx, r.program, p)
				if o.Verdict == results.Skip {
					Skip(o.Message)
				}
				m.clean()
				AddReportEntry("what the server says", m.seen.cycle+m.seen.counters)
				if !hangs {
					Expect(o.Verdict).To(Equal(results.Pass), o.Message)
					Expect(m.seen.cycle).To(HavePrefix("No task waits for itself.\n"))
					Expect(m.seen.counters).To(MatchRegexp(count(p, r.counts[p])))
					return
				}
				Expect(o.Verdict).To(Equal(results.Hang), o.Message)
				Expect(m.seen.cycle).To(MatchRegexp(circle))
				Expect(m.seen.counters).To(MatchRegexp(count(p, `FaultsUnderLock=[1-9]`)))
				Expect(m.seen.glocks).To(MatchRegexp(`(?m)^ H: s:\w+ f:W e:0 p:\d+ `), "somebody waits")
			})
		}
	}
})

// count is the line of the counters of a policy. Kernel has none: nothing is counted there at all.
func count(p usercopy.Policy, what string) string {
	if p == usercopy.Kernel {
		return `faulting:\nrecursive:\nnofault:\nleft to the kernel:\n`
	}
	return p.String() + `: Calls=\d+ .*` + what
}

// run runs a program on a fresh mount. When it comes back the mount is gone, and its image was recovered.
func run(ctx context.Context, program string, p usercopy.Policy) (*mount, harness.Outcome) {
	GinkgoHelper()
	text, err := texts.ReadFile("testdata/" + program + ".prog")
	Expect(err).NotTo(HaveOccurred())
	parsed, err := prog.Parse(string(text))
	Expect(err).NotTo(HaveOccurred())
	Expect(model.Derive(parsed, int64(os.Getpagesize()))).To(Succeed())

	var first *targetOf
	r, err := harness.NewRunner(ctx, func(ctx context.Context) (target.Target, error) {
		if first != nil {
			return nil, errors.New("one mount is enough")
		}
		m, err := newMount(p)
		if err != nil {
			return nil, err
		}
		DeferCleanup(m.scrap)
		dir, err := target.Open(ctx, "dir:"+m.dir, target.Options{})
		first = &targetOf{Target: dir, mount: m}
		return first, err
	}, harness.Options{Deadline: time.Second, Repeats: -1})
	Expect(err).NotTo(HaveOccurred())
	o := r.Run(ctx, parsed)
	if !first.aborted {
		first.mount.witness()
	}
	if err := r.Close(ctx); err != nil && !first.aborted {
		Expect(err).NotTo(HaveOccurred())
	}
	if first.aborted {
		first.mount.recover()
	} else {
		first.mount.unmount()
	}
	return first.mount, o
}

// targetOf is a folder of a mount of ours. To free it, its server is killed, after it was asked what hangs.
type targetOf struct {
	target.Target
	mount   *mount
	aborted bool
}

func (t *targetOf) Servers() []int { return []int{t.mount.server.Process.Pid} }

func (t *targetOf) Abort() error {
	if !t.aborted {
		t.aborted = true
		t.mount.witness()
		t.mount.kill()
	}
	return nil
}

func (t *targetOf) Close(ctx context.Context) error {
	err := t.Target.Close(ctx)
	if t.aborted && err != nil && strings.Contains(err.Error(), t.mount.dir) {
		return nil // it is gone
	}
	return err
}
