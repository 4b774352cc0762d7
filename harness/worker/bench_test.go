package worker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/harness/worker"
)

// benchDir is a new directory in $FAULTLINE_BENCH_DIR, or else in a temporary one or in fallback.
func benchDir(b *testing.B, fallback string) string {
	b.Helper()
	base := os.Getenv("FAULTLINE_BENCH_DIR")
	if base == "" {
		base = fallback
	}
	dir, err := os.MkdirTemp(base, "faultline-bench-")
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { os.Remove(dir) })
	return dir
}

func benchWorker(b *testing.B, dir string) *worker.Proc {
	b.Helper()
	w, err := worker.Start(worker.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Close)
	return w
}

// The mix of the steps benchmark is what programs do all day: drop a page of a mapping of the file, read the file into that page, which faults, write
// from the page, and write from memory.
const (
	rounds = 500
	mix    = 4
	window = 16 // pages of the file
)

// stepsProgram is the mix as a program.
func stepsProgram() string {
	var t strings.Builder
	fmt.Fprintf(&t, "prog bench/steps\nfile A = pat1*%dp\nd = open(A, rdwr)\nm = mmap(d, shared|populate, rw, 0, %dp)\nb = anon('b'*1p)\n", window, window)
	for i := range rounds {
		at := i % (window - 1)
		fmt.Fprintf(&t, "madvise(m[0:1p], dontneed)\npread(d, m[0:1p], %dp) -> 1p\npwrite(d, m[0:1p], %dp) -> 1p\npwrite(d, b, %dp) -> 1p\n", at+1, at, at+1)
	}
	return t.String()
}

// BenchmarkSteps compares the steps a worker does in a second, parsing and all, with a loop of the same system calls. child-ratio leaves
// out the parsing.
func BenchmarkSteps(b *testing.B) {
	dir := benchDir(b, "")
	w := benchWorker(b, dir)
	text := stepsProgram()
	var plain, ours, child time.Duration
	seq := uint64(0)
	for b.Loop() {
		const batch = 10
		start := time.Now()
		for range batch {
			bareProgram(b, dir)
		}
		plain += time.Since(start)
		start = time.Now()
		for range batch {
			seq++
			if err := w.Send(seq, text); err != nil {
				b.Fatal(err)
			}
		}
		for range batch {
			r := <-w.Reports()
			if !r.Passed() {
				b.Fatalf("%+v", r)
			}
			child += r.Elapsed
		}
		ours += time.Since(start)
		if seq >= 100 { // a worker is replaced after some hundred programs
			w.Close()
			w, seq = benchWorker(b, dir), 0
		}
	}
	steps := float64(b.N) * 10 * rounds * mix
	b.ReportMetric(steps/ours.Seconds(), "steps/s")
	b.ReportMetric(steps/plain.Seconds(), "bare/s")
	b.ReportMetric(plain.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(plain.Seconds()/child.Seconds(), "child-ratio")
}

// bareProgram does the same as the program, with nothing around it: make the file, the mix, remove the file.
func bareProgram(b *testing.B, dir string) {
	b.Helper()
	page := os.Getpagesize()
	name := filepath.Join(dir, "bare")
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Unlink(name)
	defer unix.Close(fd)
	if _, err := unix.Write(fd, make([]byte, window*page)); err != nil {
		b.Fatal(err)
	}
	m, err := unix.Mmap(fd, 0, window*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Munmap(m)
	bareMix(fd, m, make([]byte, page))
}

func bareMix(fd int, m, buf []byte) {
	f, bufAt, mapAt, n := uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&m[0])), uintptr(len(buf))
	for i := range rounds {
		at := uintptr(i%(window-1)) * n
		bare(unix.SYS_MADVISE, mapAt, n, unix.MADV_DONTNEED, 0)
		bare(unix.SYS_PREAD64, f, mapAt, n, at+n)
		bare(unix.SYS_PWRITE64, f, mapAt, n, at)
		bare(unix.SYS_PWRITE64, f, bufAt, n, at+n)
	}
}

