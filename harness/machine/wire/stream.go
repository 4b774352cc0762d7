package wire

import (
	"encoding/binary"
	"io"
	"os"
	"sync"
)

const (
	// window is how many bytes of a stream may be under way, chunk how many are in one frame at most.
	window = 256 << 10
	chunk  = 32 << 10
)

// Stream is two pipes to the other side, one in each direction, under one id. It is a file whose reader and writer may be different goroutines.
type Stream struct {
	link *Link
	id   uint32

	mu     sync.Mutex
	moved  *sync.Cond
	in     []byte
	owed   int   // bytes that were read and for which no credit was given yet
	inEnd  error // what a reader gets after the last byte
	credit int   // bytes that may be sent
	closed bool  // for writing
}

// NewStream makes this side's end. Both sides make theirs with the same id before any frame of it is sent.
func NewStream(link *Link, id uint32) *Stream {
	s := &Stream{link: link, id: id, credit: window}
	s.moved = sync.NewCond(&s.mu)
	link.OnEnd(func() { s.end(link.Err()) })
	return s
}

// end is the end of what can be read; the first reason counts.
func (s *Stream) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inEnd == nil {
		s.inEnd = why
	}
	s.moved.Broadcast()
}

// Handle takes a frame of the stream from the other side. It does not wait.
func (s *Stream) Handle(f Frame) {
	switch f.Kind {
	case Data:
		s.deliver(f.Body)
	case End:
		s.end(io.EOF)
	case Credit:
		if len(f.Body) == 4 {
			s.mu.Lock()
			s.credit = min(s.credit+int(binary.LittleEndian.Uint32(f.Body)), window)
			s.moved.Broadcast()
			s.mu.Unlock()
		}
	}
}

func (s *Stream) deliver(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.in)+len(b) > window {
		go s.link.Fail(ErrTorn) // more than we have allowed; not from here, which holds the lock
		return
	}
	s.in = append(s.in, b...)
	s.moved.Broadcast()
}

// Read waits for bytes. The error is io.EOF when the other side has closed, or that of the link.
func (s *Stream) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.in) == 0 && s.inEnd == nil {
		s.moved.Wait()
	}
	if len(s.in) == 0 {
		return 0, s.inEnd
	}
	n := copy(b, s.in)
	s.in = s.in[n:]
	if s.owed += n; s.owed >= window/2 {
		_ = s.link.Send(Frame{Credit, s.id, binary.LittleEndian.AppendUint32(nil, uint32(s.owed))}) // it has ended: the next Read says so
		s.owed = 0
	}
	return n, nil
}

// Write waits until all of b may be sent. The error is os.ErrClosed after Close, or that of the link.
func (s *Stream) Write(b []byte) (int, error) {
	written := 0
	for len(b) > 0 {
		n, err := s.reserve(min(len(b), chunk))
		if err != nil {
			return written, err
		}
		if err := s.link.Send(Frame{Data, s.id, b[:n]}); err != nil {
			return written, err
		}
		written += n
		b = b[n:]
	}
	return written, nil
}

// reserve waits for credit and takes up to want of it.
func (s *Stream) reserve(want int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.credit == 0 && !s.closed && s.link.Err() == nil {
		s.moved.Wait()
	}
	if s.closed {
		return 0, os.ErrClosed
	}
	if err := s.link.Err(); err != nil {
		return 0, err
	}
	n := min(want, s.credit)
	s.credit -= n
	return n, nil
}

// Refuse makes every Write fail from now on: there is nobody any more to read it.
func (s *Stream) Refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.moved.Broadcast()
}

// Close ends what we write; the other side may still be read.
func (s *Stream) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.moved.Broadcast()
	s.mu.Unlock()
	if closed {
		return os.ErrClosed
	}
	return s.link.Send(Frame{Kind: End, ID: s.id})
}
