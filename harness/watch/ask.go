package watch

import (
	"errors"
	"os"
	"sync"
	"time"
)

// ErrSilent means that a file of /proc or /sys did not answer within its time. That is evidence: /proc/PID/maps needs the
// process's mmap lock, stack and syscall need its exec lock, and whoever hangs may hold them.
var ErrSilent = errors.New("does not answer")

// patience is how long one question may take. An answer takes microseconds; the rest is for a busy machine.
const patience = 2 * time.Second

// abandoned counts the questions that were given up and have not been answered since. Such a question is not asked
// again: each one costs a thread, and a watcher samples many times.
var abandoned = struct {
	sync.Mutex
	open map[string]int
}{open: map[string]int{}}

// ask reads a small file of /proc or /sys, or gives up with ErrSilent.
func ask(path string) ([]byte, error) {
	return within(patience, path, func() ([]byte, error) { return os.ReadFile(path) })
}

// within runs f in a goroutine and abandons it after limit with an error that wraps ErrSilent. question names f; while an
// abandoned f of that name is still running, the answer is ErrSilent at once.
func within[T any](limit time.Duration, question string, f func() (T, error)) (T, error) {
	var none T
	silent := &os.PathError{Op: "ask", Path: question, Err: ErrSilent}
	if isAbandoned(question) {
		return none, silent
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := f()
		answers <- answer{value, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-timer.C:
		abandon(question, +1)
		go func() {
			<-answers
			abandon(question, -1)
		}()
		return none, silent
	}
}

func isAbandoned(question string) bool {
	abandoned.Lock()
	defer abandoned.Unlock()
	return abandoned.open[question] > 0
}

func abandon(question string, by int) {
	abandoned.Lock()
	defer abandoned.Unlock()
	abandoned.open[question] += by
	if abandoned.open[question] == 0 {
		delete(abandoned.open, question)
	}
}
