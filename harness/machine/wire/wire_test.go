package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// soon is for what happens within a second on an idle machine.
const soon = time.Minute

func TestFramesComeBack(t *testing.T) {
	g := gomega.NewWithT(t)
	var all []byte
	frames := []Frame{{Call, 1, []byte("one")}, {End, 1 << 31, nil}, {Data, 3, bytes.Repeat([]byte("x"), 100_000)}}
	for _, f := range frames {
		all = f.Append(all)
	}
	from := bytes.NewReader(all)
	for _, want := range frames {
		f, err := Read(from)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(f.Kind).To(gomega.Equal(want.Kind))
		g.Expect(f.ID).To(gomega.Equal(want.ID))
		g.Expect(string(f.Body)).To(gomega.Equal(string(want.Body)))
	}
	_, err := Read(from)
	g.Expect(err).To(gomega.Equal(io.EOF))
}

// Every byte that is changed or lost is noticed.
func TestTornFrames(t *testing.T) {
	g := gomega.NewWithT(t)
	whole := Frame{Answer, 7, []byte("an answer")}.Append(nil)
	for i := range whole {
		changed := bytes.Clone(whole)
		changed[i] ^= 0x40
		_, err := Read(bytes.NewReader(changed))
		g.Expect(errors.Is(err, ErrTorn) || errors.Is(err, io.ErrUnexpectedEOF)).To(gomega.BeTrue(), "byte %d changed: %v", i, err)
		_, err = Read(bytes.NewReader(append(bytes.Clone(whole[:i]), whole[i+1:]...)))
		g.Expect(err).To(gomega.HaveOccurred(), "byte %d lost", i)
		if i > 0 {
			_, err = Read(bytes.NewReader(whole[:i]))
			g.Expect(err).To(gomega.Equal(io.ErrUnexpectedEOF), "cut at %d", i)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(Frame{Answer, 7, []byte("an answer")}.Append(nil))
	f.Add([]byte("printk: noise on the line"))
	f.Add(binary.LittleEndian.AppendUint32(nil, MaxBody))
	f.Fuzz(func(t *testing.T, b []byte) {
		from := bytes.NewReader(b)
		frame, err := Read(from)
		if err != nil {
			return
		}
		if again := frame.Append(nil); !bytes.Equal(again, b[:len(b)-from.Len()]) {
			t.Errorf("%x was read as %+v, which is %x", b, frame, again)
		}
	})
}

// pair is two links with each other; what each has got comes out of its channel.
func pair(t *testing.T, silence int) (a, b *Link, gotA, gotB chan Frame) {
	t.Helper()
	left, right := net.Pipe()
	gotA, gotB = make(chan Frame, 1000), make(chan Frame, 1000)
	a, b = linkOn(left, silence, gotA), linkOn(right, silence, gotB)
	t.Cleanup(func() { a.Fail(io.EOF); b.Fail(io.EOF) })
	return a, b, gotA, gotB
}

func linkOn(rw io.ReadWriteCloser, silence int, got chan<- Frame) *Link {
	return NewLink(rw, Peer{Silence: silence, Handle: func(f Frame) {
		if f.Kind != Beat {
			got <- f
		}
	}})
}

func TestFramesArriveInOrder(t *testing.T) {
	g := gomega.NewWithT(t)
	a, _, _, got := pair(t, 60)
	sent := make(chan struct{})
	for id := range uint32(500) {
		g.Expect(a.Send(Frame{Kind: Call, ID: id}, Frame{Kind: Answer, ID: id})).To(gomega.Succeed())
	}
	g.Expect(a.SendThen(func() { close(sent) })).To(gomega.Succeed())
	for id := range uint32(500) {
		g.Eventually(got, soon).Should(gomega.Receive(gomega.Equal(Frame{Call, id, []byte{}})))
		g.Eventually(got, soon).Should(gomega.Receive(gomega.Equal(Frame{Answer, id, []byte{}})))
	}
	g.Eventually(sent, soon).Should(gomega.BeClosed())
}

func TestTheEndReachesEverybody(t *testing.T) {
	g := gomega.NewWithT(t)
	a, b, _, _ := pair(t, 60)
	s := NewStream(b, 1)
	read := make(chan error, 1)
	go func() { _, err := s.Read(make([]byte, 1)); read <- err }()
	a.Fail(errors.New("enough"))
	g.Eventually(b.Done(), soon).Should(gomega.BeClosed())
	g.Expect(a.Err()).To(gomega.MatchError("enough"))
	g.Expect(a.Send(Frame{Kind: Call})).To(gomega.MatchError("enough"))
	g.Expect(b.Err()).To(gomega.MatchError(io.EOF))
	g.Eventually(read, soon).Should(gomega.Receive(gomega.MatchError(io.EOF)))
	_, err := s.Write([]byte("x"))
	g.Expect(err).To(gomega.MatchError(io.EOF))
	late := make(chan struct{})
	b.OnEnd(func() { close(late) })
	g.Expect(late).To(gomega.BeClosed())
}

// deaf is a channel whose other end has gone after its last words: nothing can be written, and only then are they read.
type deaf struct {
	words  io.Reader
	failed chan struct{}
	once   sync.Once
}

func (d *deaf) Write([]byte) (int, error) {
	d.once.Do(func() { close(d.failed) })
	return 0, io.ErrClosedPipe
}

func (d *deaf) Read(p []byte) (int, error) {
	<-d.failed
	return d.words.Read(p)
}

func (d *deaf) Close() error { return nil }

func TestLastWordsAreReadWhenNothingCanBeWritten(t *testing.T) {
	g := gomega.NewWithT(t)
	words := Frame{Begun, 1, []byte("12345678")}.Append(nil)
	heard := make(chan Frame, 1)
	l := NewLink(&deaf{words: bytes.NewReader(words), failed: make(chan struct{})}, Peer{Handle: func(f Frame) { heard <- f }, Silence: 60})
	g.Eventually(l.Done(), soon).Should(gomega.BeClosed())
	g.Expect(heard).To(gomega.Receive(gomega.HaveField("Kind", Begun)))
	g.Expect(l.Err()).To(gomega.MatchError(io.EOF))
}

// A side that says nothing is given up, unless it cannot help it.
func TestSilence(t *testing.T) {
	g := gomega.NewWithT(t)
	mute, _ := net.Pipe()
	var asked sync.Once
	starved := make(chan struct{})
	l := NewLink(mute, Peer{Silence: 1, Handle: func(Frame) {}, Starved: func(seconds int) bool {
		asked.Do(func() { close(starved) })
		return seconds < 1
	}})
	g.Eventually(starved, soon).Should(gomega.BeClosed())
	g.Eventually(l.Done(), soon).Should(gomega.BeClosed())
	g.Expect(l.Err()).To(gomega.MatchError(ErrSilent))
}

// Beats are enough to be taken for alive.
func TestBeatsAreHeard(t *testing.T) {
	g := gomega.NewWithT(t)
	a, b, _, _ := pair(t, 3)
	g.Consistently(func() error { return errors.Join(a.Err(), b.Err()) }, "5s", "100ms").Should(gomega.Succeed())
}

func TestTooLargeAFrameIsRefused(t *testing.T) {
	g := gomega.NewWithT(t)
	a, _, _, _ := pair(t, 60)
	g.Expect(a.Send(Frame{Body: make([]byte, MaxBody+1)})).To(gomega.MatchError(gomega.HavePrefix("send 16777217 bytes")))
	g.Expect(a.Err()).NotTo(gomega.HaveOccurred())
}

// streams are two ends of one stream.
func streams(t *testing.T) (near, far *Stream) {
	t.Helper()
	left, right := net.Pipe()
	var ready sync.WaitGroup
	ready.Add(1)
	l := NewLink(left, Peer{Silence: 60, Handle: func(f Frame) { ready.Wait(); near.Handle(f) }})
	r := NewLink(right, Peer{Silence: 60, Handle: func(f Frame) { ready.Wait(); far.Handle(f) }})
	near, far = NewStream(l, 5), NewStream(r, 5)
	ready.Done()
	t.Cleanup(func() { l.Fail(io.EOF); r.Fail(io.EOF) })
	return near, far
}

func TestStreamsCarryMoreThanAWindow(t *testing.T) {
	g := gomega.NewWithT(t)
	near, far := streams(t)
	text := strings.Repeat("0123456789", 5*window/10)
	go func() {
		io.WriteString(near, text)
		near.Close()
	}()
	got, err := io.ReadAll(far)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(got) == text).To(gomega.BeTrue())
	g.Expect(near.Close()).To(gomega.MatchError(os.ErrClosed))
	_, err = near.Write([]byte("x"))
	g.Expect(err).To(gomega.MatchError(os.ErrClosed))
	_, err = io.WriteString(far, "the other way is open")
	g.Expect(err).NotTo(gomega.HaveOccurred())
}

// A writer waits once a window is full, and is freed by Refuse.
func TestAFullWindow(t *testing.T) {
	g := gomega.NewWithT(t)
	near, _ := streams(t)
	written := make(chan int, 1)
	go func() {
		n, _ := near.Write(make([]byte, 2*window))
		written <- n
	}()
	g.Consistently(written, "200ms").ShouldNot(gomega.Receive())
	near.Refuse()
	g.Eventually(written, soon).Should(gomega.Receive(gomega.Equal(window)))
}

// Whoever sends more than was allowed is cut off.
func TestAWindowIsKept(t *testing.T) {
	g := gomega.NewWithT(t)
	near, far := streams(t)
	for range 1 + window/chunk {
		g.Expect(near.link.Send(Frame{Data, near.id, make([]byte, chunk)})).To(gomega.Succeed())
	}
	g.Eventually(far.link.Done(), soon).Should(gomega.BeClosed())
	g.Expect(far.link.Err()).To(gomega.MatchError(ErrTorn))
}

func TestNoGoroutineIsLeft(t *testing.T) {
	g := gomega.NewWithT(t)
	before := runtime.NumGoroutine()
	for range 20 {
		left, right := net.Pipe()
		a, b := NewLink(left, Peer{Silence: 60, Handle: func(Frame) {}}), NewLink(right, Peer{Silence: 60, Handle: func(Frame) {}})
		a.Send(Frame{Kind: Call})
		b.Fail(io.EOF)
		<-a.Done()
	}
	g.Eventually(runtime.NumGoroutine, soon).Should(gomega.BeNumerically("<=", before))
}

func TestTimesOfTheAgent(t *testing.T) {
	g := gomega.NewWithT(t)
	began := time.Now()
	there := ToWire(began.Add(1500*time.Millisecond), began)
	zero := began.Add(time.Hour)
	g.Expect(FromWire(there, zero).Equal(zero.Add(1500 * time.Millisecond))).To(gomega.BeTrue())
}
