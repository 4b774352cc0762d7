package watch

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// StillAlive is the error of a Kill that did not work within its time: a thread sleeps where no signal reaches it.
type StillAlive struct {
	PID    int
	Within time.Duration
	Left   Snapshot // what is left of it
}

func (e *StillAlive) Error() string {
	text := fmt.Sprintf("process %d does not die of SIGKILL within %s", e.PID, seconds(e.Within))
	for _, t := range e.Left.Tasks {
		if !t.Dead() {
			return text + fmt.Sprintf(": thread %d (%q, state %s) is %s", t.TID, t.Comm, t.State, describe(t, ""))
		}
	}
	return text
}

// Kill sends SIGKILL and waits until all threads of the process have ended, or for the time given: then the error is a
// *StillAlive. A process that is gone already is no error. Reaping is left to the parent, which may be us.
func Kill(pid int, within time.Duration) error {
	// A pidfd cannot come to mean another process. It is readable when the last thread has ended (pidfd_open(2)).
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d to kill it: %w", pid, err)
	}
	defer unix.Close(fd)
	err = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	ended, err := waitReadable(fd, within)
	if err != nil {
		return fmt.Errorf("wait for process %d to die: %w", pid, err)
	}
	if ended {
		return nil
	}
	left, err := Take(pid)
	if gone(err) {
		return nil
	}
	return &StillAlive{PID: pid, Within: within, Left: left}
}

func waitReadable(fd int, within time.Duration) (bool, error) {
	deadline := time.Now().Add(within)
	for {
		left := max(0, time.Until(deadline))
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, err
		}
		if n > 0 {
			return true, nil
		}
		if left == 0 {
			return false, nil
		}
	}
}
