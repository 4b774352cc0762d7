package agent

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// plainly calls f, which starts a process, from a thread without the precedence that the agent may have. The thread ends with it.
func plainly[T any](f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // for good: the runtime ends the thread with the goroutine
		// The system call answers 20 less the nice value (getpriority(2)).
		if answer, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil && answer > 20 {
			_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0) // everybody may become nicer
		}
		value, err := f()
		done <- result{value, err}
	}()
	r := <-done
	return r.value, r.err
}
