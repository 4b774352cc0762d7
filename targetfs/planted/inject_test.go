package planted_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/planted"
)

// seen are the faults that give wrong answers. That the programs say "right" without them, TestNothingIsWrongWithoutFault proves.
var seen = []struct{ spec, program, says string }{
	{"none", "read", "right"},
	{"corrupt-byte", "read", "wrong pages [0 1 2 3 4 5 6 7]"},
	{"corrupt-byte", "load", "wrong pages [0 1 2 3 4 5 6 7]"},
	{"corrupt-byte", "direct", "wrong pages [0 1 2 3 4 5 6 7]"},
	{"corrupt-byte,nth=3", "read", "wrong pages [2]"},
	{"corrupt-byte,each=8", "load", "wrong pages [7]"},
	{"tear-write", "write", "wrong pages [1]"},
	{"short-read,nth=2", "read", "6144 bytes, not 32768"},
	{"short-read", "direct", "2048 bytes, not 32768"},
	{"long-size", "stat", "size 5001, not 5000"},
	{"stale-tail", "grow", "wrong pages [0]"},
	{"stale-tail", "grow-write", "wrong pages [0]"},
	{"stale-tail", "grow-allocate", "wrong pages [0]"},
	{"stale-data", "overwrite", "wrong pages [0 1]"},
	{"eio", "read", "EIO"},
	{"eio", "direct", "EIO"},
	{"enospc", "write", "ENOSPC"},
	{"slow,delay=10ms", "read", "right"},
	{"keep-size", "read", "right"},
	{"keep-size", "grow", "right"},
}

func TestFaultIsSeen(t *testing.T) {
	for _, test := range seen {
		t.Run(test.spec+"/"+test.program, func(t *testing.T) {
			m := mounted(t, test.spec)
			gomega.NewWithT(t).Expect(m.use(t, test.program).says(t)).To(gomega.Equal(test.says))
		})
	}
}

// hangs are the faults that keep a program: each with one that it keeps, in which functions of the kernel, and one that it lets go.
var hangs = []struct{ spec, program, where, free string }{
	{"block-read", "read", reading, "write-only"},
	{"block-read", "direct", reading, "write-only"},
	{"block-read", "load", reading, "write-only"},
	{"block-write", "write", "request_wait_answer(?s:.*)fuse_(cache|file)_write_iter", "names-only"},
	{"block-fault", "load", faulting, "read"},
	{"block-fault", "self", faulting, "direct"},
	{"spin", "direct", reading, "write-only"},
	{"keep-lock", "self", faulting, "read"},
}

const (
	reading  = "request_wait_answer(?s:.*)fuse_(readahead|read_folio|direct_IO|direct_io)"
	faulting = "request_wait_answer(?s:.*)handle_mm_fault"
)

func TestFaultHangs(t *testing.T) {
	for _, test := range hangs {
		t.Run(test.spec+"/"+test.program, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m := mounted(t, test.spec)
			stuck := m.use(t, test.program)
			g.Eventually(stuck.stacks, patience).Should(gomega.MatchRegexp(test.where))
			// When others are served, the server has the request: from then on the kernel lets nobody kill the caller.
			for range 2 {
				g.Expect(m.use(t, test.free, "other").says(t)).To(gomega.Equal("right"), "the server serves others meanwhile")
				g.Expect(stuck.stacks()).To(gomega.MatchRegexp(test.where))
				g.Expect(stuck.ended).NotTo(gomega.BeClosed(), "SIGKILL does not free it")
				g.Expect(stuck.Process.Kill()).To(gomega.Succeed())
			}
			g.Expect(m.abort()).To(gomega.Succeed())
			g.Eventually(stuck.ended, patience).Should(gomega.BeClosed(), "abort frees it")
		})
	}
}

func TestSpinBurnsCPU(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "spin")
	m.use(t, "direct")
	start := m.server.cpu()
	g.Eventually(m.server.cpu, patience).Should(gomega.BeNumerically(">", start+20))
}

func TestSlowDelays(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "slow,delay=1h")
	g.Eventually(m.use(t, "direct").stacks, patience).Should(gomega.MatchRegexp(reading))
}

