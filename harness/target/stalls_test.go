package target

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/demand"
)

// needFUSE skips where no FUSE file can be a stall.
func needFUSE(t *testing.T) {
	t.Helper()
	skipMissing(t, missing("fuse", lacksFuse(), lacksType("fuse")))
}

func TestStallsAreUserfaultfdsWhereThereIsOne(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "dir:"+t.TempDir())
	if why := tg.Lacks("userfaultfd"); why != "" {
		t.Skip(why)
	}
	g.Expect(tg.Lacks("stall")).To(gomega.BeEmpty())
	g.Expect(tg.Stalls()).To(gomega.BeEmpty())
	g.Expect(tg.Mount().Stalls).To(gomega.Equal(WithUserfaultfd))
}

func TestStallsAreFilesWhereThatIsAskedFor(t *testing.T) {
	needFUSE(t)
	t.Setenv(StallWithEnv, WithFUSE)
	for _, spec := range []string{"dir:" + t.TempDir(), "planted:none", "overlay:tmpfs:"} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			tg := open(t, spec) // and close leaves nothing behind
			g.Expect(tg.Mount().Stalls).To(gomega.Equal(WithFUSE))
			g.Expect(tg.Lacks("stall")).To(gomega.BeEmpty())
			g.Expect(tg.Lacks("stall-poison")).To(gomega.BeEmpty())
			g.Expect(tg.Lacks("userfaultfd")).To(gomega.HavePrefix("userfaultfd: "))
			g.Expect(tg.Lacks("uffd-wp")).To(gomega.HavePrefix("uffd-wp: "))
			var st unix.Statfs_t
			g.Expect(unix.Statfs(tg.Stalls(), &st)).To(gomega.Succeed())
			g.Expect(st.Type).To(gomega.BeEquivalentTo(unix.FUSE_SUPER_MAGIC))
			g.Expect(tg.Check(t.Context())).To(gomega.Succeed())
			g.Expect(tg.Close(t.Context())).To(gomega.Succeed())
			expectNoProcess(t, "faultline-"+demand.Role, tg.Stalls())
		})
	}
}

func TestAWayToStallMustBeKnown(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := Open(t.Context(), "dir:"+t.TempDir(), Options{StallWith: "luck"})
	var usage *UsageError
	g.Expect(errors.As(err, &usage)).To(gomega.BeTrue(), "%v", err)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(`no way to stall with "luck"`)))
}

// When the server dies it is our side that fails, and not the file system.
func TestCheckSeesTheServerOfStallsDie(t *testing.T) {
	needFUSE(t)
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	tg, err := Open(t.Context(), "dir:"+temp, Options{Temp: temp, StallWith: WithFUSE})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(unix.Kill(tg.(*local).stallServer.PID(), unix.SIGKILL)).To(gomega.Succeed())
	var unfit *Unfit
	g.Eventually(func() bool { return errors.As(tg.Check(t.Context()), &unfit) }, 10*time.Second).Should(gomega.BeTrue())
	g.Expect(unfit.Cause).To(gomega.Equal(Vanished))
	g.Expect(unfit.Detail).To(gomega.Equal("the server of the files that stalls are has ended: signal: killed"))
	g.Expect(tg.Close(t.Context())).To(gomega.MatchError(gomega.ContainSubstring("end the server of stalls: the server ended with signal: killed")))
	expectNothingLeft(t, temp)
}

// A run that is killed takes its server along; what is left is swept.
func TestSweepRemovesTheMountOfStalls(t *testing.T) {
	needFUSE(t)
	g := gomega.NewWithT(t)
	t.Setenv(StallWithEnv, WithFUSE)
	temp := t.TempDir()
	victim, dir := startVictim(t, "dir:"+temp, temp)
	kill(t, victim)
	expectNoProcess(t, "faultline-"+demand.Role, temp)
	_, err := Sweep(t.Context(), temp, "/dev/shm")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(filepath.Dir(dir)).To(gomega.Equal(temp))
	g.Expect(os.ReadDir(temp)).To(gomega.BeEmpty())
	expectNothingLeft(t, temp)
}

// A server that is killed with its owner leaves a dead mount, which the sweep removes.
func TestSweepRemovesADeadMountOfStalls(t *testing.T) {
	needFUSE(t)
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	dead, err := us()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	dead.PID = 1 << 30
	h, err := makeHome(temp, dead)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	point := filepath.Join(h.Path, "stalls")
	g.Expect(os.Mkdir(point, 0o700)).To(gomega.Succeed())
	s, err := startServer(t.Context(), defaultPatience, demand.Role, point)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	s.Kill()
	g.Expect(waitFor(s.Exited(), 10*time.Second)).To(gomega.BeTrue())
	_, err = os.ReadDir(point)
	g.Expect(err).To(gomega.MatchError(unix.ENOTCONN))
	g.Expect(Sweep(t.Context(), temp)).To(gomega.ConsistOf(h.Path))
	expectNothingLeft(t, temp)
}
