package guest

import (
	"errors"
	"os"
	"time"
)

// pipes is a channel made of two pipes.
type pipes struct{ r, w *os.File }

func (p *pipes) Read(b []byte) (int, error)  { return p.r.Read(b) }
func (p *pipes) Write(b []byte) (int, error) { return p.w.Write(b) }

// Close ends both directions; a Read under way comes back.
func (p *pipes) Close() error { return errors.Join(p.w.Close(), p.r.Close()) }

// SetDeadline bounds reads and writes, as that of a net.Conn does.
func (p *pipes) SetDeadline(t time.Time) error {
	return errors.Join(p.r.SetDeadline(t), p.w.SetDeadline(t))
}