func TestDieEndsServer(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "die")
	g.Expect(m.use(t, "direct").says(t)).To(gomega.Equal("ECONNABORTED"))
	g.Eventually(m.server.ended, patience).Should(gomega.BeClosed())
	g.Expect(m.server.ProcessState.ExitCode()).To(gomega.Equal(1))
	g.Expect(m.use(t, "read").says(t)).To(gomega.ContainSubstring(unix.ENOTCONN.Error()))
}

func TestNthIsOnceForAllFilesEachIsOncePerFile(t *testing.T) {
	g := gomega.NewWithT(t)
	nth, each := mounted(t, "corrupt-byte,nth=10"), mounted(t, "corrupt-byte,each=2")
	for _, test := range []struct {
		m     *mount
		file  string
		wrong string
	}{
		{nth, "a", "right"}, {nth, "b", "wrong pages [1]"}, {nth, "c", "right"},
		{each, "a", "wrong pages [1]"}, {each, "b", "wrong pages [1]"},
	} {
		g.Expect(test.m.use(t, "read", test.file).says(t)).To(gomega.Equal(test.wrong), test.file)
	}
}

func TestRateHitsSomeAndRepeatsWithItsSeed(t *testing.T) {
	g := gomega.NewWithT(t)
	said := map[string]string{}
	for _, spec := range []string{"corrupt-byte,rate=3,seed=1", "corrupt-byte,rate=3,seed=2"} {
		for range 2 {
			m := mounted(t, spec)
			now := m.use(t, "read").says(t)
			g.Expect(now).To(gomega.HavePrefix("wrong pages "))
			g.Expect(strings.Fields(now)).NotTo(gomega.HaveLen(10), "all eight pages")
			if before, ok := said[spec]; ok {
				g.Expect(now).To(gomega.Equal(before))
			}
			said[spec] = now
		}
	}
	g.Expect(said["corrupt-byte,rate=3,seed=1"]).NotTo(gomega.Equal(said["corrupt-byte,rate=3,seed=2"]))
}

func TestEveryFaultIsShownToFire(t *testing.T) {
	shown := map[string]bool{planted.Slow: true, planted.Die: true}
	for _, test := range seen {
		shown[nameOf(test.spec)] = true
	}
	for _, test := range hangs {
		shown[nameOf(test.spec)] = true
	}
	for _, fault := range planted.Faults {
		gomega.NewWithT(t).Expect(shown).To(gomega.HaveKey(fault.Name), "no test shows it")
	}
}

func nameOf(spec string) string {
	name, _, _ := strings.Cut(spec, ",")
	return name
}

func TestSIGTERMUnmountsWhoeverIsStuck(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "block-read")
	stuck := m.use(t, "direct")
	g.Eventually(stuck.stacks, patience).Should(gomega.MatchRegexp(reading))
	m.terminate()
	g.Eventually(m.server.ended, patience).Should(gomega.BeClosed())
	g.Expect(m.server.ProcessState.ExitCode()).To(gomega.Equal(0))
	g.Expect(connection(m.dir)).To(gomega.BeEmpty(), "unmounted")
	g.Expect(stuck.says(t)).To(gomega.Equal("ECONNABORTED"))
}

func TestUmountAndAbortEndTheServer(t *testing.T) {
	for name, end := range map[string]func(*mount) error{
		"umount": func(m *mount) error { return unix.Unmount(m.dir, 0) },
		"abort":  (*mount).abort,
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m := mounted(t, "none")
			g.Expect(end(m)).To(gomega.Succeed())
			g.Eventually(m.server.ended, patience).Should(gomega.BeClosed())
			g.Expect(m.server.ProcessState.ExitCode()).To(gomega.Equal(0))
		})
	}
}

func TestServeSaysWhatItCouldNotMount(t *testing.T) {
	g := gomega.NewWithT(t)
	var ready bytes.Buffer
	err := planted.Serve("/nowhere/at/all", planted.Faults[0], &ready)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("mount planted file system (none) on /nowhere/at/all: ")))
	g.Expect(ready.String()).To(gomega.BeEmpty())
}
