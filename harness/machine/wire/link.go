package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// beatEvery is how often a side says that it is there.
const beatEvery = time.Second

// lastRead is how long what has come is still read when nothing can be written any more.
const lastRead = 5 * time.Second

// ErrSilent means that the other side has said nothing for too long.
var ErrSilent = errors.New("silent")

// Peer is what a Link does with the other side.
type Peer struct {
	// Handle gets the frames, one after the other, in a goroutine of the Link's. It must not wait for anything.
	Handle func(Frame)
	// Silence is for how many seconds the other side may say nothing. They are counted while we run: a host that was stopped counts one.
	Silence int
	// Starved, if it is set, is asked once a second when the other side has been silent for too long, with the seconds since then. While it says
	// yes, the other side is waited for.
	Starved func(seconds int) bool
}

// Link is one end of a channel. Its methods may be called from several goroutines.
type Link struct {
	rw    io.ReadWriteCloser
	peer  Peer
	began time.Time
	heard atomic.Bool // since the last beat

	mu     sync.Mutex
	out    []byte   // to be written
	sent   []func() // to be called when it is
	wake   chan struct{}
	err    error
	done   chan struct{}
	ending []func()

	readAll chan struct{} // closed when there is no more to read
}

// NewLink begins to read, write and beat. The link owns the channel.
func NewLink(rw io.ReadWriteCloser, peer Peer) *Link {
	l := &Link{rw: rw, peer: peer, began: time.Now(), wake: make(chan struct{}, 1), done: make(chan struct{}), readAll: make(chan struct{})}
	go l.read()
	go l.write()
	go l.beat()
	return l
}

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err says why the link has ended; nil while it has not.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Now is the time of this side, as it is in its beats.
func (l *Link) Now() time.Duration { return time.Since(l.began) }

// Began is the beginning of this side's time.
func (l *Link) Began() time.Time { return l.began }

// Fail ends the link for a reason, unless it has ended. The channel is closed.
func (l *Link) Fail(why error) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	l.err = why
	ending := l.ending
	close(l.done)
	l.mu.Unlock()
	_ = l.rw.Close() // nobody wants to know
	for _, f := range ending {
		f()
	}
}

// OnEnd has f called when the link ends, at once if it has.
func (l *Link) OnEnd(f func()) {
	l.mu.Lock()
	ended := l.err != nil
	if !ended {
		l.ending = append(l.ending, f)
	}
	l.mu.Unlock()
	if ended {
		f()
	}
}

// Send puts frames into the queue, together. It does not wait; the error is that of a link which has ended.
func (l *Link) Send(frames ...Frame) error { return l.SendThen(nil, frames...) }

// SendThen is Send, and calls then when the frames have been written to the channel. If the link ends before, then is never called.
func (l *Link) SendThen(then func(), frames ...Frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	for _, f := range frames {
		if len(f.Body) > MaxBody {
			return fmt.Errorf("send %d bytes: a frame holds %d", len(f.Body), MaxBody)
		}
	}
	for _, f := range frames {
		l.out = f.Append(l.out)
	}
	if then != nil {
		l.sent = append(l.sent, then)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

// write writes what is in the queue, as much as there is at once.
func (l *Link) write() {
	var spare []byte
	for {
		select {
		case <-l.done:
			return
		case <-l.wake:
		}
		l.mu.Lock()
		out, sent := l.out, l.sent
		l.out, l.sent = spare[:0], nil
		l.mu.Unlock()
		if _, err := l.rw.Write(out); err != nil {
			l.hearOut()
			l.Fail(fmt.Errorf("write to the channel: %w", err))
			return
		}
		for _, then := range sent {
			then()
		}
		spare = out
	}
}

// hearOut lets the reader go on to the end of what the other side has said before it went: that is often why it went.
func (l *Link) hearOut() {
	timer := time.NewTimer(lastRead)
	defer timer.Stop()
	select {
	case <-l.readAll:
	case <-timer.C:
	}
}

func (l *Link) read() {
	defer close(l.readAll)
	in := bufio.NewReaderSize(l.rw, 64<<10)
	for {
		f, err := Read(in)
		if err != nil {
			l.Fail(fmt.Errorf("read from the channel: %w", err))
			return
		}
		l.heard.Store(true)
		l.peer.Handle(f)
	}
}

// beat says that we are there, and listens whether the other side is.
func (l *Link) beat() {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for quiet := 0; ; quiet++ {
		_ = l.Send(Frame{Kind: Beat, Body: binary.LittleEndian.AppendUint64(nil, uint64(l.Now()))}) // it has ended: we see that below
		select {
		case <-l.done:
			return
		case <-ticker.C:
		}
		if l.heard.Swap(false) {
			quiet = -1
		}
		if quiet >= l.peer.Silence && (l.peer.Starved == nil || !l.peer.Starved(quiet-l.peer.Silence)) {
			l.Fail(fmt.Errorf("%w for %d s", ErrSilent, quiet))
			return
		}
	}
}
