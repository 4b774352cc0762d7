package guest

import (
	"bufio"
	"io"
	"strings"
	"sync"
	"time"
)

// Line is one line of a guest's console.
type Line struct {
	At   time.Time // when it came out
	Text string
}

// consoleLimit is how many lines are kept, the last ones; longLine how many bytes of one.
const (
	consoleLimit = 20_000
	longLine     = 4096
)

// Console keeps what a guest prints. It is safe for concurrent use.
type Console struct {
	mu      sync.Mutex
	lines   []Line
	dropped int
	done    chan struct{}
}

// follow reads to the end.
func follow(r io.ReadCloser) *Console {
	c := &Console{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer r.Close()
		in := bufio.NewReaderSize(r, longLine)
		for {
			text, _, err := in.ReadLine()
			if err != nil {
				return
			}
			c.add(strings.TrimRight(string(text), "\r"))
		}
	}()
	return c
}

func (c *Console) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, Line{time.Now(), text})
	if len(c.lines) > consoleLimit {
		c.dropped += consoleLimit / 2
		c.lines = append([]Line(nil), c.lines[consoleLimit/2:]...)
	}
}

// Mark is the number of lines so far.
func (c *Console) Mark() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped + len(c.lines)
}

// Since lists the lines after a mark, as far as they are kept.
func (c *Console) Since(mark int) []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := min(max(mark-c.dropped, 0), len(c.lines))
	return append([]Line(nil), c.lines[first:]...)
}

// Text is all that is kept.
func (c *Console) Text() string { return c.TextSince(0) }

// TextSince is the lines after a mark, as far as they are kept.
func (c *Console) TextSince(mark int) string {
	var b strings.Builder
	for _, l := range c.Since(mark) {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// Done is closed when nothing more will come.
func (c *Console) Done() <-chan struct{} { return c.done }
