// Package fakeguest is a guest for tests: the agent as a child process on this machine, which dies as a kernel would when a program says so. It
// imports harness/machine with agent and remote, harness/self, harness/watch and the standard library.
//
// A program says so in a comment before its first line, "# guest: panic". The ways to go wrong are the rows of [Faults].
//
//	g, err := fakeguest.Start(ctx, remote.Options{Silence: 2 * time.Second})
//	defer g.Close()
//	w, err := g.Machine.StartWorker(worker.Config{Dir: dir})
package fakeguest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"faultline/harness/machine"
	"faultline/harness/machine/agent"
	"faultline/harness/machine/remote"
	"faultline/harness/machine/wire"
	"faultline/harness/self"
	"faultline/harness/watch"
)

const (
	role      = "fake-guest"
	channelFD = 3
	// mark begins the comment of a program that says what goes wrong.
	mark = "# guest: "
)

func init() { self.Register(role, main) }

// Fault is a way to go wrong.
type Fault struct{ Name, Doc string }

// Faults are what a program can ask for.
var Faults = []Fault{
	{"panic", "the kernel panics: its last words are on the console, then it is gone"},
	{"vanish", "the guest ends without a word"},
	{"killed", "somebody outside kills the guest"},
	{"stall", "the guest says nothing any more, but is there"},
	{"tear", "the channel loses bytes in the middle of a frame"},
	{"warn", "the kernel complains and goes on"},
}

// panicText is what User Mode Linux 5.10 prints when gfs2 meets itself, cut short.
const panicText = `gfs2: fsid=ubda.0: original: gfs2_file_read_iter+0x152/0x1b7 [gfs2]
gfs2: fsid=ubda.0: new: gfs2_fault+0x39/0xab [gfs2]
BUG: failure at fs/gfs2/glock.c:1401/add_to_queue()!
Kernel panic - not syncing: BUG!
Call Trace:
 [<60a6202d>] panic+0x18c/0x3bb
 [<a554d595>] gfs2_glock_nq+0xed/0x387 [gfs2]
 [<a55571da>] gfs2_fault+0x49/0xab [gfs2]
 [<60584f54>] handle_mm_fault+0xc2/0x18e
 [<60494018>] raw_copy_to_user+0x53/0x55
 [<a5555e15>] gfs2_file_read_iter+0x173/0x1b7 [gfs2]
`

// warnText is what a warning leaves in the kernel log.
const warnText = "WARNING: CPU: 0 PID: 1 at fs/inode.c:300 drop_nlink+0x1/0x2"

// Guest is a guest that runs, or ran.
type Guest struct {
	Machine *remote.Machine

	cmd     *exec.Cmd
	console machine.Tail
	exited  chan struct{}
}

// Start starts a guest. Of opts, what is known of a guest from outside is filled in.
func Start(ctx context.Context, opts remote.Options) (*Guest, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("start a guest: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "channel"), os.NewFile(uintptr(fds[1]), "channel")
	defer theirs.Close()
	g := &Guest{cmd: self.Command(role), exited: make(chan struct{})}
	g.cmd.ExtraFiles, g.cmd.Stderr = []*os.File{theirs}, &g.console
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start a guest: %w", err)
	}
	go func() {
		_ = g.cmd.Wait() // the state says it all
		close(g.exited)
	}()
	opts.PID, opts.Exited, opts.Console = g.PID(), g.exited, g.console.String
	opts.How = func() string { return g.cmd.ProcessState.String() }
	if g.Machine, err = remote.Dial(ctx, ours, opts); err != nil {
		g.cmd.Process.Kill()
		<-g.exited
		return nil, fmt.Errorf("start a guest: %w; it says: %s", err, g.console.String())
	}
	return g, nil
}

// PID is that of the guest on this machine.
func (g *Guest) PID() int { return g.cmd.Process.Pid }

// Close ends the guest, whatever it does, and waits for its end.
func (g *Guest) Close() {
	_ = g.Machine.Close() // it cannot fail
	_ = g.cmd.Process.Kill()
	<-g.exited
}

func main([]string) int {
	unix.CloseOnExec(channelFD)
	channel := os.NewFile(channelFD, "channel")
	log := &madeUpLog{}
	opts := agent.Options{Log: log, Before: func(text string) { misbehave(text, channel, log) }}
	err := agent.Serve(channel, opts)
	dying.Lock()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake guest:", err)
		return 1
	}
	return 0
}

// dying is held by who will end the process.
var dying sync.Mutex

// misbehave does what the program wants.
func misbehave(text string, channel *os.File, log *madeUpLog) {
	_, rest, found := strings.Cut(text, mark)
	if !found {
		return
	}
	fault, _, _ := strings.Cut(rest, "\n")
	switch fault {
	case "panic":
		fmt.Fprint(os.Stderr, panicText)
		os.Exit(1)
	case "choke":
		dying.Lock()
		_, _ = channel.Write(wire.Frame{Kind: wire.Log, Body: make([]byte, 100)}.Append(nil)[:50]) // the host sees less of it then
		_ = unix.Shutdown(channelFD, unix.SHUT_RDWR)                                               // as above
		time.Sleep(300 * time.Millisecond)                                                         // a console is slow
		fmt.Fprint(os.Stderr, panicText)
		os.Exit(1)
	case "vanish":
		os.Exit(0)
	case "killed":
		signal(unix.SIGKILL)
	case "stall":
		signal(unix.SIGSTOP)
	case "tear":
		_, _ = channel.WriteString("printk: this is no frame, and nobody said that it would be one") // then it has ended already
	case "warn":
		log.add(warnText)
	}
}

// signal sends a signal to this process and never comes back: another thread may get it first.
func signal(s unix.Signal) {
	_ = unix.Kill(os.Getpid(), s) // it cannot fail
	select {}
}

// madeUpLog is a kernel log that says what it is told: user space cannot write into the kernel's facility of the real one.
type madeUpLog struct {
	mu    sync.Mutex
	lines []watch.Line
}

func (l *madeUpLog) add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, watch.Line{Seq: uint64(len(l.lines) + 1), Level: 4, Text: text})
}

func (l *madeUpLog) Mark() watch.Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return watch.Mark(len(l.lines))
}

func (l *madeUpLog) Since(mark watch.Mark) ([]watch.Line, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]watch.Line(nil), l.lines[mark:]...), true
}

func (l *madeUpLog) Close() error { return nil }
