package harness_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/machine"
	"faultline/harness/machine/fakeguest"
	"faultline/harness/machine/remote"
	"faultline/harness/target"
	"faultline/results"
)

// inGuest is a target whose programs run in a guest that goes with it.
type inGuest struct {
	target.Target
	guest *fakeguest.Guest
}

func (t *inGuest) Machine() machine.Machine { return t.guest.Machine }

func (t *inGuest) Close(ctx context.Context) error {
	t.guest.Close()
	return t.Target.Close(ctx)
}

// interrogation is what guests answer when they are silent: nothing that they complain of themselves.
const interrogation = "Kernel panic - not syncing: NMI: Not continuing\n"

// guests opens targets, each with a guest of its own, and counts them.
func guests(temp, spec string, silence time.Duration, count *int) harness.Opener {
	return func(ctx context.Context) (target.Target, error) {
		t, err := target.Open(ctx, spec, target.Options{Temp: temp})
		if err != nil {
			return nil, err
		}
		g, err := fakeguest.Start(ctx, remote.Options{Silence: silence, Interrogate: func([]int) string { return interrogation }})
		if err != nil {
			return nil, err
		}
		*count++
		return &inGuest{t, g}, nil
	}
}

func guestRunner(t *testing.T, open harness.Opener, o harness.Options) *harness.Runner {
	t.Helper()
	r, err := harness.NewRunner(t.Context(), open, o)
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

// counted is a target that counts how often it was aborted.
type counted struct {
	target.Target
	aborted *int
}

func (t *counted) Abort() error {
	*t.aborted++
	return t.Target.Abort()
}

// Planted faults have the verdicts in a guest that they have here.
func TestPlantedFaultsInAGuest(t *testing.T) {
	needFuse(t)
	for _, p := range proofs {
		text := derived(t, p.text)
		t.Run(p.fault+"/"+text.Name, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			var opened, aborted int
			open := guests(t.TempDir(), "planted:"+p.fault, 0, &opened)
			r := guestRunner(t, func(ctx context.Context) (target.Target, error) {
				t, err := open(ctx)
				return &counted{t, &aborted}, err
			}, harness.Options{Deadline: time.Second, Repeats: -1})
			o := r.Run(t.Context(), text)
			g.Expect(o.Verdict).To(gomega.Equal(p.verdict), o.Message)
			g.Expect(o.Kind).To(gomega.Equal(p.kind), o.Message)
			g.Expect(o.Step).To(gomega.Equal(p.step), o.Message)
			for _, words := range p.gist {
				g.Expect(o.Message).To(gomega.ContainSubstring(words))
			}
			if p.verdict == results.Hang {
				g.Expect(sections(o)).To(gomega.ContainElements("watcher.txt", "processes.txt", "events.txt"))
				g.Expect(opened).To(gomega.Equal(2), "a guest in which something hangs is replaced")
				g.Expect(aborted).To(gomega.Equal(1), "and it is ended at once: an unmount would hang, too")
			}
			g.Expect(r.Run(t.Context(), derived(t, namesOnly)).Verdict).To(gomega.Equal(results.Pass), "the next program")
			g.Expect(r.Leaked).To(gomega.BeZero())
		})
	}
}

// deadly is a program that makes its guest go wrong.
func deadly(t *testing.T, fault, name string) *prog.Prog {
	t.Helper()
	p := named(t, namesOnly, name)
	p.Doc = []string{"guest: " + fault}
	return p
}

func TestGuestsThatDie(t *testing.T) {
	for fault, want := range map[string]struct {
		verdict results.Verdict
		kind    results.Kind
		message string
	}{
		"panic":  {results.Crash, results.KernelPanic, "the kernel says: BUG: failure at fs/gfs2/glock.c:1401/add_to_queue()!"},
		"choke":  {results.Crash, results.KernelPanic, "the kernel says: BUG: failure at fs/gfs2/glock.c:1401/add_to_queue()!"},
		"vanish": {results.Broken, results.InfraTargetLost, "the guest is gone: it has ended (exit status 0)"},
		"killed": {results.Broken, results.InfraTargetLost, "the guest is gone: it has ended (signal: killed)"},
		"stall":  {results.Hang, results.KernelHang, "the guest is gone: it has said nothing for 2s"},
		"tear":   {results.Broken, results.InfraTargetLost, "the channel has torn a frame"},
		"warn":   {results.Crash, results.KernelWarn, "the kernel says: WARNING: CPU: 0 PID: 1 at fs/inode.c:300"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			var opened int
			r := guestRunner(t, guests(t.TempDir(), "dir:"+t.TempDir(), 2*time.Second, &opened), harness.Options{Repeats: 1})
			programs := []*prog.Prog{named(t, namesOnly, "a"), deadly(t, fault, "b"), named(t, namesOnly, "c"), named(t, namesOnly, "d")}
			told := stream(t, r, programs...)
			g.Expect(told).To(gomega.HaveLen(4))
			o := told["b"]
			g.Expect(o.Verdict).To(gomega.Equal(want.verdict), o.Message)
			g.Expect(o.Kind).To(gomega.Equal(want.kind), o.Message)
			g.Expect(o.Message).To(gomega.ContainSubstring(want.message))
			g.Expect(o.Failures()).To(gomega.Equal(2), "it was repeated in a fresh guest")
			for _, name := range []string{"a", "c", "d"} {
				g.Expect(told[name].Verdict).To(gomega.Equal(results.Pass), "%s: %s", name, told[name].Message)
			}
			g.Expect(opened).To(gomega.Equal(3))
			if fault == "stall" {
				g.Expect(o.Evidence).To(gomega.ContainElement(harness.Section{Name: "silence.txt", Text: interrogation}))
				g.Expect(o.Signature).To(gomega.Equal("the guest fell silent"))
			} else {
				g.Expect(sections(o)).NotTo(gomega.ContainElement("silence.txt"))
			}
			if fault == "panic" || fault == "choke" {
				g.Expect(sections(o)).To(gomega.ContainElement("console.txt"))
				g.Expect(o.Signature).To(gomega.Equal("gfs2_glock_nq < gfs2_fault < copy to user < gfs2_file_read_iter"))
			}
		})
	}
}

