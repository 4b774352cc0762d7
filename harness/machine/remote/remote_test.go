package remote_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/machine"
	"faultline/harness/machine/fakeguest"
	"faultline/harness/machine/remote"
	"faultline/harness/self"
	"faultline/harness/worker"
)

// soon is for what happens within a second on an idle machine.
const soon = time.Minute

func init() {
	self.Register("remote-test-echo", func(args []string) int {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			fmt.Println(args[0], lines.Text())
		}
		fmt.Fprint(os.Stderr, "the end")
		return 3
	})
	// A role that fills its output and reads nothing.
	self.Register("remote-test-flood", func([]string) int {
		for {
			if _, err := fmt.Println(strings.Repeat("x", 1000)); err != nil {
				return 0
			}
		}
	})
}

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func guest(t *testing.T, opts remote.Options) *fakeguest.Guest {
	t.Helper()
	g, err := fakeguest.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

const plain = "prog plain\nfile A = 'a'*1p\ncheck(A, 'a'*1p)\n"

func startWorker(t *testing.T, m machine.Machine) machine.Worker {
	t.Helper()
	w, err := m.StartWorker(worker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func receive(t *testing.T, w machine.Worker) worker.Report {
	t.Helper()
	select {
	case r, alive := <-w.Reports():
		if !alive {
			t.Fatal("there are no more reports")
		}
		return r
	case <-time.After(soon):
		t.Fatal("there is no report")
	}
	return worker.Report{}
}

func TestFactsOfAGuest(t *testing.T) {
	g := gomega.NewWithT(t)
	m := guest(t, remote.Options{}).Machine
	g.Expect(m.Facts().Kernel).To(gomega.Equal(machine.Local{}.Facts().Kernel))
	g.Expect(m.Facts().Slowdown).To(gomega.BeNumerically(">=", 1))
	g.Expect(m.Death()).To(gomega.BeNil())
}

func TestProgramsRunInTheGuest(t *testing.T) {
	g := gomega.NewWithT(t)
	w := startWorker(t, guest(t, remote.Options{}).Machine)
	for seq := range uint64(50) {
		g.Expect(w.Send(seq+1, plain)).To(gomega.Succeed())
	}
	for seq := range uint64(50) {
		r := receive(t, w)
		g.Expect(r.Seq).To(gomega.Equal(seq + 1))
		g.Expect(r.Passed()).To(gomega.BeTrue())
		g.Expect(r.Ran).To(gomega.Equal(1))
	}
	g.Expect(w.Begun()).To(gomega.Equal(uint64(50)))
	events := w.Events(50)
	g.Expect(events).To(gomega.HaveLen(6), "set-up, a step, clean-up")
	g.Expect(events[0].Time).To(gomega.BeTemporally("~", time.Now(), soon))

	g.Expect(w.Send(51, "prog wrong\nfile A = 'a'*1p\ncheck(A, 'b'*1p)\n")).To(gomega.Succeed())
	g.Expect(receive(t, w).Failure.Data).NotTo(gomega.BeNil())
	w.Close()
	g.Eventually(w.Exited(), soon).Should(gomega.BeClosed())
	g.Eventually(w.Reports(), soon).Should(gomega.BeClosed())
}

// A program that waits for a FIFO without a writer is seen at its step, sampled, and killed.
func TestAStepInProgressIsSeen(t *testing.T) {
	g := gomega.NewWithT(t)
	m := guest(t, remote.Options{}).Machine
	w := startWorker(t, m)
	g.Expect(syscall.Kill(w.PID(), syscall.SIGSTOP)).To(gomega.Succeed())
	g.Eventually(func() string { return m.Sample(machine.Subject{PID: w.PID()}).Process.Tasks[0].State }, soon).Should(gomega.Equal("T"))
	g.Expect(w.Send(1, plain)).To(gomega.Succeed())
	g.Eventually(w.Begun, soon).Should(gomega.Equal(uint64(1)))
	s := m.Sample(machine.Subject{PID: w.PID(), Servers: []int{os.Getpid()}, NoDisks: true})
	g.Expect(s.Problem).To(gomega.BeEmpty())
	g.Expect(time.Since(s.At)).To(gomega.BeNumerically("<", soon))
	g.Expect(s.Servers).To(gomega.HaveLen(1))
	evidence := m.Evidence([]int{w.PID()}, nil)
	g.Expect(evidence[0].Text).To(gomega.ContainSubstring(fmt.Sprintf("process %d: faultline-worker", w.PID())))
	w.Kill()
	g.Eventually(w.Exited(), soon).Should(gomega.BeClosed())
	exit, known := w.Exit()
	g.Expect(known).To(gomega.BeTrue())
	g.Expect(exit.Signal).To(gomega.Equal(syscall.SIGKILL))
	g.Eventually(w.Reports(), soon).Should(gomega.BeClosed())
}

func TestRolesRunInTheGuest(t *testing.T) {
	g := gomega.NewWithT(t)
	m := guest(t, remote.Options{}).Machine
	p, err := m.Spawn("remote-test-echo", "you said")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	go func() {
		fmt.Fprint(p.Stdin(), strings.Repeat("hello\n", 100_000)) // more than a window
		p.Stdin().Close()
	}()
	said, err := io.ReadAll(p.Stdout())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(said)).To(gomega.Equal(strings.Repeat("you said hello\n", 100_000)))
	g.Eventually(p.Exited(), soon).Should(gomega.BeClosed())
	g.Expect(p.State()).To(gomega.Equal("exit status 3"))
	g.Expect(p.Stderr()).To(gomega.Equal("the end"))
	_, err = p.Stdin().Write([]byte("x"))
	g.Expect(err).To(gomega.MatchError(os.ErrClosed))
}

// A stream that nobody reads keeps nobody else waiting.
func TestAFloodBlocksNobody(t *testing.T) {
	g := gomega.NewWithT(t)
	m := guest(t, remote.Options{}).Machine
	flood, err := m.Spawn("remote-test-flood")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	w := startWorker(t, m)
	for seq := range uint64(20) {
		g.Expect(w.Send(seq+1, plain)).To(gomega.Succeed())
		g.Expect(receive(t, w).Passed()).To(gomega.BeTrue())
	}
	flood.Kill()
	n, err := io.Copy(io.Discard, flood.Stdout())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(n).To(gomega.BeNumerically(">", 100<<10))
	g.Eventually(flood.Exited(), soon).Should(gomega.BeClosed())
	g.Expect(flood.State()).To(gomega.Equal("signal: killed"))
}

func TestErrorsComeFromTheGuest(t *testing.T) {
	g := gomega.NewWithT(t)
	m := guest(t, remote.Options{}).Machine
	_, err := m.StartWorker(worker.Config{Dir: "/no/such/folder"})
	if err == nil {
		t.Skip("a worker starts anywhere")
	}
	g.Expect(err).To(gomega.MatchError(gomega.HavePrefix("start worker in /no/such/folder of the guest: ")))
}

// However a guest ends, whoever waits for it is told how.
func TestDeaths(t *testing.T) {
	for fault, want := range map[string]struct {
		how             string
		silent, outside bool
	}{
		"panic":  {"it has ended (exit status 1)", false, false},
		"vanish": {"it has ended (exit status 0)", false, false},
		"killed": {"it has ended (signal: killed)", false, true},
		"stall":  {"it has said nothing for 2s", true, false},
		"tear":   {"read from the channel: the channel has torn a frame: its length is 1852404336", false, false},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			// What a silent guest says when it is asked is panic enough, and all the same no word of its own.
			answer := "Kernel panic - not syncing: NMI: Not continuing"
			m := guest(t, remote.Options{Silence: 2 * time.Second, Interrogate: func([]int) string { return answer }}).Machine
			w := startWorker(t, m)
			p, err := m.Spawn("remote-test-echo", "")
			g.Expect(err).NotTo(gomega.HaveOccurred())
			read := make(chan error, 1)
			go func() { _, err := io.ReadAll(p.Stdout()); read <- err }()

			g.Expect(w.Send(1, plain)).To(gomega.Succeed())
			receive(t, w)
			g.Expect(w.Send(2, "# guest: "+fault+"\n"+plain)).To(gomega.Succeed())
			g.Expect(w.Send(3, plain)).To(gomega.Succeed())
			for range w.Reports() {
				g.Expect(fault).To(gomega.Equal("tear"), "only there the worker lives")
			}
			g.Expect(w.Begun()).To(gomega.BeNumerically(">=", 2))
			if fault != "tear" {
				g.Expect(w.Begun()).To(gomega.Equal(uint64(2)), "the third program was never begun")
			}
			death := m.Death()
			g.Expect(death).NotTo(gomega.BeNil())
			g.Expect(death.How).To(gomega.HavePrefix(want.how))
			g.Expect(death.Silent).To(gomega.Equal(want.silent))
			g.Expect(death.Outside).To(gomega.Equal(want.outside))
			g.Expect(death.Interrogation == answer).To(gomega.Equal(want.silent), "nobody else is asked")
			g.Expect(death.Console).NotTo(gomega.ContainSubstring(answer))
			if fault == "panic" {
				g.Expect(death.Console).To(gomega.ContainSubstring("Kernel panic - not syncing: BUG!"))
			}
			g.Eventually(read, soon).Should(gomega.Receive(gomega.HaveOccurred()))
			g.Eventually(p.Exited(), soon).Should(gomega.BeClosed())
			g.Expect(w.Send(4, plain)).NotTo(gomega.Succeed())
			g.Expect(w.Events(2)).To(gomega.BeEmpty())
			_, err = m.StartWorker(worker.Config{Dir: "/"})
			var gone *machine.Death
			g.Expect(errors.As(err, &gone)).To(gomega.BeTrue(), "%v", err)
			_, err = m.Spawn("remote-test-echo", "")
			g.Expect(errors.As(err, &gone)).To(gomega.BeTrue(), "%v", err)
			g.Expect(m.Sample(machine.Subject{PID: 1}).Problem).To(gomega.ContainSubstring("the guest is gone"))
			g.Expect(m.Evidence([]int{1}, nil)[0].Text).To(gomega.ContainSubstring("the guest is gone"))
		})
	}
}

