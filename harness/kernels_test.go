package harness_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/target"
	"faultline/results"
)

// The page that the read is to fill is not in the page cache, and neither is the one that it reads: so it holds the glock when it faults.
const selfRead = `prog proof/self-read
file A = hole*1p + 'b'*1p
d = open(A, rdwr)
fsync(d)
fadvise(d, 0, 2p, dontneed)
m = mmap(d, private, rw, 0, 2p)
pread(d, m[0:1p], 1p)
check(m[0:1p], 'b'*1p)
`

// selfReadStep is the step of selfRead in which an old kernel dies, from 0.
const selfReadStep = 4

// realKernel is a Runner on a target in a guest, or the test is skipped.
func realKernel(t testing.TB, spec string) *harness.Runner {
	t.Helper()
	return realKernelWith(t, spec, harness.Options{Repeats: -1})
}

func realKernelWith(t testing.TB, spec string, o harness.Options) *harness.Runner {
	t.Helper()
	temp := t.TempDir()
	r, err := harness.NewRunner(t.Context(), func(ctx context.Context) (target.Target, error) {
		return target.Open(ctx, spec, target.Options{Temp: temp})
	}, o)
	if missing, is := errors.AsType[*target.Missing](err); is {
		t.Skip(missing)
	}
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

// gfs2 up to 5.15 takes the glock twice: the kernel's own trap ends User Mode Linux, and an oops ends QEMU.
func TestRealKernels(t *testing.T) {
	const signature = "gfs2_glock_nq < gfs2_fault < copy to user < gfs2_file_read_iter"
	for spec, verdict := range map[string]results.Verdict{
		"uml:5.10": results.Crash, "uml:6.1": results.Pass, "uml:6.12": results.Pass, "uml:7.2": results.Pass,
		"qemu:5.10": results.Crash, "qemu:6.1": results.Pass,
	} {
		t.Run(spec, func(t *testing.T) {
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

// Programs that panic the kernel are among a thousand good ones. Each has one verdict, and nothing is lost.
func TestPanicsAmongAThousand(t *testing.T) {
	g := gomega.NewWithT(t)
	r := realKernel(t, "uml:5.10")
	want := map[string]results.Verdict{}
	var programs []*prog.Prog
	for i := range 1000 {
		name := fmt.Sprintf("proof/%d", i)
		text, verdict := namesOnly, results.Pass
		if i == 100 || i == 101 || i == 700 {
			text, verdict = selfRead, results.Crash
		}
		programs = append(programs, named(t, text, name))
		want[name] = verdict
	}
	got := map[string]results.Verdict{}
	for name, o := range stream(t, r, programs...) {
		got[name] = o.Verdict
	}
	g.Expect(got).To(gomega.Equal(want))
}