func bare(nr, a, b, c, d uintptr) {
	if _, _, errno := unix.RawSyscall6(nr, a, b, c, d, 0, 0); errno != 0 {
		panic(errno)
	}
}

// smallProgram is a typical program: two files, a handful of steps.
const smallProgram = `
prog bench/small
file A = hole*1p + pat1*1p
file B = pat2*2p
d = open(A, rdwr)
e = open(B, rdwr)
m = mmap(e, shared, rw, 0, 2p)
pread(d, m[0:1p], 1p) -> 1p
pwrite(d, m[1p:2p], 0) -> 1p
check(m, pat1*1p + pat2[1p:2p])
check(A, pat2[1p:2p] + pat1*1p)
check(B, pat1*1p + pat2[1p:2p])
`

// BenchmarkProgram is the cost of a whole program: making files, running, checking, cleaning up. child is the time in the child, trip that
// from Send to the report; ns/op is with several under way.
func BenchmarkProgram(b *testing.B) {
	dir := benchDir(b, "/dev/shm")
	w := benchWorker(b, dir)
	var child, trip []time.Duration
	seq := uint64(0)
	for range 1000 {
		seq++
		start := time.Now()
		if err := w.Send(seq, smallProgram); err != nil {
			b.Fatal(err)
		}
		r := <-w.Reports()
		if !r.Passed() {
			b.Fatalf("%+v", r)
		}
		trip = append(trip, time.Since(start))
		child = append(child, r.Elapsed)
	}
	const ahead = 8
	sent, got := seq, seq
	for b.Loop() {
		for sent < got+ahead {
			sent++
			if err := w.Send(sent, smallProgram); err != nil {
				b.Fatal(err)
			}
		}
		if r := <-w.Reports(); !r.Passed() {
			b.Fatalf("%+v", r)
		}
		got++
	}
	for got < sent {
		<-w.Reports()
		got++
	}
	b.ReportMetric(quantile(child, 0.5).Seconds()*1e6, "child-µs")
	b.ReportMetric(quantile(trip, 0.5).Seconds()*1e6, "trip-µs")
}

// BenchmarkGate tells how far apart two threads, two processes and a thread beside the main thread begin steps that are released together.
func BenchmarkGate(b *testing.B) {
	for _, c := range []struct {
		name, steps string
		stride      int
	}{
		{"threads", "t1: stat(A, size)\nt2: stat(A, size)\nwait(t1)\nwait(t2)\n", 4},
		{"processes", "p1: stat(A, size)\np2: stat(A, size)\nwait(p1)\nwait(p2)\n", 4},
		{"main", "t1: stat(A, size)\nstat(A, size)\nwait(t1)\n", 3},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := benchWorker(b, benchDir(b, "/dev/shm"))
			text := "prog bench/gate\nfile A = empty\n" + strings.Repeat(c.steps, 20)
			var apart []time.Duration
			seq := uint64(0)
			for b.Loop() {
				seq++
				if err := w.Send(seq, text); err != nil {
					b.Fatal(err)
				}
				if r := <-w.Reports(); !r.Passed() {
					b.Fatalf("%+v", r)
				}
				apart = append(apart, gaps(w.Events(seq), c.stride)...)
			}
			b.ReportMetric(quantile(apart, 0.5).Seconds()*1e6, "median-µs")
			b.ReportMetric(quantile(apart, 0.9).Seconds()*1e6, "p90-µs")
		})
	}
}

// gaps are the times between the begins of the first two of every stride steps.
func gaps(events []worker.Event, stride int) (list []time.Duration) {
	begun := map[int]time.Time{}
	for _, e := range events {
		if !e.End {
			begun[e.Step] = e.Time
		}
	}
	for step := 0; ; step += stride {
		first, ok1 := begun[step]
		second, ok2 := begun[step+1]
		if !ok1 || !ok2 {
			return list
		}
		list = append(list, second.Sub(first).Abs())
	}
}

func quantile(list []time.Duration, q float64) time.Duration {
	slices.Sort(list)
	return list[int(q*float64(len(list)-1))]
}
