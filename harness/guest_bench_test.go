package harness_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/results"
)

// measured runs one program, and says how long that took.
func measured(b *testing.B, r *harness.Runner, p *prog.Prog, want results.Verdict) time.Duration {
	b.Helper()
	began := time.Now()
	if o := r.Run(b.Context(), p); o.Verdict != want {
		b.Fatalf("%s: %s: %s", p.Name, o.Verdict, o.Message)
	}
	return time.Since(began)
}

// BenchmarkGuestDeath measures what the death of a guest costs, from sending the program that ends it to the verdict of the next one: after three seconds of work, in
// which the next guest has booted (s/death), and when one death follows the other (s/death-in-a-row). ms/pass is the median of programs that pass.
func BenchmarkGuestDeath(b *testing.B) {
	r := realKernel(b, "uml:5.10")
	good, bad := named(b, namesOnly, "good"), named(b, selfRead, "bad")
	const row = 3
	var alone, inARow time.Duration
	var passes []time.Duration
	for b.Loop() {
		for rest := time.Now().Add(3 * time.Second); time.Now().Before(rest); {
			passes = append(passes, measured(b, r, good, results.Pass))
		}
		alone += measured(b, r, bad, results.Crash) + measured(b, r, good, results.Pass)
		for range row {
			inARow += measured(b, r, bad, results.Crash)
		}
		inARow += measured(b, r, good, results.Pass)
	}
	slices.Sort(passes)
	b.ReportMetric(alone.Seconds()/float64(b.N), "s/death")
	b.ReportMetric(inARow.Seconds()/float64(row*b.N), "s/death-in-a-row")
	b.ReportMetric(1000*passes[len(passes)/2].Seconds(), "ms/pass")
}

// BenchmarkGuestFirstVerdict measures a run of one program from its beginning, with the kernel in the cache: initramfs, mkfs, boot, mount, probes, worker. Every run has
// a folder of its own and so shares nothing with those before.
func BenchmarkGuestFirstVerdict(b *testing.B) {
	for _, spec := range []string{"uml:5.10", "uml:6.1", "uml:7.2"} {
		b.Run(spec, func(b *testing.B) {
			for b.Loop() {
				r := realKernel(b, spec)
				measured(b, r, named(b, namesOnly, "first"), results.Pass)
				b.StopTimer()
				if err := r.Close(context.Background()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/first-verdict")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// manySteps is what programs do all day: a read into a mapping of the file, whose page is not there, a write from it, and one from memory.
func manySteps() string {
	const rounds, window = 400, 8
	var t strings.Builder
	fmt.Fprintf(&t, "prog bench/steps\nfile A = 'a'*%dp\nd = open(A, rdwr)\nm = mmap(d, shared|populate, rw, 0, %dp)\nb = anon('b'*1p)\n", window, window)
	for i := range rounds {
		at := i % (window - 1)
		fmt.Fprintf(&t, "madvise(m[0:1p], dontneed)\npread(d, m[0:1p], %dp)\npwrite(d, m[0:1p], %dp)\npwrite(d, b, %dp)\n", at+1, at, at+1)
	}
	return t.String()
}

// BenchmarkGuestSteps compares how many steps a second programs do on ext4 of User Mode Linux and on a directory of this machine, in turn.
func BenchmarkGuestSteps(b *testing.B) {
	guest, host := realKernel(b, "uml:6.1,fs=ext4"), runner(b, "dir:"+b.TempDir(), harness.Options{Repeats: -1})
	p := named(b, manySteps(), "steps")
	var inGuest, here time.Duration
	for b.Loop() {
		inGuest += measured(b, guest, p, results.Pass)
		here += measured(b, host, p, results.Pass)
	}
	steps := float64(b.N * len(p.Steps))
	b.ReportMetric(steps/inGuest.Seconds(), "guest-steps/s")
	b.ReportMetric(steps/here.Seconds(), "host-steps/s")
	b.ReportMetric(here.Seconds()/inGuest.Seconds(), "ratio")
}
