package session

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Who makes one system call after the other sends a request some microseconds after the last answer, and then a second reader in read(2) is in the
// way. The first one has written its answer and is not back in read(2) yet, so that the request wakes the second, on another processor, and finds
// the first all the same: for the caller that costs as much as the rest of the request. So of two readers one watches: it sleeps outside read(2),
// looks at intervals how the other one gets on, and comes back when that waits, has nothing to do, or too much.

// watching is what decides whether a reader watches. Its zero value is ready.
type watching struct {
	on       atomic.Bool   // one does
	answered atomic.Uint64 // requests
	last     atomic.Int64  // when one was answered, since epoch; not kept up while one watches
	quick    atomic.Int32  // requests that came within shortPause of the last answer and found all readers waiting, less those that did not
}

var epoch = time.Now()

const (
	shortPause = 50 * time.Microsecond
	enough     = 16                   // of quick, for a reader to watch
	glance     = 4 * time.Millisecond // from look to look
	leastWork  = 32                   // requests answered in this time: if they are fewer, one waits, or they are large, or there are no more
	crowded    = 8                    // looks in a row that find a request nobody has read: one reader is not enough
	afterCrowd = -1024                // of quick
)

// arrived notes that a request was read.
func (s *Session) arrived() {
	w := &s.watching
	if w.on.Load() {
		return
	}
	if time.Since(epoch)-time.Duration(w.last.Load()) < shortPause && s.waiting.Load() == spare {
		w.quick.Add(1)
	} else if w.quick.Load() > 0 {
		w.quick.Add(-1)
	}
}

// answered notes that a request was answered.
func (s *Session) answered() {
	w := &s.watching
	w.answered.Add(1)
	if !w.on.Load() {
		w.last.Store(int64(time.Since(epoch)))
	}
}

// watch returns when the reader is to call read(2): at once, or when it has watched for as long as that was of use.
func (s *Session) watch() {
	w := &s.watching
	if w.quick.Load() < enough || s.waiting.Load() != spare || !w.on.CompareAndSwap(false, true) {
		return
	}
	defer w.on.Store(false)
	w.quick.Store(0)
	for crowd := 0; crowd < crowded; {
		before := w.answered.Load()
		time.Sleep(glance)
		if w.answered.Load()-before < leastWork {
			return
		}
		if s.unread() {
			crowd++
		} else {
			crowd = 0
		}
	}
	w.quick.Store(afterCrowd)
}

// unread tells whether there is a request that nobody has read.
func (s *Session) unread() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}
