package machine_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/machine"
	"faultline/harness/self"
	"faultline/harness/worker"
)

func init() {
	// A role that answers each line with itself, and complains at its end.
	self.Register("machine-test-echo", func(args []string) int {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			fmt.Println(args[0], lines.Text())
		}
		fmt.Fprint(os.Stderr, "the end")
		return 3
	})
}

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func TestSpawn(t *testing.T) {
	g := gomega.NewWithT(t)
	p, err := machine.Local{}.Spawn("machine-test-echo", "you said")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	fmt.Fprintln(p.Stdin(), "hello")
	fmt.Fprintln(p.Stdin(), "world")
	g.Expect(p.State()).To(gomega.Equal("it has not ended"))
	g.Expect(p.Stdin().Close()).To(gomega.Succeed())
	said, err := io.ReadAll(p.Stdout())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(said)).To(gomega.Equal("you said hello\nyou said world\n"))
	g.Eventually(p.Exited(), time.Minute).Should(gomega.BeClosed())
	g.Expect(p.State()).To(gomega.Equal("exit status 3"))
	g.Expect(p.Stderr()).To(gomega.Equal("the end"))
	p.Kill() // it is gone: nothing happens
}

func TestKilledProcess(t *testing.T) {
	g := gomega.NewWithT(t)
	p, err := machine.Local{}.Spawn("machine-test-echo", "")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	p.Kill()
	g.Eventually(p.Exited(), time.Minute).Should(gomega.BeClosed())
	g.Expect(p.State()).To(gomega.Equal("signal: killed"))
	said, err := io.ReadAll(p.Stdout())
	g.Expect(said, err).To(gomega.BeEmpty())
}

func TestWorkerOfThisMachine(t *testing.T) {
	g := gomega.NewWithT(t)
	w, err := machine.Local{}.StartWorker(worker.Config{Dir: t.TempDir()})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer w.Close()
	g.Expect(w.Begun()).To(gomega.BeZero())
	g.Expect(w.Send(7, "prog plain\nfile A = 'a'*1p\ncheck(A, 'a'*1p)\n")).To(gomega.Succeed())
	g.Eventually(w.Reports(), time.Minute).Should(gomega.Receive(gomega.HaveField("Seq", uint64(7))))
	g.Expect(w.Begun()).To(gomega.Equal(uint64(7)))
	s := machine.Local{}.Sample(machine.Subject{PID: w.PID(), Servers: []int{os.Getpid()}, NoDisks: true})
	g.Expect(s.Process.Tasks).NotTo(gomega.BeEmpty())
	g.Expect(s.Servers).To(gomega.HaveLen(1))
	g.Expect(s.Disks).To(gomega.BeEmpty())
	evidence := machine.Local{}.Evidence([]int{w.PID(), w.PID()}, []int{os.Getpid()})
	g.Expect(evidence[0].Name).To(gomega.Equal("processes.txt"))
	g.Expect(strings.Count(evidence[0].Text, fmt.Sprintf("process %d:", w.PID()))).To(gomega.Equal(1), "once each")
	g.Expect(evidence[0].Text).To(gomega.ContainSubstring(fmt.Sprintf("server of the target: process %d:", os.Getpid())))
}

func TestNoWorkerIsNoNilInAnInterface(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	mend := noDescriptors(t)
	w, err := machine.Local{}.StartWorker(worker.Config{Dir: dir})
	mend()
	g.Expect(err).To(gomega.HaveOccurred())
	g.Expect(w).To(gomega.BeNil())
}

func TestTailKeepsTheEnd(t *testing.T) {
	g := gomega.NewWithT(t)
	var o machine.Tail
	for range 100 {
		fmt.Fprint(&o, strings.Repeat("x", 1000))
	}
	fmt.Fprint(&o, "end")
	g.Expect(o.String()).To(gomega.HaveLen(64 << 10))
	g.Expect(o.String()).To(gomega.HaveSuffix("xend"))
}
