package target

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/self"
)

// victimRole opens a target, says where, and waits to be killed.
const victimRole = "target-test-victim"

func init() {
	self.Register(victimRole, func(args []string) int {
		tg, err := Open(context.Background(), args[0], Options{Temp: args[1]})
		if err != nil {
			fmt.Println("error", err)
			return 1
		}
		fmt.Println(tg.Dir())
		select {}
	})
}

// startVictim returns the process and the folder that it made.
func startVictim(t *testing.T, spec, temp string) (*exec.Cmd, string) {
	t.Helper()
	g := gomega.NewWithT(t)
	cmd := self.Command(victimRole, spec, temp)
	out, err := cmd.StdoutPipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(cmd.Start()).To(gomega.Succeed())
	t.Cleanup(func() { cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(line).To(gomega.HavePrefix("/"))
	return cmd, line[:len(line)-1]
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	g := gomega.NewWithT(t)
	g.Expect(cmd.Process.Kill()).To(gomega.Succeed())
	cmd.Wait()
}

func TestSweepRemovesWhatADeadRunLeft(t *testing.T) {
	for _, spec := range []string{"loop:ext4", "tmpfs:", "overlay:loop:xfs", "planted:none", "planted:block-read"} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			open(t, spec).Close(t.Context()) // skips if it is missing here
			temp := t.TempDir()
			victim, _ := startVictim(t, spec, temp)
			g.Expect(Sweep(t.Context(), temp)).To(gomega.BeEmpty(), "its owner lives")
			kill(t, victim)

			left := glob(t, filepath.Join(temp, homePrefix+"*"))
			g.Expect(left).NotTo(gomega.BeEmpty())
			gone, err := Sweep(t.Context(), temp, "/dev/shm")
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(gone).To(gomega.ContainElements(left))
			expectNothingLeft(t, temp)
			expectNoProcess(t, "faultline-"+plantedRole, temp)
		})
	}
}

// expectNoProcess looks for a process with two words on its command line, for instance a server in a folder.
func expectNoProcess(t *testing.T, words ...string) {
	t.Helper()
	gomega.NewWithT(t).Eventually(func() []string {
		var found []string
		for _, file := range glob(t, "/proc/[0-9]*/cmdline") {
			text, _ := os.ReadFile(file)
			matches := len(text) > 0
			for _, w := range words {
				matches = matches && len(grep(string(text), w)) > 0
			}
			if matches {
				found = append(found, file)
			}
		}
		return found
	}, 10*time.Second, 20*time.Millisecond).Should(gomega.BeEmpty())
}

func TestOpenSweepsWhereItGoes(t *testing.T) {
	g := gomega.NewWithT(t)
	dir, temp := t.TempDir(), t.TempDir()
	victim, left := startVictim(t, "dir:"+dir, temp)
	kill(t, victim)
	g.Expect(left).To(gomega.BeADirectory())
	tg, err := Open(t.Context(), "dir:"+dir, Options{Temp: temp})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(left).NotTo(gomega.BeADirectory())
	g.Expect(tg.Close(t.Context())).To(gomega.Succeed())
	expectNothingLeft(t, temp)
}

func TestSweepLeavesTheRest(t *testing.T) {
	g := gomega.NewWithT(t)
	base := t.TempDir()
	dead, err := us()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	dead.PID = 1 << 30
	h, err := makeHome(base, dead)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	living, err := us()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	mine, err := makeHome(base, living)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for _, name := range []string{"faultline-nosentinel", "other"} {
		g.Expect(os.Mkdir(filepath.Join(base, name), 0o700)).To(gomega.Succeed())
	}
	// A folder of another name is not ours even if it holds a sentinel.
	g.Expect(os.WriteFile(filepath.Join(base, "other", sentinelName), []byte(h.Mark.text()), 0o600)).To(gomega.Succeed())
	g.Expect(os.Symlink(h.Path, filepath.Join(base, "faultline-link"))).To(gomega.Succeed())

	g.Expect(Sweep(t.Context(), base)).To(gomega.Equal([]string{h.Path}))
	for _, path := range []string{mine.Path, filepath.Join(base, "faultline-nosentinel"), filepath.Join(base, "other", sentinelName)} {
		g.Expect(path).To(gomega.BeAnExistingFile())
	}
}

func TestSweepLeavesWhatAnotherUserMade(t *testing.T) {
	g := gomega.NewWithT(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	base := t.TempDir()
	dead, err := us()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	dead.PID = 1 << 30
	h, err := makeHome(base, dead)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(os.Chown(h.Path, 65534, 65534)).To(gomega.Succeed())
	g.Expect(Sweep(t.Context(), base)).To(gomega.BeEmpty())
	g.Expect(h.Path).To(gomega.BeADirectory())
}

func TestSweepSaysWhatItCannotDo(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := Sweep(t.Context(), "/no/such")
	g.Expect(err).To(gomega.MatchError("sweep: open /no/such: no such file or directory"))
}
