package campaign

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"faultline/results"
)

// Screen is what a person sees of a run: on a terminal a line that is written over again and again, elsewhere plain lines. Failures are
// told at once. A nil Screen shows nothing.
type Screen struct {
	// Verbose prints a line for every case.
	Verbose bool
	out     io.Writer
	live    bool
	colour  bool

	mu     sync.Mutex
	began  time.Time
	shown  time.Time
	before int // cases that an earlier part of the run has judged
	width  int
	status bool
}

// NewScreen writes to out. The live line needs a terminal and no CI; colour is as for Colour.
func NewScreen(out *os.File, colour string) *Screen {
	s := &Screen{out: out, live: isTerminal(out) && os.Getenv("CI") == "", colour: Colour(out, colour), began: time.Now(), shown: time.Now(), width: 80}
	if w, _, err := term.GetSize(int(out.Fd())); err == nil && w > 20 {
		s.width = w
	}
	return s
}

func isTerminal(out *os.File) bool {
	return term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb"
}

// Colour says whether to write colours to out, by the user's wish: "auto", "always" or "never". It obeys NO_COLOR (no-color.org), CLICOLOR_FORCE and
// TERM=dumb.
func Colour(out *os.File, wish string) bool {
	switch {
	case wish == "always":
		return true
	case wish == "never", os.Getenv("NO_COLOR") != "":
		return false
	case os.Getenv("CLICOLOR_FORCE") != "" || os.Getenv("FORCE_COLOR") != "":
		return true
	}
	return isTerminal(out)
}

const (
	red, green, yellow, bold = "31", "32", "33", "1"
	// statusEvery keeps CI systems that end silent jobs content.
	statusEvery = 30 * time.Second
	liveEvery   = 100 * time.Millisecond
)

func (s *Screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Println writes a line above the live one.
func (s *Screen) Println(text string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.println(text)
}

func (s *Screen) println(text string) {
	s.wipe()
	fmt.Fprintln(s.out, text)
}

func (s *Screen) wipe() {
	if s.status {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.status = false
	}
}

// Resumed tells how many cases were judged before this part of the run, for the rate.
func (s *Screen) Resumed(n int) {
	if s != nil {
		s.before = n
	}
}

// Case shows one verdict and the progress so far.
func (s *Screen) Case(c results.Case, t results.Totals) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.Verdict != results.Pass && c.Verdict != results.Skip:
		s.failure(c)
	case s.Verbose:
		s.println(c.Line(0))
	}
	s.tick(t)
}

// Progress shows how far something is that has no verdicts.
func (s *Screen) Progress(done, planned int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick(results.Totals{Planned: planned, Pass: done})
}

// Wipe takes the live line away.
func (s *Screen) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
}

// tick shows the progress now and then.
func (s *Screen) tick(t results.Totals) {
	every := statusEvery
	if s.live {
		every = liveEvery
	}
	if now := time.Now(); now.Sub(s.shown) >= every {
		s.shown = now
		s.progress(t)
	}
}

func (s *Screen) failure(c results.Case) {
	colour := red
	if c.Verdict == results.Broken {
		colour = yellow
	}
	s.println(s.paint(colour, strings.ToUpper(string(c.Verdict))) + " " + s.paint(bold, c.Name) + " on " + c.Class)
	s.println("    " + c.Message)
	if rate := c.Rate(); rate != "" {
		s.println("    " + rate)
	}
	if len(c.Attachments) > 0 {
		s.println("    report: " + c.Attachments[0])
	}
	if c.Repro != "" {
		s.println("    again:  " + c.Repro)
	}
}

func (s *Screen) progress(t results.Totals) {
	done := t.Judged()
	elapsed := time.Since(s.began)
	rate := float64(done-s.before) / max(elapsed.Seconds(), 0.001)
	line := fmt.Sprintf("%d of %d", done, t.Planned)
	if t.Planned == 0 {
		line = fmt.Sprintf("%d done", done) // a suite does not tell beforehand
	}
	if t.Bad() > 0 {
		line += ", " + s.paint(red, fmt.Sprintf("%d failed", t.Bad()))
	}
	if t.Skip > 0 {
		line += fmt.Sprintf(", %d skipped", t.Skip)
	}
	line += fmt.Sprintf(", %.0f/s", rate)
	if left := t.Planned - done; left > 0 && rate > 0 {
		line += fmt.Sprintf(", %v left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	if !s.live {
		s.println(line)
		return
	}
	s.wipe()
	fmt.Fprint(s.out, line)
	s.status = true
}

// End shows the summary.
func (s *Screen) End(sum *results.Summary) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	_ = sum.Write(s.out) // a terminal that is gone has no one to tell
	t := sum.Totals()
	word := s.paint(green, "PASS")
	switch {
	case t.Bad() > 0:
		word = s.paint(red, "FAIL")
	case t.Broken > 0 || t.Missing() > 0:
		word = s.paint(yellow, "INCOMPLETE")
	case t.Judged() == 0:
		word = s.paint(yellow, "NOTHING RAN")
	}
	fmt.Fprintf(s.out, "%s  %d passed, %d failed, %d skipped, %d broken in %v\n", word, t.Pass, t.Bad(), t.Skip, t.Broken+t.Missing(), time.Since(s.began).Round(100*time.Millisecond))
}
