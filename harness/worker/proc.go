package worker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"faultline/harness/self"
)

// Config says where a worker works.
type Config struct {
	// Dir is a directory on the target. Every program gets a fresh directory there, named by its sequence number.
	Dir string
	// Other is a directory on another file system, for files declared "on other"; empty if there is none.
	Other string
	// Stalls is a mount of package demand: stalls are its files then. Empty means that they are memory of a userfaultfd.
	Stalls string
	// Ours says that the file system was mounted for the programs alone: they may freeze it and try to unmount it.
	Ours bool
}

// Proc is the parent's handle on one child. Its methods may be called from several goroutines.
type Proc struct {
	cmd      *exec.Cmd
	programs *os.File
	results  *os.File
	lifeline *os.File
	stderr   excerpt
	reports  chan Report
	// gone is closed when nobody wants reports any more, exited when the child was reaped, said when its standard error has ended.
	gone, exited, said chan struct{}
	closing            sync.Once

	mu     sync.Mutex
	table  *table // nil after Close
	exit   Exit
	reaped bool
}

// Start starts a child. The binary of the caller must call self.Dispatch first of all.
func Start(cfg Config) (*Proc, error) {
	cfg, err := cfg.absolute()
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	p := &Proc{reports: make(chan Report, 64), gone: make(chan struct{}), exited: make(chan struct{}), said: make(chan struct{})}
	if err := p.start(cfg); err != nil {
		return nil, fmt.Errorf("start worker in %s: %w", cfg.Dir, err)
	}
	return p, nil
}

func (c Config) absolute() (Config, error) {
	for _, path := range []*string{&c.Dir, &c.Other, &c.Stalls} {
		var err error
		if *path == "" && path != &c.Dir {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return c, err
		}
	}
	return c, nil
}

// args are the configuration as arguments of a process, argsConfig is the inverse.
func (c Config) args() []string {
	return []string{c.Dir, c.Other, c.Stalls, strconv.FormatBool(c.Ours)}
}

func argsConfig(args []string) Config {
	return Config{Dir: args[0], Other: args[1], Stalls: args[2], Ours: args[3] == "true"}
}

// start makes the pipes and the shared memory, and the child that inherits them.
func (p *Proc) start(cfg Config) (err error) {
	var theirs [4]*os.File
	var stderr, stderrWriter *os.File
	defer func() {
		for _, f := range append(theirs[:], stderrWriter) {
			f.Close()
		}
		if err != nil {
			p.release()
		}
	}()
	if theirs[programsFD-3], p.programs, err = os.Pipe(); err != nil {
		return err
	}
	if p.results, theirs[reportsFD-3], err = os.Pipe(); err != nil {
		return err
	}
	if theirs[lifelineFD-3], p.lifeline, err = os.Pipe(); err != nil {
		return err
	}
	if stderr, stderrWriter, err = os.Pipe(); err != nil {
		return err
	}
	fd, t, err := newTable()
	if err != nil {
		return err
	}
	p.table, theirs[tableFD-3] = t, os.NewFile(uintptr(fd), "table")

	p.cmd = self.Command(roleWorker, cfg.args()...)
	p.cmd.Env = append(p.cmd.Env, environment...)
	p.cmd.ExtraFiles = theirs[:]
	p.cmd.Stderr = stderrWriter
	// A process group of its own: Kill reaches the actors too, and ^C at a terminal does not.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		stderr.Close()
		return err
	}
	go func() {
		p.stderr.fill(stderr)
		close(p.said)
	}()
	go p.readReports()
	go p.reap()
	return nil
}

// release gives back what start made when there is no child.
func (p *Proc) release() {
	p.programs.Close()
	p.results.Close()
	p.lifeline.Close()
	if p.table != nil {
		p.table.unmap()
	}
}

// Send gives the child a program, under a number that no other program in the same directory has. Several may be under way; they are run in order.
// The program must be valid. Send blocks while the child has some 64 KiB of programs to read, until Kill or Close.
func (p *Proc) Send(seq uint64, text string) error {
	if _, err := p.programs.Write(frame(seq, text)); err != nil {
		return fmt.Errorf("send program %d to worker %d: %w", seq, p.PID(), err)
	}
	return nil
}

// Reports delivers a report for every program that was run to its end, in the order of Send. It is closed when there will be no more: after the
// child's end, at the latest a second after Kill.
func (p *Proc) Reports() <-chan Report { return p.reports }

func (p *Proc) readReports() {
	defer close(p.reports)
	defer p.results.Close()
	for {
		r, err := ReadReport(p.results)
		if err != nil {
			return
		}
		select {
		case p.reports <- r:
		case <-p.gone:
		}
	}
}

// PID is that of the child.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Exit says how the child ended.
type Exit struct {
	// Code is the exit code, -1 if a signal ended the child. Go's runtime exits with 2 when it cannot handle a signal; then the stderr
	// begins with the signal's name.
	Code int
	// Signal ended the child, 0 if none did.
	Signal syscall.Signal
}

func (e Exit) String() string {
	if e.Signal != 0 {
		return "killed by " + unix.SignalName(e.Signal)
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Exit returns how the child ended, or false if it has not, or nobody knows yet: see Exited.
func (p *Proc) Exit() (Exit, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit, p.reaped
}

// Exited is closed when the child has ended, was reaped, and Stderr is complete. A child that is stuck in the kernel may never end.
func (p *Proc) Exited() <-chan struct{} { return p.exited }

// Stderr is what the child and its actors wrote to their standard error, its first and last 4 KiB: a Go traceback after a crash.
func (p *Proc) Stderr() string { return p.stderr.String() }

// reap waits for the child. Before its number can be used again it kills the actors, which share the process group.
func (p *Proc) reap() {
	for {
		err := unix.Waitid(unix.P_PID, p.PID(), nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	_ = unix.Kill(-p.PID(), unix.SIGKILL) // no such process: there were no actors
	_ = p.cmd.Wait()                      // the state says it all
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	p.exit.Code = p.cmd.ProcessState.ExitCode()
	if status.Signaled() {
		p.exit.Signal = status.Signal()
	}
	p.reaped = true
	p.mu.Unlock()
	select { // its last words are part of how it ended
	case <-p.said:
	case <-time.After(patience): // somebody else has its standard error
	}
	close(p.exited)
}

// Kill sends SIGKILL to the child and its actors and returns at once. A child stuck in the kernel stays; it is reaped when it ends. Live and
// Events still tell what it was doing.
func (p *Proc) Kill() {
	p.programs.Close() // first, so that a Send that waits learns of us and not of a broken pipe
	p.mu.Lock()
	if !p.reaped {
		_ = unix.Kill(-p.PID(), unix.SIGKILL)
	}
	p.mu.Unlock()
	_ = p.results.SetReadDeadline(time.Now().Add(patience))
}

// patience is how long a killed child may take to close its pipes.
const patience = time.Second

// Close lets the child run what it was sent, waits for its end, kills it if that takes more than five seconds, and releases the handle. Reports that
// were not taken yet may be lost.
func (p *Proc) Close() {
	p.closing.Do(func() {
		p.programs.Close()
		close(p.gone)
		if !p.ended(5 * time.Second) {
			p.Kill()
			p.ended(patience)
		}
		p.lifeline.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.table.unmap()
		p.table = nil
	})
}

func (p *Proc) ended(within time.Duration) bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(within):
		return false
	}
}