// What the kernel says of a program is there before its report.
func TestTheKernelLogComesFirst(t *testing.T) {
	g := gomega.NewWithT(t)
	m := guest(t, remote.Options{}).Machine
	w, log := startWorker(t, m), m.OpenLog()
	for seq := range uint64(20) {
		mark := log.Mark()
		g.Expect(w.Send(seq+1, "# guest: warn\n"+plain)).To(gomega.Succeed())
		receive(t, w)
		lines, complete := log.Since(mark)
		g.Expect(complete).To(gomega.BeTrue())
		g.Expect(lines).To(gomega.HaveExactElements(gomega.HaveField("Text", gomega.HavePrefix("WARNING: "))))
	}
}

func TestAnAgentThatDoesNotCome(t *testing.T) {
	g := gomega.NewWithT(t)
	for name, channel := range map[string]io.ReadWriteCloser{"an end": &ended{}, "noise": &ended{text: "login: \n, and some more than a head"}} {
		_, err := remote.Dial(t.Context(), channel, remote.Options{})
		g.Expect(err).To(gomega.MatchError(gomega.HavePrefix("reach the agent in the guest: read from the channel: ")), name)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err := remote.Dial(ctx, newSilentChannel(t), remote.Options{})
	g.Expect(err).To(gomega.MatchError("reach the agent in the guest: enough"))
}

// ended is a channel that ends after some text.
type ended struct{ text string }

func (e *ended) Read(b []byte) (int, error) {
	n := copy(b, e.text)
	if e.text = e.text[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
func (e *ended) Write(b []byte) (int, error) { return len(b), nil }
func (e *ended) Close() error                { return nil }

// newSilentChannel is a pipe whose other end nobody has.
func newSilentChannel(t *testing.T) io.ReadWriteCloser {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return struct {
		io.Reader
		io.Writer
		io.Closer
	}{r, io.Discard, r}
}
