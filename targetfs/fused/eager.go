package fused

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// eager is the file or the device with the image. Large writes, of data always, are on their way to the disk at once, and small ones when there are
// many: the kernel begins with what it caches seconds later, and then an fsync(2) waits for all of it. Nothing waits for the beginning either, and
// nothing counts on it: a range that finds the queue full is left to the kernel.
type eager struct {
	*os.File
	begin chan span
	done  chan struct{}
	small small
}

// span is the bytes from one offset up to another.
type span struct{ from, to int64 }

// Writes of eagerBytes are large: those who write much write so. Small ones begin when they are eagerSmall bytes together: to begin with a page costs
// as much as to write it does, and who writes one again and again has it written once. eagerQueue is how many ranges may wait for their beginning.
const (
	eagerBytes = 256 << 10
	eagerSmall = 4 << 20
	eagerQueue = 256
)

// small are the small writes that were not begun.
type small struct {
	mu    sync.Mutex
	bytes int
	where span
}

// add notes a write. When that makes them many, it returns where they are and forgets them.
func (s *small) add(w span) (where span, many bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes == 0 {
		s.where = w
	}
	s.where = span{min(w.from, s.where.from), max(w.to, s.where.to)}
	s.bytes += int(w.to - w.from)
	many = s.bytes >= eagerSmall
	if many {
		s.bytes = 0
	}
	return s.where, many
}

func newEager(f *os.File) *eager {
	e := &eager{File: f, begin: make(chan span, eagerQueue), done: make(chan struct{})}
	if conn, err := f.SyscallConn(); err == nil {
		go e.run(conn)
	}
	return e
}

// run begins to write what was written. It is a hint: what fails here fails again when it matters.
func (e *eager) run(conn syscall.RawConn) {
	for {
		select {
		case <-e.done:
			return
		case s := <-e.begin:
			_ = conn.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), s.from, s.to-s.from, unix.SYNC_FILE_RANGE_WRITE) })
		}
	}
}

// WriteAt is that of the file.
func (e *eager) WriteAt(p []byte, off int64) (int, error) {
	n, err := e.File.WriteAt(p, off)
	s, many := span{off, off + int64(n)}, true
	if n < eagerBytes {
		s, many = e.small.add(s)
	}
	if many {
		select {
		case e.begin <- s:
		default:
		}
	}
	return n, err
}

// Close closes the file. It is called once.
func (e *eager) Close() error {
	close(e.done)
	return e.File.Close()
}
