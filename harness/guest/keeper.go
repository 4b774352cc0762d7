package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"faultline/harness/self"
)

// keeperRole is the process between us and a guest. It makes the guest's folder, starts the guest in a process group of its own, and when its standard
// input ends, as it does when we die, kills the guest with all its processes and removes the folder.
const keeperRole = "guest-keeper"

func init() { self.Register(keeperRole, keeperMain) }

// keepOrder is what a keeper is told, in a line: what to start in its folder, with the descriptors from 3 on; later, with Kill, to end it and keep the
// folder.
type keepOrder struct {
	Path string   `json:",omitempty"`
	Args []string `json:",omitempty"`
	Env  []string `json:",omitempty"`
	FDs  int      `json:",omitempty"` // how many descriptors to pass on
	Kill bool     `json:",omitempty"`
}

// keepReport is what a keeper says, a line each: where its folder is, that the guest was started, how it ended.
type keepReport struct {
	Folder *folder `json:",omitempty"`
	PID    int     `json:",omitempty"`
	Ended  string  `json:",omitempty"`
	Error  string  `json:",omitempty"`
}

// keeperMain takes the folder in which to make its own. Its standard error is the guest's console.
func keeperMain(args []string) int {
	signal.Ignore(unix.SIGPIPE) // who reads our reports may be gone
	runtime.LockOSThread()      // the guest's parent-death signal is sent when the thread that started it ends
	out := json.NewEncoder(os.Stdout)
	fail := func(err error) int {
		out.Encode(keepReport{Error: err.Error()})
		return 1
	}
	if len(args) != 1 {
		return fail(errors.New("the keeper takes one argument, a folder"))
	}
	folder, err := makeFolder(args[0])
	if err != nil {
		return fail(err)
	}
	defer folder.remove()
	out.Encode(keepReport{Folder: &folder})
	in := json.NewDecoder(os.Stdin)
	var order keepOrder
	if err := in.Decode(&order); err != nil {
		return 0 // we were not needed
	}
	k, err := keep(order, folder.Path)
	if err != nil {
		return fail(err)
	}
	out.Encode(keepReport{PID: k.cmd.Process.Pid})
	lease := make(chan struct{})
	go func() {
		defer close(lease)
		defer k.kill()
		for in.Decode(&order) == nil {
			k.kill()
		}
	}()
	<-k.ended
	k.sweep()
	out.Encode(keepReport{Ended: k.cmd.ProcessState.String()})
	os.Stderr.Close() // the end of the console
	<-lease
	return 0
}

// kept is a guest as its keeper has it.
type kept struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu   sync.Mutex
	dead bool
}

// keep starts the guest. What it leaves behind becomes our child.
func keep(order keepOrder, dir string) (*kept, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the reaper of a guest: %w", err)
	}
	// The memory of a guest is no core worth writing.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return nil, fmt.Errorf("forbid core dumps: %w", err)
	}
	cmd := exec.Command(order.Path, order.Args...)
	cmd.Dir = dir
	cmd.Env = order.Env
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe() // stays open: User Mode Linux polls its console, and cannot poll /dev/null
	if err != nil {
		return nil, err
	}
	for i := range order.FDs {
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.NewFile(uintptr(3+i), "channel"))
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guest: %w", err)
	}
	for _, f := range cmd.ExtraFiles {
		f.Close() // so that the channel ends when the guest does
	}
	k := &kept{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the state says it all
		stdin.Close()
		close(k.ended)
	}()
	return k, nil
}

// kill ends the guest's process group. Once all of it was waited for, its number may be another's.
func (k *kept) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.dead {
		_ = unix.Kill(-k.cmd.Process.Pid, unix.SIGKILL)
	}
}

// sweep ends what the guest has left behind: User Mode Linux keeps a process for each of its own.
func (k *kept) sweep() {
	k.kill()
	defer func() {
		k.mu.Lock()
		k.dead = true
		k.mu.Unlock()
	}()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return // no children any more
		}
		if pid == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}
