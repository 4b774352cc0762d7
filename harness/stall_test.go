package harness_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/target"
	"faultline/results"
)

// stallers does a test with each way to stall; open gives targets that stall so.
func stallers(t *testing.T, test func(t *testing.T, open func(temp, spec string) harness.Opener)) {
	t.Parallel()
	for _, way := range []string{target.WithUserfaultfd, target.WithFUSE} {
		t.Run(way, func(t *testing.T) {
			test(t, func(temp, spec string) harness.Opener {
				return func(ctx context.Context) (target.Target, error) {
					return target.Open(ctx, spec, target.Options{Temp: temp, StallWith: way})
				}
			})
		})
	}
}

// A step that is stopped on a stall has no deadline: here for many deadlines, and longer than any proof takes.
func TestAStoppedStepIsNoHang(t *testing.T) { stallers(t, testAStoppedStepIsNoHang) }

func testAStoppedStepIsNoHang(t *testing.T, open func(temp, spec string) harness.Opener) {
	t.Parallel()
	g := gomega.NewWithT(t)
	r := runnerWith(t, open("", "dir:"+t.TempDir()), harness.Options{Deadline: 100 * time.Millisecond, Repeats: -1})
	text := "prog proof/stopped\nfile A = pat1*4p\nd = open(A, rdwr)\nu = stall(1p)\nt1: pwrite(d, u, 0)\nstalled(u)\n" +
		strings.Repeat("proceeds(t1)\n", 15) + "serve(u, 'u'*1p)\nwait(t1)\ncheck(A)\n"
	o := r.Run(t.Context(), derived(t, text))
	if o.Verdict == results.Skip {
		t.Skip(o.Message)
	}
	g.Expect(o.Verdict).To(gomega.Equal(results.Pass), o.Message)
	g.Expect(o.Elapsed).To(gomega.BeNumerically(">", 1500*time.Millisecond), "the stop was a long one")
}

// Beside a stopped step the one that hangs is found, and a step that was let go has a deadline again.
func TestHangsBesideStalls(t *testing.T) { stallers(t, testHangsBesideStalls) }

func testHangsBesideStalls(t *testing.T, open func(temp, spec string) harness.Opener) {
	needFuse(t)
	for name, p := range map[string]struct {
		fault, text string
		step        int
		gist        string
	}{
		"onlooker": {"block-read", `prog proof/onlooker
file A = 'a'*1p
file B = 'b'*1p
d = open(A, rdwr)
u = stall(1p)
t1: pwrite(d, u, 0)
stalled(u)
p2: e = open(B, rdonly)
p2: b = anon(hole*1p)
p2: pread(e, b, 0)
wait(p2)
serve(u, 'u'*1p)
wait(t1)
`, 6, "p2 is blocked in pread(e, b, 0)"},
		"served": {"block-fault", `prog proof/served
file A = 'a'*4p
file B = 'b'*4p
d = open(A, rdwr)
e = open(B, rdwr)
m = mmap(e, shared, rw, 0, 4p)
u = stall(1p)
t1: preadv(d, {u, m[0:1p]}, 0)
stalled(u)
serve(u)
wait(t1)
`, 4, "t1 is blocked in preadv(d, {u, m[0:1p]}, 0)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			left := watchForLeftovers(t)
			r := runnerWith(t, open(left.temp, "planted:"+p.fault), harness.Options{Deadline: 500 * time.Millisecond, Repeats: -1})
			left.see(r)
			o := r.Run(t.Context(), derived(t, p.text))
			if o.Verdict == results.Skip {
				t.Skip(o.Message)
			}
			g.Expect(o.Verdict).To(gomega.Equal(results.Hang), o.Message)
			g.Expect(o.Step).To(gomega.Equal(p.step), o.Message)
			g.Expect(o.Message).To(gomega.ContainSubstring(p.gist))
			next := r.Run(t.Context(), derived(t, namesOnly))
			g.Expect(next.Verdict).To(gomega.Equal(results.Pass), "the next program: %s", next.Message)
			left.see(r)
			g.Expect(r.Leaked).To(gomega.BeZero())
		})
	}
}

// A page fault that waits for a lock of the stopped call is seen at once. It is no hang yet: that lock's server polls, and so is never quiet.
func TestALockOfAStoppedCallIsSeen(t *testing.T) { stallers(t, testALockOfAStoppedCallIsSeen) }

func testALockOfAStoppedCallIsSeen(t *testing.T, open func(temp, spec string) harness.Opener) {
	t.Parallel()
	needFuse(t)
	g := gomega.NewWithT(t)
	r := runnerWith(t, open("", "planted:keep-lock"), harness.Options{Repeats: -1})
	p, err := prog.Parse(`prog proof/lock
needs stall
file A = pat1*6p + hole*2p
d = open(A, rdwr)
u = stall(1p)
p2: e = open(A, rdwr)
p2: n = mmap(e, shared, rw, 0, 8p)
wait(p2)
fsync(d)
fadvise(d, 0, 8p, dontneed)
t1: pread(d, u, 0)
stalled(u, t1)
p2: load(n[5p:6p])
proceeds(p2) -> 0
serve(u)
wait(t1)
`)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	o := r.Run(t.Context(), p)
	if o.Verdict == results.Skip {
		t.Skip(o.Message)
	}
	g.Expect(o.Verdict).To(gomega.Equal(results.Wrong), o.Message)
	g.Expect(o.Step).To(gomega.Equal(10), o.Message)
	g.Expect(o.Message).To(gomega.ContainSubstring("wanted 0, got EAGAIN: p2 sleeps"))
}

// A program that nobody could bring to its end is broken, and no fault of the file system.
func TestAProgramThatStopsItselfIsBroken(t *testing.T) {
	stallers(t, testAProgramThatStopsItselfIsBroken)
}

func testAProgramThatStopsItselfIsBroken(t *testing.T, open func(temp, spec string) harness.Opener) {
	t.Parallel()
	g := gomega.NewWithT(t)
	r := runnerWith(t, open("", "dir:"+t.TempDir()), harness.Options{Repeats: -1})
	p, err := prog.Parse("prog proof/self\nneeds stall\nu = stall(1p)\nload(u)\n") // the model refuses it
	g.Expect(err).NotTo(gomega.HaveOccurred())
	o := r.Run(t.Context(), p)
	if o.Verdict == results.Skip {
		t.Skip(o.Message)
	}
	g.Expect(o.Verdict).To(gomega.Equal(results.Broken), o.Message)
	g.Expect(o.Message).To(gomega.ContainSubstring("nobody is left to serve it"))
}
