package guest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"faultline/harness/guest/kernels"
	"faultline/harness/guest/pid1"
	"faultline/harness/self"
	"faultline/harness/watch"
)

// Guest is a kernel that runs, or ran. Its methods may be called from several goroutines.
type Guest struct {
	hello   pid1.Hello
	boot    time.Duration
	folder  folder
	channel Channel
	console *Console
	kind    kernels.Kind

	keeper *exec.Cmd // a process between us and the guest
	lease  io.WriteCloser
	said   *json.Decoder
	exited chan struct{} // closed when the guest has ended
	how    string        // how the guest ended; read after exited
	pid    int           // of the guest on this machine
	memory *os.File      // nil if it cannot be had
	once   sync.Once
}

// Channel is the way to the agent.
type Channel interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// machine is how a guest is started. Paths of the guest's own files are relative to its folder.
type machine struct {
	order   keepOrder
	theirs  []*os.File // from descriptor 3 on
	channel Channel
}

// close gives the channel back.
func (m *machine) close() {
	for _, f := range m.theirs {
		f.Close()
	}
	m.channel.Close()
}

// machine makes the channel of a guest.
func (s Spec) machine() (machine, error) {
	make := umlMachine
	if s.Kernel.Kind == kernels.BzImage {
		make = qemuMachine
	}
	m, err := make(s)
	m.order.FDs = len(m.theirs)
	return m, err
}

// Start boots a guest, has it mount what the order says, and returns when its agent has the channel. The error is an *Error if the kernel did not
// come up or could not mount.
func Start(ctx context.Context, s Spec) (*Guest, error) {
	s, err := s.filled()
	if err != nil {
		return nil, fmt.Errorf("start a guest: %w", err)
	}
	began := time.Now()
	start := func() (*Guest, error) { return launch(s) }
	if s.Kernel.Kind == kernels.BzImage {
		start = func() (*Guest, error) { return launchQEMU(ctx, s) }
	}
	g, err := start()
	if err != nil {
		return nil, fmt.Errorf("start a guest: %w", err)
	}
	if err := g.greet(ctx, s); err != nil {
		g.Kill()
		waitFor(g.console.Done(), consolePatience) // then the last words are there
		defer g.Close()
		_, refused := errors.AsType[refusal](err)
		return nil, &Error{What: "start a guest", Err: err, Console: g.console.Text(), Refused: refused}
	}
	if g.kind == kernels.UML {
		noteLoops(s.Kernel.Linux, g.console.Text())
	}
	g.memory = openMemory(g.pid, s.Memory)
	g.boot = time.Since(began)
	return g, nil
}

// launch starts the keeper, puts the disks into its folder, and has it start the guest.
func launch(s Spec) (*Guest, error) {
	m, err := s.machine()
	if err != nil {
		return nil, err
	}
	console, theirConsole, err := os.Pipe()
	if err != nil {
		m.close()
		return nil, err
	}
	g := &Guest{channel: m.channel, kind: s.Kernel.Kind, exited: make(chan struct{})}
	err = g.startKeeper(s.Temp, append(m.theirs, theirConsole))
	if err != nil {
		return nil, errors.Join(err, m.channel.Close(), console.Close())
	}
	g.console = follow(console)
	if err := g.prepare(s, m.order); err != nil {
		g.lease.Close()
		g.channel.Close()
		return nil, errors.Join(err, g.keeper.Wait())
	}
	go g.listen()
	return g, nil
}

// startKeeper starts the keeper with the guest's descriptors; the last one becomes its standard error.
func (g *Guest) startKeeper(temp string, theirs []*os.File) (err error) {
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	last := len(theirs) - 1
	g.keeper = self.Command(keeperRole, temp)
	g.keeper.Dir = "/"
	g.keeper.ExtraFiles, g.keeper.Stderr = theirs[:last], theirs[last]
	// ^C at a terminal is ours to handle.
	g.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if g.lease, err = g.keeper.StdinPipe(); err != nil {
		return err
	}
	said, err := g.keeper.StdoutPipe()
	if err != nil {
		return err
	}
	g.said = json.NewDecoder(said)
	return g.keeper.Start()
}

