package target

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"faultline/harness/machine"
	"faultline/harness/self"
	"faultline/harness/watch"
)

// server is a process of ours that serves a FUSE mount. It is our own binary in another role, and ends by itself when the
// pipe to its owner closes.
type server struct {
	cmd        *exec.Cmd
	lease      io.Closer        // its standard input
	said       machine.Tail     // its standard error
	exited     chan struct{}    // closed when it was waited for
	connection watch.Connection // kept since mount time; meaningless until then
}

// startServer starts the role and waits for the line with which it says that it has mounted.
func startServer(ctx context.Context, patience time.Duration, role string, args ...string) (*server, error) {
	s := &server{cmd: self.Command(role, args...), exited: make(chan struct{})}
	s.cmd.Dir = "/"
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Stderr = &s.said
	s.cmd.WaitDelay = grace
	lease, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	ready, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.lease = lease
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start our own binary as %s: %w", role, err)
	}
	mounted := make(chan bool, 1)
	go s.follow(ready, mounted)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case ok := <-mounted:
		if ok {
			return s, nil
		}
		waitFor(s.exited, grace) // until then its last words may be missing
		err = errors.New(lastLine(s.said.String()))
	case <-timer.C:
		err = fmt.Errorf("it has not mounted for %v", patience)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.kill()
	return nil, fmt.Errorf("start the server %s: %w", strings.Join(append([]string{role}, args...), " "), err)
}

// follow reads what the server prints until it ends, and then waits for it.
func (s *server) follow(ready io.Reader, mounted chan<- bool) {
	lines := bufio.NewScanner(ready)
	mounted <- lines.Scan()
	for lines.Scan() {
	}
	s.cmd.Wait()
	close(s.exited)
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// ended reports how the server ended, if it has or does within the time.
func (s *server) ended(within time.Duration) (how string, ended bool) {
	if !waitFor(s.exited, within) {
		return "", false
	}
	how = s.cmd.ProcessState.String()
	if last := lastLine(s.said.String()); last != "" {
		how += ": " + last
	}
	return how, true
}

// end makes a server end that may hang, and with it its FUSE connection: all who wait for an answer get ECONNABORTED or ENOTCONN. First it is
// asked to, since one that hangs on its own mount in the kernel cannot be killed.
func (s *server) end() error {
	s.lease.Close()
	if waitFor(s.exited, grace) {
		return nil
	}
	s.kill()
	if !waitFor(s.exited, 0) {
		return fmt.Errorf("the server, process %d, was killed and does not end", s.pid())
	}
	return nil
}

// finish waits for a server that has work to do when its mount is gone: an image to close. One whose mount hangs is killed after a moment. It
// is an error when the server had to be killed, or said itself that something went wrong.
func (s *server) finish(patience time.Duration, hangs bool) error {
	s.lease.Close()
	if hangs {
		patience = grace
	}
	how, ended := s.ended(patience)
	for more := 9; !ended && !hangs && more > 0; more-- {
		// On a busy machine it may need long; as long as it works, it may.
		before := s.worked()
		if how, ended = s.ended(patience); s.worked() == before {
			break
		}
	}
	switch {
	case !ended && hangs:
		s.kill()
		return nil
	case !ended:
		// A Go process answers SIGQUIT with the stacks of its goroutines, and ends.
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		waitFor(s.exited, grace)
		s.kill()
		return fmt.Errorf("the server, process %d, did not end for %v after the unmount and was killed:\n%s", s.pid(), patience, s.said.String())
	case !hangs && !s.cmd.ProcessState.Success():
		return fmt.Errorf("the server ended with %s", how)
	}
	return nil
}

// worked is the CPU time that the server has used, in ticks as in /proc/PID/stat; 0 when it is gone.
func (s *server) worked() (ticks uint64) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid()))
	if err != nil {
		return 0
	}
	// The name, which may hold anything, is in parentheses; behind it the state is field 3 (proc_pid_stat(5)).
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, field := range fields[min(11, len(fields)):min(13, len(fields))] { // utime and stime
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return ticks
}

func (s *server) kill() {
	s.lease.Close()
	s.cmd.Process.Kill()
	waitFor(s.exited, grace)
}
