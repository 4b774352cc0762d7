package fused

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// eager is the file or the device with the image. Large writes, of data always, are on their way to the disk at once: the kernel begins with what it
// caches seconds later, and then an fsync(2) waits for all of it. Nothing waits for the beginning either, and nothing counts on it: a range that
// finds the queue full is left to the kernel.
type eager struct {
	*os.File
	begin chan span
	done  chan struct{}
}

type span struct{ off, n int64 }

// Writes of eagerBytes are large: those who write much write so. eagerQueue is how many may wait for their beginning.
const (
	eagerBytes = 256 << 10
	eagerQueue = 256
)

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
			_ = conn.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), s.off, s.n, unix.SYNC_FILE_RANGE_WRITE) })
		}
	}
}

// WriteAt is that of the file.
func (e *eager) WriteAt(p []byte, off int64) (int, error) {
	n, err := e.File.WriteAt(p, off)
	if n >= eagerBytes {
		select {
		case e.begin <- span{off, int64(n)}:
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
