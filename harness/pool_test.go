package harness_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/target"
	"faultline/results"
)

// heard is what a Pool has announced and reported.
type heard struct {
	mu        sync.Mutex
	announced []string
	told      map[string]harness.Outcome
	twice     []string
	// onReport is called for each outcome, if it is set.
	onReport func(n int)
}

// pool is a Pool that is listened to.
func (h *heard) pool(lanes int, open harness.Opener, o harness.Options) *harness.Pool {
	h.told = map[string]harness.Outcome{}
	return &harness.Pool{
		Lanes: lanes, Open: open, Opts: o,
		Announce: func(names []string) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.announced = append(h.announced, names...)
			return nil
		},
		Report: func(o harness.Outcome) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if _, again := h.told[o.Name]; again {
				h.twice = append(h.twice, o.Name)
			}
			if !slices.Contains(h.announced, o.Name) {
				h.twice = append(h.twice, o.Name+" without being announced")
			}
			h.told[o.Name] = o
			if h.onReport != nil {
				h.onReport(len(h.told))
			}
		},
	}
}

func numbered(t *testing.T, n int, text string) iter.Seq[*prog.Prog] {
	t.Helper()
	p := derived(t, text)
	return func(yield func(*prog.Prog) bool) {
		for i := range n {
			one := *p
			one.Name = fmt.Sprintf("proof/%04d", i)
			if !yield(&one) {
				return
			}
		}
	}
}

const checkA = "prog proof/check\nfile A = 'a'*1p\ncheck(A, 'a'*1p)\n"

func TestPoolRunsEverythingOnce(t *testing.T) {
	g := gomega.NewWithT(t)
	const n = 1000
	var h heard
	pool := h.pool(3, opener("", "dir:"+t.TempDir()), harness.Options{Lifetime: 50})
	g.Expect(pool.Run(t.Context(), t.Context(), numbered(t, n, checkA))).To(gomega.Succeed())
	g.Expect(h.told).To(gomega.HaveLen(n))
	g.Expect(h.twice).To(gomega.BeEmpty())
	for name, o := range h.told {
		g.Expect(o.Verdict).To(gomega.Equal(results.Pass), "%s: %s", name, o.Message)
	}
}

// What one lane ruins is not the others'.
func TestPoolLanesAreIndependent(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	var h heard
	programs := func(yield func(*prog.Prog) bool) {
		if !yield(derived(t, readIt)) {
			return
		}
		numbered(t, 100, namesOnly)(yield)
	}
	pool := h.pool(2, opener("", "planted:block-read"), harness.Options{Deadline: 500 * time.Millisecond, Repeats: -1})
	g.Expect(pool.Run(t.Context(), t.Context(), programs)).To(gomega.Succeed())
	g.Expect(h.told).To(gomega.HaveLen(101))
	g.Expect(h.twice).To(gomega.BeEmpty())
	for name, o := range h.told {
		want := results.Pass
		if name == "proof/read" {
			want = results.Hang
		}
		g.Expect(o.Verdict).To(gomega.Equal(want), "%s: %s", name, o.Message)
	}
}

// The end of soft lets what was announced finish, and begins nothing more.
func TestPoolSoftStop(t *testing.T) {
	g := gomega.NewWithT(t)
	soft, stop := context.WithCancel(t.Context())
	h := heard{onReport: func(n int) {
		if n == 20 {
			stop()
		}
	}}
	pool := h.pool(2, opener("", "dir:"+t.TempDir()), harness.Options{})
	g.Expect(pool.Run(t.Context(), soft, numbered(t, 100_000, checkA))).To(gomega.Succeed())
	g.Expect(len(h.told)).To(gomega.And(gomega.BeNumerically(">=", 20), gomega.BeNumerically("<", 1000)))
	g.Expect(h.told).To(gomega.HaveLen(len(h.announced)), "everything that was announced has a verdict")
	g.Expect(h.twice).To(gomega.BeEmpty())
}

