package machine

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/harness/watch"
	"faultline/harness/worker"
)

// Local is this machine.
type Local struct{}

// Facts of this machine.
func (Local) Facts() Facts { return Facts{Kernel: kernelRelease(), Slowdown: 1} }

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// StartWorker starts a child of ours.
func (Local) StartWorker(cfg worker.Config) (Worker, error) {
	p, err := worker.Start(cfg)
	if err != nil {
		return nil, err // not a nil *Proc in an interface
	}
	return p, nil
}

// Sample reads /proc.
func (Local) Sample(of Subject) watch.Sample {
	s := watch.Sampler{PID: of.PID, Servers: of.Servers}
	if of.NoDisks {
		s.Disks = func() (map[string]watch.Disk, error) { return map[string]watch.Disk{}, nil }
	}
	return s.Sample()
}

// OpenLog reads /dev/kmsg.
func (Local) OpenLog() Log { return watch.OpenKernelLog() }

// Death never comes as long as we live.
func (Local) Death() *Death { return nil }

// Spawn starts a child of ours.
func (Local) Spawn(role string, args ...string) (Process, error) {
	p := &process{cmd: self.Command(role, args...), exited: make(chan struct{})}
	p.cmd.Dir = "/" // never on a file system under test
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = &p.said
	p.cmd.WaitDelay = time.Second // for those who have inherited its stderr
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start our own binary as %s: %w", role, err)
	}
	return p, nil
}

// process is a child.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	said   Tail
	exited chan struct{}
}

// start makes the pipes and the child. The pipes are ours: Wait must not close what somebody still reads.
func (p *process) start() error {
	in, stdin, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	stdout, out, err := os.Pipe()
	if err != nil {
		stdin.Close()
		return err
	}
	defer out.Close()
	p.cmd.Stdin, p.cmd.Stdout, p.stdin, p.stdout = in, out, stdin, stdout
	if err := p.cmd.Start(); err != nil {
		stdin.Close()
		stdout.Close()
		return err
	}
	go func() {
		_ = p.cmd.Wait() // the state says it all; it never returns for a child that is stuck in the kernel
		close(p.exited)
	}()
	return nil
}

func (p *process) PID() int                { return p.cmd.Process.Pid }
func (p *process) Stdin() io.WriteCloser   { return p.stdin }
func (p *process) Stdout() io.Reader       { return (*untilEnd)(p.stdout) }
func (p *process) Stderr() string          { return p.said.String() }
func (p *process) Exited() <-chan struct{} { return p.exited }
func (p *process) Kill()                   { _ = p.cmd.Process.Kill() } // it has ended already

func (p *process) State() string {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.String()
	default:
		return "it has not ended"
	}
}

// untilEnd closes a file once it was read to its end.
type untilEnd os.File

func (f *untilEnd) Read(b []byte) (int, error) {
	n, err := (*os.File)(f).Read(b)
	if err != nil {
		(*os.File)(f).Close()
	}
	return n, err
}