// Among a thousand programs some kill their guest. Every program has one verdict, and only those that kill have a bad one.
func TestDeathsAmongAThousand(t *testing.T) {
	g := gomega.NewWithT(t)
	var opened int
	r := guestRunner(t, guests(t.TempDir(), "dir:"+t.TempDir(), 0, &opened), harness.Options{Repeats: -1})
	var programs []*prog.Prog
	deaths := 0
	for i := range 1000 {
		name := fmt.Sprintf("proof/%d", i)
		if i%97 == 13 || i == 14 { // also two in a row
			programs = append(programs, deadly(t, "panic", name))
			deaths++
			continue
		}
		programs = append(programs, named(t, namesOnly, name))
	}
	told := stream(t, r, programs...)
	g.Expect(told).To(gomega.HaveLen(1000))
	for _, p := range programs {
		want := results.Pass
		if len(p.Doc) > 0 && strings.HasPrefix(p.Doc[0], "guest: ") {
			want = results.Crash
		}
		g.Expect(told[p.Name].Verdict).To(gomega.Equal(want), "%s: %s", p.Name, told[p.Name].Message)
	}
	g.Expect(opened).To(gomega.Equal(deaths + 1))
}

// What has failed in every run of two programs is run once in others, if it costs a guest.
func TestProvenDeathsAreNotRepeated(t *testing.T) {
	g := gomega.NewWithT(t)
	var opened int
	r := guestRunner(t, guests(t.TempDir(), "dir:"+t.TempDir(), 2*time.Second, &opened), harness.Options{Repeats: 4})
	told := stream(t, r, deadly(t, "panic", "a"), deadly(t, "panic", "b"), deadly(t, "panic", "c"))
	g.Expect(opened).To(gomega.Equal(1 + 3 + 3 + 1))
	for name, runs := range map[string]int{"a": 3, "b": 3, "c": 1} {
		o := told[name]
		g.Expect(o.Failures()).To(gomega.Equal(runs), name)
		g.Expect(strings.Contains(o.Message, "it was run once: others with this signature have failed in every run")).To(gomega.Equal(runs == 1), o.Message)
	}
}

// A guest that dies between two programs is replaced, and nobody is blamed.
func TestAGuestThatDiesIdle(t *testing.T) {
	g := gomega.NewWithT(t)
	var opened int
	r := guestRunner(t, guests(t.TempDir(), "dir:"+t.TempDir(), 0, &opened), harness.Options{Repeats: -1})
	for i := range 3 {
		g.Expect(r.Run(t.Context(), named(t, namesOnly, fmt.Sprint(i))).Verdict).To(gomega.Equal(results.Pass))
		r.Target().(*inGuest).guest.Close()
	}
	g.Expect(r.Run(t.Context(), derived(t, namesOnly)).Verdict).To(gomega.Equal(results.Pass))
	g.Expect(opened).To(gomega.Equal(4))
}

// Guests that die at once, one after the other, end the run: the target is lost.
func TestGuestsThatNeverLive(t *testing.T) {
	g := gomega.NewWithT(t)
	var opened int
	open := guests(t.TempDir(), "dir:"+t.TempDir(), 0, &opened)
	r, err := harness.NewRunner(t.Context(), func(ctx context.Context) (target.Target, error) {
		t, err := open(ctx)
		if err == nil {
			t.(*inGuest).guest.Close()
		}
		return t, err
	}, harness.Options{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer r.Close(context.Background())
	o := r.Run(t.Context(), derived(t, namesOnly))
	g.Expect(o.Verdict).To(gomega.Equal(results.Broken))
	g.Expect(o.Kind).To(gomega.Equal(results.InfraTargetLost))
	g.Expect(o.Message).To(gomega.ContainSubstring("machines in a row have died while no program ran: the guest is gone"))
}

// A guest whose workers cannot be stopped is no leak: it goes, and they with it.
func TestNoProcessOutlivesItsGuest(t *testing.T) {
	g := gomega.NewWithT(t)
	var opened int
	r, err := harness.NewRunner(t.Context(), guests(t.TempDir(), "dir:"+t.TempDir(), 0, &opened), harness.Options{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(r.Run(t.Context(), derived(t, namesOnly)).Verdict).To(gomega.Equal(results.Pass))
	pids := workersIn(r.Target().Dir())
	g.Expect(pids).To(gomega.HaveLen(1))
	pids = append(pids, r.Target().(*inGuest).guest.PID())
	g.Expect(r.Close(context.Background())).To(gomega.Succeed())
	for _, pid := range pids {
		g.Eventually(func() bool { return ended(pid) }, soon).Should(gomega.BeTrue(), "process %d", pid)
	}
	g.Expect(os.Getpid()).NotTo(gomega.BeElementOf(pids))
}