// The end of ctx stops at once, also when a program hangs.
func TestPoolHardStop(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	left := watchForLeftovers(t)
	var h heard
	ctx, cancel := context.WithCancel(t.Context())
	pool := h.pool(1, opener(left.temp, "planted:block-read"), harness.Options{Deadline: time.Hour})
	time.AfterFunc(time.Second, cancel)
	err := pool.Run(ctx, ctx, numbered(t, 3, readIt))
	g.Expect(err).To(gomega.MatchError(context.Canceled))
	g.Expect(h.told).To(gomega.BeEmpty())
}

func TestPoolStopsWhenNothingCanBeAnnounced(t *testing.T) {
	g := gomega.NewWithT(t)
	full := errors.New("the disk is full")
	var h heard
	pool := h.pool(2, opener("", "dir:"+t.TempDir()), harness.Options{})
	announce, calls := pool.Announce, 0
	pool.Announce = func(names []string) error {
		h.mu.Lock()
		calls++
		n := calls
		h.mu.Unlock()
		if n > 3 {
			return full
		}
		return announce(names)
	}
	g.Expect(pool.Run(t.Context(), t.Context(), numbered(t, 1000, checkA))).To(gomega.MatchError(full))
	g.Expect(h.told).To(gomega.HaveLen(len(h.announced)), "everything that was announced has a verdict")
	g.Expect(len(h.told)).To(gomega.BeNumerically("<", 1000))
}

// A target that vanishes and cannot be had again is lost: what was under way has no verdict, and nobody is blamed for it.
func TestPoolLosesItsTarget(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	g.Expect(unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m")).To(gomega.Succeed())
	defer unix.Unmount(dir, unix.MNT_DETACH)
	// The folder below stays, but nobody may make another target there.
	h := heard{onReport: func(n int) {
		if n == 20 {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}
	}}
	opened := 0
	open := func(ctx context.Context) (target.Target, error) {
		if opened++; opened > 1 {
			return nil, errors.New("it is gone")
		}
		return target.Open(ctx, "dir:"+dir, target.Options{})
	}
	pool := h.pool(1, open, harness.Options{Repeats: -1})
	err := pool.Run(t.Context(), t.Context(), numbered(t, 10_000, checkA))
	var lost *harness.Lost
	g.Expect(errors.As(err, &lost)).To(gomega.BeTrue(), "%v", err)
	g.Expect(lost.Error()).To(gomega.MatchRegexp(`^the target was lost by proof/\d{4}: it is gone$`))
	g.Expect(lost.Left).NotTo(gomega.BeEmpty())
	g.Expect(h.twice).To(gomega.BeEmpty())
	for name, o := range h.told {
		g.Expect(o.Verdict.Bad()).To(gomega.BeFalse(), "%s: %s", name, o.Message)
	}
	g.Expect(h.told[lost.By].Verdict).To(gomega.Equal(results.Broken))
	g.Expect(h.told[lost.By].Kind).To(gomega.Equal(results.InfraTargetLost))
}

// When one lane loses its target, another takes over what it had in hand.
func TestPoolTakesOver(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	var mu sync.Mutex
	opened := 0
	open := func(ctx context.Context) (target.Target, error) {
		mu.Lock()
		opened++
		n := opened
		mu.Unlock()
		if n > 2 {
			return nil, errors.New("there are only two")
		}
		return target.Open(ctx, "planted:die", target.Options{})
	}
	const n = 2000
	programs := func(yield func(*prog.Prog) bool) {
		if !yield(derived(t, readIt)) {
			return
		}
		numbered(t, n, namesOnly)(yield)
	}
	var h heard
	pool := h.pool(2, open, harness.Options{Repeats: -1})
	err := pool.Run(t.Context(), t.Context(), programs)
	var lost *harness.Lost
	g.Expect(errors.As(err, &lost)).To(gomega.BeTrue(), "%v", err)
	g.Expect(lost.By).To(gomega.Equal("proof/read"))
	g.Expect(h.told["proof/read"].Verdict).To(gomega.Equal(results.Crash))
	g.Expect(h.told).To(gomega.HaveLen(n + 1))
	g.Expect(h.twice).To(gomega.BeEmpty())
}
