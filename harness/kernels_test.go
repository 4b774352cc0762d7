package harness_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/guest"
	"faultline/harness/target"
	"faultline/results"
	"faultline/suites/regress"
)

// selfRead reads a page that is not cached into one that is not either: so an old kernel holds the glock when it faults.
var selfRead = regression("regress/gfs2-cold-self-read")

func regression(name string) string {
	i := slices.IndexFunc(regress.Programs(), func(p *prog.Prog) bool { return p.Name == name })
	return regress.Programs()[i].String()
}

// selfReadStep is the step of selfRead in which an old kernel dies, from 0.
const selfReadStep = 4

// realKernel is a Runner on a target in a guest, or the test is skipped.
func realKernel(t testing.TB, spec string) *harness.Runner {
	t.Helper()
	return realKernelWith(t, spec, harness.Options{Repeats: -1})
}

func realKernelWith(t testing.TB, spec string, o harness.Options) *harness.Runner {
	t.Helper()
	r, err := harness.NewRunner(t.Context(), ofKernel(t, spec), o)
	skipMissing(t, err)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// ofKernel opens targets in guests. Tests share what such guests begin with.
func ofKernel(t testing.TB, spec string) harness.Opener {
	return func(ctx context.Context) (target.Target, error) {
		return target.Open(ctx, spec, target.Options{Tell: func(err error) { t.Log("tried again: ", err) }})
	}
}

func skipMissing(t testing.TB, err error) {
	t.Helper()
	if missing, is := errors.AsType[*target.Missing](err); is {
		t.Skip(missing)
	}
}

// runOn runs programs in guests, some at a time, and gives one outcome for each, and for each damage of a disk.
func runOn(t *testing.T, spec string, lanes int, o harness.Options, programs []*prog.Prog) map[string]harness.Outcome {
	t.Helper()
	var mu sync.Mutex
	told := map[string]harness.Outcome{}
	pool := harness.Pool{
		Lanes: lanes, Open: ofKernel(t, spec), Opts: o,
		Announce: func([]string) error { return nil },
		Report: func(o harness.Outcome) {
			mu.Lock()
			defer mu.Unlock()
			if _, twice := told[o.Name]; twice {
				t.Errorf("%s has two verdicts", o.Name)
			}
			told[o.Name] = o
		},
	}
	err := pool.Run(t.Context(), t.Context(), slices.Values(programs))
	skipMissing(t, err)
	if err != nil {
		t.Error(err)
	}
	for _, p := range programs {
		if _, has := told[p.Name]; !has {
			t.Errorf("%s has no verdict", p.Name)
		}
	}
	return told
}

// gfs2 up to 5.15 takes the glock twice: the kernel's own trap ends User Mode Linux, and an oops ends QEMU.
func TestRealKernels(t *testing.T) {
	const signature = "gfs2_glock_nq < gfs2_fault < copy to user < gfs2_file_read_iter"
	for spec, verdict := range map[string]results.Verdict{
		"uml:5.10": results.Crash, "uml:6.1": results.Pass, "uml:6.12": results.Pass, "uml:7.2": results.Pass,
		largeQEMU("5.10"): results.Crash, "qemu:6.1": results.Pass,
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			r := realKernel(t, spec)
			o := r.Run(t.Context(), derived(t, selfRead))
			g.Expect(o.Verdict).To(gomega.Equal(verdict), o.Message)
			if verdict == results.Crash {
				g.Expect(o.Kind).To(gomega.Equal(results.KernelPanic))
				g.Expect(o.Signature).To(gomega.Equal(signature), o.Message)
				g.Expect(sections(o)).To(gomega.ContainElements("console.txt", "events.txt"))
				g.Expect(o.Step).To(gomega.Equal(selfReadStep), o.Message)
			}
			g.Expect(r.Run(t.Context(), named(t, namesOnly, "next")).Verdict).To(gomega.Equal(results.Pass))
			g.Expect(r.Leaked).To(gomega.BeZero())
		})
	}
}

// largeQEMU is a guest with memory on both sides of the hole below 4 GiB, if this machine has so much: what a worker noted is then in the upper part.
func largeQEMU(kernel string) string {
	if available, err := guest.Available(guest.Meminfo); err != nil || available < 6<<30 {
		return "qemu:" + kernel
	}
	return "qemu:" + kernel + ",mem=4G"
}

// selfWrite is the other direction: the source of the write is a mapping of the same page.
const selfWrite = `prog proof/self-write
file A = 'a'*2p
d = open(A, rdwr)
fsync(d)
fadvise(d, 0, 2p, dontneed)
m = mmap(d, shared, rw, 0, 2p)
pwrite(d, m[1p:2p], 0)
`

// Among a thousand programs some run into the bug of a real kernel and end their guest, also several in a row. Each has one verdict, nothing is lost, and nobody
// else is blamed.
func TestPanicsAmongAThousand(t *testing.T) {
	g := gomega.NewWithT(t)
	want := map[string]results.Verdict{}
	var programs []*prog.Prog
	for i := range 1000 {
		name, text, verdict := fmt.Sprintf("proof/%d", i), namesOnly, results.Pass
		switch {
		case i%100 == 7, i >= 500 && i < 505:
			text, verdict = selfRead, results.Crash
		case i%200 == 150:
			text, verdict = selfWrite, results.Crash
		}
		programs = append(programs, named(t, text, name))
		want[name] = verdict
	}
	got := map[string]results.Verdict{}
	for name, o := range runOn(t, "uml:5.10", 2, harness.Options{Repeats: -1}, programs) {
		got[name] = o.Verdict
		if o.Verdict == results.Crash {
			g.Expect(o.Signature).To(gomega.MatchRegexp(selfAccess), o.Message)
		}
	}
	g.Expect(got).To(gomega.Equal(want))
}
