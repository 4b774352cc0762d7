package credit_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/machine/credit"
)

// counted is a line that says how much was written to it and not read at the other end.
type counted struct {
	net.Conn
	mu    *sync.Mutex
	under *int
	most  *int
}

func (c counted) Write(p []byte) (int, error) {
	c.mu.Lock()
	*c.under += len(p)
	*c.most = max(*c.most, *c.under)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// reader takes off what it has read.
type reader struct {
	net.Conn
	mu    *sync.Mutex
	under *int
}

func (r reader) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	*r.under -= n
	r.mu.Unlock()
	return n, err
}

// line is a socket pair with room for everything, so that nothing but credit holds the host back.
func line(t *testing.T) (host, guest net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if host, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if guest, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); guest.Close() })
	return host, guest
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

// What goes in comes out, both ways at once, and never is more under way to the guest than the window.
func TestBothWaysWithinTheWindow(t *testing.T) {
	g := gomega.NewWithT(t)
	a, b := line(t)
	var mu sync.Mutex
	var under, most int
	h := credit.Host(counted{a, &mu, &under, &most})
	v := credit.Guest(reader{b, &mu, &under})
	down, up := noise(300_000), noise(3_000_000)
	var all sync.WaitGroup
	send := func(w io.Writer, p []byte) {
		for len(p) > 0 {
			n := min(len(p), 7777)
			if _, err := w.Write(p[:n]); err != nil {
				t.Error(err)
				return
			}
			p = p[n:]
		}
	}
	expect := func(r io.Reader, want []byte) {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes did not come through: %v", len(want), err)
		}
	}
	all.Go(func() { send(h, down) })
	all.Go(func() { send(v, up) })
	all.Go(func() { expect(v, down) })
	all.Go(func() {
		expect(h, up)
		go io.Copy(io.Discard, h) // acknowledgements
	})
	all.Wait()
	g.Expect(most).To(gomega.BeNumerically(">", 0))
	g.Expect(most).To(gomega.BeNumerically("<=", credit.Window))
}

func TestWhoWaitsIsWoken(t *testing.T) {
	for name, end := range map[string]func(h io.Closer, guest net.Conn){
		"closed": func(h io.Closer, _ net.Conn) { h.Close() },
		"ended":  func(_ io.Closer, guest net.Conn) { guest.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			a, b := line(t)
			h := credit.Host(a)
			go io.Copy(io.Discard, h)
			result := make(chan error, 1)
			go func() {
				_, err := h.Write(make([]byte, credit.Window+1))
				result <- err
			}()
			g.Expect(io.ReadFull(b, make([]byte, credit.Window))).To(gomega.Equal(credit.Window))
			g.Consistently(result, 20*time.Millisecond).ShouldNot(gomega.Receive())
			end(h, b)
			g.Eventually(result, 10*time.Second).Should(gomega.Receive(gomega.HaveOccurred()))
		})
	}
}

func TestTornFramesEndTheChannel(t *testing.T) {
	for name, bytes := range map[string]string{
		"kind": "x\x01\x00\x00\x00", "long": "d\x00\x00\x00\x80", "too much read": "r\x01\x0c\x00\x00", "half": "d\x05",
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			a, b := line(t)
			_, err := b.Write([]byte(bytes))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(b.Close()).To(gomega.Succeed())
			_, err = credit.Host(a).Read(make([]byte, 10))
			g.Expect(err).To(gomega.HaveOccurred())
			g.Expect(errors.Is(err, io.EOF)).To(gomega.BeFalse())
		})
	}
}
