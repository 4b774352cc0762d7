// Package credit keeps a host from sending a guest more than the guest has asked for. The serial line of User Mode Linux needs it: once
// the terminal's buffer of 4096 bytes is nearly full the line is throttled, and from then on the kernel overlooks most of what comes
// (arch/um/drivers/line.c: line_throttle takes the descriptor out of the interrupts, and since 4.20 nothing puts it back). The guest
// acknowledges what it has read; the host sends at most [Window] bytes beyond that. It imports the standard library, nothing of ours.
//
//	channel := credit.Host(g.Channel())                  // on the host
//	channel := credit.Guest(os.NewFile(3, "channel"))    // in the guest
//
// Bytes to the guest are sent as they are. Those from the guest come in frames of a kind, a length in four bytes (little-endian), and the data; an
// acknowledgement is a frame without data, whose length is the number of bytes that were read.
package credit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Window is how many bytes may be under way to the guest. A terminal's buffer has 4096, and is throttled when 128 are free (drivers/tty/n_tty.c).
const Window = 3072

// The kinds of frames.
const (
	kindData = 'd'
	kindRead = 'r'
	headSize = 5
)

// largest is how much data a frame may have, in bytes.
const largest = 1 << 20

// host is the end that must wait.
type host struct {
	io.ReadWriteCloser
	data uint32 // of the frame that is being read; only Read touches it

	writing sync.Mutex // keeps writes whole
	mu      sync.Mutex
	more    sync.Cond
	left    int // bytes that may be sent
	over    error
}

// Host is the host's end of a channel. Somebody must read it all the time: that is when acknowledgements are seen.
func Host(channel io.ReadWriteCloser) io.ReadWriteCloser {
	h := &host{ReadWriteCloser: channel, left: Window}
	h.more.L = &h.mu
	return h
}

// Read gives data only.
func (h *host) Read(p []byte) (int, error) {
	for h.data == 0 {
		if err := h.head(); err != nil {
			h.end(err)
			return 0, err
		}
	}
	n, err := h.ReadWriteCloser.Read(p[:min(len(p), int(h.data))])
	h.data -= uint32(n)
	if err != nil {
		h.end(err)
	}
	return n, err
}

// head reads the head of a frame.
func (h *host) head() error {
	var head [headSize]byte
	if _, err := io.ReadFull(h.ReadWriteCloser, head[:]); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(head[1:])
	switch {
	case head[0] == kindData && n <= largest:
		h.data = n
		return nil
	case head[0] == kindRead && n <= Window:
		h.mu.Lock()
		h.left = min(h.left+int(n), Window)
		h.more.Broadcast()
		h.mu.Unlock()
		return nil
	}
	return fmt.Errorf("the guest has sent a frame of kind %q with length %d", head[0], n)
}

// Write waits until the guest has read enough.
func (h *host) Write(p []byte) (int, error) {
	h.writing.Lock()
	defer h.writing.Unlock()
	written := 0
	for written < len(p) {
		may, err := h.take(len(p) - written)
		if err != nil {
			return written, err
		}
		n, err := h.ReadWriteCloser.Write(p[written : written+may])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// take waits for leave to send some of n bytes.
func (h *host) take(n int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.left == 0 && h.over == nil {
		h.more.Wait()
	}
	if h.over != nil {
		return 0, h.over
	}
	n = min(n, h.left)
	h.left -= n
	return n, nil
}

// end wakes those who wait for acknowledgements that will not come.
func (h *host) end(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over == nil {
		h.over = err
		h.more.Broadcast()
	}
}

var errClosed = errors.New("the channel is closed")

// Close closes the channel, and wakes who writes.
func (h *host) Close() error {
	h.end(errClosed)
	return h.ReadWriteCloser.Close()
}

// guest is the end that acknowledges.
type guest struct {
	io.ReadWriteCloser
	mu sync.Mutex
}

// Guest is the guest's end of a channel.
func Guest(channel io.ReadWriteCloser) io.ReadWriteCloser { return &guest{ReadWriteCloser: channel} }

// Read acknowledges what it returns.
func (g *guest) Read(p []byte) (int, error) {
	n, err := g.ReadWriteCloser.Read(p)
	if n > 0 {
		if ackErr := g.frame(kindRead, n, nil); err == nil {
			err = ackErr
		}
	}
	return n, err
}

// Write sends frames.
func (g *guest) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n := min(len(p)-written, largest)
		if err := g.frame(kindData, n, p[written:written+n]); err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

func (g *guest) frame(kind byte, n int, data []byte) error {
	frame := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(n))
	g.mu.Lock()
	defer g.mu.Unlock()
	_, err := g.ReadWriteCloser.Write(append(frame, data...))
	return err
}
