package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/targetfs/connection"
)

// Session is a mount. Its methods may be called from several goroutines.
type Session struct {
	dir      string
	file     *os.File // /dev/fuse
	fd       int      // of file, while one of the readers is there
	size     int      // of the largest request and answer
	server   *fuse.ProtocolServer
	settings fuse.InitIn
	log      *log.Logger

	watching watching
	waiting  atomic.Int32 // readers that wait for a request, or are about to
	readers  sync.WaitGroup
	idle     chan *buffers // of readers that have left
	gone     chan struct{} // closed when the kernel has ended the connection
	once     sync.Once
}

// spare is how many readers wait while nothing is to be done: one takes the next request, and as long as that can be answered at once the other
// need not be replaced.
const spare = 2

// Sizes in bytes (include/uapi/linux/fuse.h): what comes before the data of a WRITE or an answer, rounded up, and the least that read(2) takes.
const (
	headers       = 4096
	leastBuffer   = 8192
	inHeaderSize  = 40
	outHeaderSize = 16
)

// Mount mounts on dir, with mount(2) where it may and with fusermount3 where not, and agrees with the kernel on what both can. No other request
// is answered before Serve. Of the options those of splicing and of the number of readers mean nothing here.
func Mount(fs fuse.RawFileSystem, dir string, opts *fuse.MountOptions) (*Session, error) {
	o := *opts
	file, err := attach(dir, &o)
	if err != nil {
		return nil, err
	}
	s := &Session{dir: dir, file: file, fd: int(file.Fd()), size: max(o.MaxWrite+headers, leastBuffer), log: o.Logger, gone: make(chan struct{}),
		idle: make(chan *buffers, idleBuffers), server: fuse.NewProtocolServer(fs, &o)}
	if s.log == nil {
		s.log = log.Default()
	}
	if err := s.init(); err != nil {
		return nil, errors.Join(fmt.Errorf("begin the FUSE session of %s: %w", dir, err), connection.Detach(dir), file.Close())
	}
	return s, nil
}

// init answers the first request, which is FUSE_INIT.
func (s *Session) init() error {
	b := s.buffers()
	defer s.keep(b)
	n, err := s.read(b.in)
	if err != nil {
		return err
	}
	message := make([]byte, binary.Size(&s.settings)) // kernels before 5.17 send less
	copy(message, b.in[:n])
	if _, err := binary.Decode(message, binary.NativeEndian, &s.settings); err != nil {
		return err
	}
	return s.answer(b, n)
}

// Kernel is what the kernel said of itself.
func (s *Session) Kernel() *fuse.InitIn { return &s.settings }

// Gone is closed when the mount is gone, or was aborted. Requests may still be at work.
func (s *Session) Gone() <-chan struct{} { return s.gone }

// Serve answers requests until the mount is gone and no request is at work any more.
func (s *Session) Serve() {
	s.waiting.Store(spare)
	for range spare {
		s.readers.Go(s.serve)
	}
	s.readers.Wait()
	if err := s.file.Close(); err != nil {
		s.log.Printf("end the FUSE session of %s: %v", s.dir, err)
	}
}

// serve is a reader: it reads requests and answers them, as long as it is needed.
func (s *Session) serve() {
	b := s.buffers()
	defer s.keep(b)
	for {
		s.watch()
		n, err := s.read(b.in)
		if err != nil {
			if !errors.Is(err, unix.ENODEV) {
				s.log.Printf("read a request of %s: %v", s.dir, err)
			}
			s.once.Do(func() { close(s.gone) })
			return
		}
		s.arrived()
		s.replace()
		if err := s.answer(b, n); err != nil {
			s.log.Printf("answer a request of %s: %v", s.dir, err)
		}
		s.answered()
		if !s.stay() {
			return
		}
	}
}

// replace is called by a reader that has got a request. When it was the last that waited, another one does: the request may take for ever.
func (s *Session) replace() {
	if s.waiting.Add(-1) == 0 {
		s.waiting.Add(1)
		s.readers.Go(s.serve)
	}
}

// stay tells a reader that has answered whether it is to wait for the next request. Somebody always waits, or is about to: replace sees to it at
// any time, and so who leaves here leaves others behind.
func (s *Session) stay() bool {
	for {
		waiting := s.waiting.Load()
		if waiting >= spare {
			return false
		}
		if s.waiting.CompareAndSwap(waiting, waiting+1) {
			return true
		}
	}
}

// buffers are what a reader reads into and what it answers from.
type buffers struct{ in, out []byte }

// idleBuffers are kept: to make some, of megabytes, takes longer than most requests.
const idleBuffers = 4

func (s *Session) buffers() *buffers {
	select {
	case b := <-s.idle:
		return b
	default:
		return &buffers{make([]byte, s.size), make([]byte, s.size)}
	}
}

func (s *Session) keep(b *buffers) {
	select {
	case s.idle <- b:
	default:
	}
}

// read waits for a request. ENODEV is the end of the connection.
func (s *Session) read(p []byte) (int, error) {
	for {
		n, err := unix.Read(s.fd, p)
		// ENOENT: whoever asked was interrupted before the request was read (fs/fuse/dev.c, fuse_dev_do_read).
		if err == unix.EINTR || err == unix.EAGAIN || err == unix.ENOENT {
			continue
		}
		if err == nil && n < inHeaderSize {
			err = fmt.Errorf("it has %d bytes: %w", n, unix.EIO)
		}
		return n, err
	}
}

// answer answers the request of n bytes.
func (s *Session) answer(b *buffers, n int) error {
	request := b.in[:n]
	length, status := s.server.HandleRequest([][]byte{request}, [][]byte{b.out})
	if length == 0 && status == fuse.OK {
		return nil // FORGET and its like have no answer
	}
	if length == 0 { // the request cannot be decoded, and whoever waits for it is to know
		length = outHeaderSize
		binary.NativeEndian.PutUint32(b.out, outHeaderSize)
		binary.NativeEndian.PutUint32(b.out[4:], uint32(-status))
		copy(b.out[8:outHeaderSize], request[8:]) // the number of the request
	}
	return s.write(b.out[:length])
}

// write writes an answer. That whoever asked is gone, interrupted or with the connection, is no error.
func (s *Session) write(p []byte) error {
	for {
		_, err := unix.Write(s.fd, p)
		switch err {
		case unix.EINTR, unix.EAGAIN:
			continue
		case unix.ENOENT, unix.ENODEV:
			return nil
		}
		return err
	}
}

// The kernel puts the last reference to a closed file down a moment later, and until then the mount is in use.
const (
	unmountTries = 5
	unmountPause = 5 * time.Millisecond
)

// Unmount unmounts. While the mount is in use it fails with EBUSY and the session goes on.
func (s *Session) Unmount() (err error) {
	for try := range unmountTries {
		time.Sleep(time.Duration(try) * unmountPause)
		if err = unmount(s.dir); err == nil {
			return nil
		}
	}
	return err
}