func (g *Guest) prepare(s Spec, order keepOrder) error {
	made, err := g.hear()
	if err != nil {
		return err
	}
	g.folder = *made.Folder
	for i, disk := range s.Disks {
		if err := CopySparse(disk, g.Disk(i)); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(g.lease).Encode(order); err != nil {
		return fmt.Errorf("tell the keeper: %w", err)
	}
	started, err := g.hear()
	g.pid = started.PID
	return err
}

// hear reads the keeper's next report.
func (g *Guest) hear() (keepReport, error) {
	var r keepReport
	if err := g.said.Decode(&r); err != nil {
		return r, fmt.Errorf("the keeper says nothing: %w", err)
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

// listen waits for the guest's end.
func (g *Guest) listen() {
	r, err := g.hear()
	g.how = r.Ended
	if err != nil {
		g.how = err.Error()
		g.folder.killUsers()
	}
	close(g.exited)
}

// greet is the handshake with the guest's first process.
func (g *Guest) greet(ctx context.Context, s Spec) error {
	ctx, cancel := patiently(ctx, s.Patience, watch.Load)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { g.channel.SetDeadline(time.Unix(1, 0)) })
	err := g.shake(s)
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil && waitFor(g.exited, time.Second) {
		return fmt.Errorf("it has ended (%s)", g.how)
	}
	return err
}

func (g *Guest) shake(s Spec) (err error) {
	if g.hello, err = pid1.Receive[pid1.Hello](g.channel); err != nil {
		return err
	}
	if g.hello.Protocol != pid1.Protocol {
		return refusal(fmt.Sprintf("it speaks protocol %d, we %d", g.hello.Protocol, pid1.Protocol))
	}
	s.Order.Seed = make([]byte, pid1.SeedSize)
	_, _ = rand.Read(s.Order.Seed) // it never fails
	if err := pid1.Send(g.channel, s.Order); err != nil {
		return err
	}
	ready, err := pid1.Receive[pid1.Ready](g.channel)
	if err != nil {
		return err
	}
	if ready.Error != "" {
		return refusal(ready.Error)
	}
	return nil
}

// refusal is what a guest says that has come up and is of no use.
type refusal string

func (r refusal) Error() string { return string(r) }

// Channel leads to the agent. It ends when the guest does; closing it turns the guest off.
func (g *Guest) Channel() Channel { return g.channel }

// Console is what the guest prints.
func (g *Guest) Console() *Console { return g.console }

// Said is what the guest has printed since a mark of its console; if it has ended, all of it: what it said last may still be under way to us.
func (g *Guest) Said(mark int) string {
	if g.How() != "" {
		waitFor(g.console.Done(), consolePatience)
	}
	return g.console.TextSince(mark)
}

// consolePatience is how long the rest of what a guest has printed, some KiB in a pipe, may take to be read on a machine that has much else to do.
const consolePatience = 30 * time.Second

// Hello is what the guest said of itself when it came up.
func (g *Guest) Hello() pid1.Hello { return g.hello }

// PID is that of the guest's process on this machine, of the kernel where there are several. It may have ended.
func (g *Guest) PID() int { return g.pid }

// Memory is the guest's memory by physical address, which may also be read after its end, until Close; nil if it cannot be had.
func (g *Guest) Memory() io.ReaderAt {
	if g.memory == nil {
		return nil // and not a nil *os.File in an interface
	}
	if g.kind == kernels.BzImage {
		return pcMemory{g.memory}
	}
	return g.memory
}

// Boot is how long it took from Start to the agent.
func (g *Guest) Boot() time.Duration { return g.boot }

// Exited is closed when the guest has ended.
func (g *Guest) Exited() <-chan struct{} { return g.exited }

// How says how the guest ended; empty while it runs.
func (g *Guest) How() string {
	select {
	case <-g.exited:
		return g.how
	default:
		return ""
	}
}

// Kill ends the guest at once. Its console and its disks stay until Close.
func (g *Guest) Kill() {
	_ = json.NewEncoder(g.lease).Encode(keepOrder{Kill: true}) // a keeper that is gone has killed it
}

// Off turns the guest off in good order: the channel is closed, its first process ends all others and unmounts. It reports whether everything
// could be unmounted, so that the disks are as a clean unmount leaves them. When ctx ends the guest is killed.
func (g *Guest) Off(ctx context.Context) (unmounted bool) {
	g.channel.Close()
	select {
	case <-g.exited:
	case <-ctx.Done():
		g.Kill()
		<-g.exited
	}
	waitFor(g.console.Done(), consolePatience)
	lines := g.console.Since(0)
	for _, l := range slices.Backward(lines[max(0, len(lines)-lastWords):]) {
		if strings.HasPrefix(l.Text, pid1.Unmounted) {
			return true
		}
	}
	return false
}

// lastWords is within how many of the last lines of the console the farewell is: the kernel says a little after it.
const lastWords = 20

// Close kills the guest if it runs, and removes its files. It may be called more than once.
func (g *Guest) Close() {
	g.once.Do(func() {
		g.channel.Close()
		g.lease.Close()
		<-g.exited          // all was heard
		_ = g.keeper.Wait() // the reports have said what was wrong
		g.folder.remove()   // if the keeper was killed
		if g.memory != nil {
			g.memory.Close()
		}
	})
}

// Disk is the path of the guest's own copy of a disk. It may be read when the guest has ended, until Close.
func (g *Guest) Disk(i int) string { return filepath.Join(g.folder.Path, diskName(i)) }

func waitFor(closed <-chan struct{}, limit time.Duration) bool {
	select {
	case <-closed:
		return true
	case <-time.After(limit):
		return false
	}
}
