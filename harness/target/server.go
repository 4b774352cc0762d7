package target

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"faultline/harness/machine"
	"faultline/harness/watch"
)

// server is a process of ours that serves a FUSE mount, here or in a guest. It is our own binary in another role, and ends by itself when its standard
// input does: when its owner is gone.
type server struct {
	machine.Process
	connection watch.Connection // kept since mount time; meaningless until then, and in a guest
}

// startServer starts the role on this machine and waits for the line with which it says that it has mounted.
func startServer(ctx context.Context, patience time.Duration, role string, args ...string) (*server, error) {
	return startServerOn(ctx, machine.Local{}, patience, role, args...)
}

func startServerOn(ctx context.Context, on machine.Machine, patience time.Duration, role string, args ...string) (*server, error) {
	p, err := on.Spawn(role, args...)
	if err != nil {
		return nil, err
	}
	s := &server{Process: p}
	mounted := make(chan bool, 1)
	go s.follow(mounted)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case ok := <-mounted:
		if ok {
			return s, nil
		}
		waitFor(s.Exited(), grace) // until then its last words may be missing
		err = errors.New(lastLine(s.Stderr()))
	case <-timer.C:
		err = fmt.Errorf("it has not mounted for %v", patience)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.kill()
	return nil, fmt.Errorf("start the server %s: %w", strings.Join(append([]string{role}, args...), " "), err)
}

// follow reads what the server prints until it ends.
func (s *server) follow(mounted chan<- bool) {
	lines := bufio.NewScanner(s.Stdout())
	mounted <- lines.Scan()
	for lines.Scan() {
	}
}

// ended reports how the server ended, if it has or does within the time.
func (s *server) ended(within time.Duration) (how string, ended bool) {
	if !waitFor(s.Exited(), within) {
		return "", false
	}
	how = s.State()
	if last := lastLine(s.Stderr()); last != "" {
		how += ": " + last
	}
	return how, true
}

// end makes a server end that may hang, and with it its FUSE connection: all who wait for an answer get ECONNABORTED or ENOTCONN. First it is
// asked to, since one that hangs on its own mount in the kernel cannot be killed.
func (s *server) end() error {
	s.Stdin().Close()
	if waitFor(s.Exited(), grace) {
		return nil
	}
	s.kill()
	if !waitFor(s.Exited(), 0) {
		return fmt.Errorf("the server, process %d, was killed and does not end", s.PID())
	}
	return nil
}

// success is how the state of a process reads that ended well (os.ProcessState).
const success = "exit status 0"

// finish waits for a server that has work to do when its mount is gone: an image to close. One whose mount hangs is killed after a moment. It
// is an error when the server had to be killed, or said itself that something went wrong.
func (s *server) finish(patience time.Duration, hangs bool) error {
	s.Stdin().Close()
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
		_ = syscall.Kill(s.PID(), syscall.SIGQUIT)
		waitFor(s.Exited(), grace)
		s.kill()
		return fmt.Errorf("the server, process %d, did not end for %v after the unmount and was killed:\n%s", s.PID(), patience, s.Stderr())
	case !hangs && s.State() != success:
		return fmt.Errorf("the server ended with %s", how)
	}
	return nil
}

// worked is the CPU time that the server has used, in ticks as in /proc/PID/stat; 0 when it is gone.
func (s *server) worked() (ticks uint64) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID()))
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
	s.Stdin().Close()
	s.Kill()
	waitFor(s.Exited(), grace)
}
