package campaign

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/results"
)

// plainEnvironment takes away what changes how a screen looks.
func plainEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "CI"} {
		t.Setenv(name, "")
	}
	t.Setenv("TERM", "xterm")
}

// terminal is a pseudo terminal of 100 columns; read returns what was written to it so far.
func terminal(t *testing.T) (tty *os.File, read func() string) {
	t.Helper()
	main, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("needs pseudo terminals: ", err)
	}
	t.Cleanup(func() { main.Close() })
	fd := int(main.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return tty, func() string {
		tty.Close() // what comes after the end is EIO
		said, _ := io.ReadAll(main)
		return string(said)
	}
}

// file is a file to write to; read returns what was written.
func file(t *testing.T) (out *os.File, read func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return out, func() string {
		out.Close()
		said, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(said)
	}
}

var hang = results.Case{
	ID: caseID("proof/hangs"), Verdict: results.Hang, Message: "blocked in pread", Attempts: 3, Failures: 2,
	Attachments: []string{"out/report.txt"}, Repro: "faultline repro out/program.prog",
}

// play shows a small run.
func play(s *Screen) {
	sum := results.NewSummary(3)
	for _, c := range []results.Case{{ID: caseID("proof/passes"), Verdict: results.Pass}, hang, {ID: caseID("proof/skips"), Verdict: results.Skip, Message: "needs punch"}} {
		sum.Add(c)
		s.shown = time.Time{} // as if the time for a line of progress had come
		s.Case(c, sum.Totals())
	}
	s.End(sum)
}

const told = "HANG proof/hangs on ext4.default.dir\n" +
	"    blocked in pread\n" +
	"    failed 2 of 3 attempts\n" +
	"    report: out/report.txt\n" +
	"    again:  faultline repro out/program.prog\n"

func TestScreenInAFile(t *testing.T) {
	plainEnvironment(t)
	g := gomega.NewWithT(t)
	out, read := file(t)
	play(NewScreen(out, "auto"))
	said := read()
	g.Expect(said).To(gomega.ContainSubstring(told))
	g.Expect(said).NotTo(gomega.ContainSubstring("\x1b"))
	g.Expect(said).NotTo(gomega.ContainSubstring("\r"))
	g.Expect(said).To(gomega.MatchRegexp(`(?m)^3 of 3, 1 failed, 1 skipped, \d+/s$`))
	g.Expect(said).To(gomega.MatchRegexp(`(?m)^1 of 3, \d+/s, \d+s left$`))
	g.Expect(said).To(gomega.MatchRegexp(`\nFAIL  1 passed, 1 failed, 1 skipped, 0 broken in [\d.]+m?s\n$`))
}

func TestScreenOnATerminal(t *testing.T) {
	plainEnvironment(t)
	g := gomega.NewWithT(t)
	tty, read := terminal(t)
	play(NewScreen(tty, "auto"))
	said := read()
	g.Expect(said).To(gomega.ContainSubstring("\r\x1b[K\x1b[31mHANG\x1b[0m \x1b[1mproof/hangs\x1b[0m on ext4.default.dir\r\n"), "the line of progress gives way")
	g.Expect(said).To(gomega.MatchRegexp(`3 of 3, \x1b\[31m1 failed\x1b\[0m, 1 skipped, \d+/s\r\x1b\[K`))
	g.Expect(said).To(gomega.ContainSubstring("\x1b[31mFAIL\x1b[0m  1 passed"))
}

func TestColourAndLiveLine(t *testing.T) {
	for name, row := range map[string]struct {
		flag, variable, value string
		tty, live, colour     bool
	}{
		"terminal":                    {"auto", "", "", true, true, true},
		"file":                        {"auto", "", "", false, false, false},
		"terminal in CI":              {"auto", "CI", "true", true, false, true},
		"terminal, NO_COLOR":          {"auto", "NO_COLOR", "1", true, true, false},
		"terminal, TERM=dumb":         {"auto", "TERM", "dumb", true, false, false},
		"file, CLICOLOR_FORCE":        {"auto", "CLICOLOR_FORCE", "1", false, false, true},
		"file, FORCE_COLOR":           {"auto", "FORCE_COLOR", "1", false, false, true},
		"terminal, never":             {"never", "CLICOLOR_FORCE", "1", true, true, false},
		"file, always":                {"always", "", "", false, false, true},
		"file, always beats NO_COLOR": {"always", "NO_COLOR", "1", false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			plainEnvironment(t)
			if row.variable != "" {
				t.Setenv(row.variable, row.value)
			}
			open := file
			if row.tty {
				open = terminal
			}
			out, read := open(t)
			play(NewScreen(out, row.flag))
			said := read()
			g := gomega.NewWithT(t)
			g.Expect(strings.Contains(said, "\x1b[K")).To(gomega.Equal(row.live), "a live line: %q", said)
			g.Expect(strings.Contains(said, "\x1b[31m")).To(gomega.Equal(row.colour), "colour: %q", said)
		})
	}
}

func TestScreenRates(t *testing.T) {
	plainEnvironment(t)
	g := gomega.NewWithT(t)
	out, read := file(t)
	s := NewScreen(out, "auto")
	s.Resumed(1000)
	s.began, s.shown = time.Now().Add(-10*time.Second), time.Time{}
	s.Case(results.Case{ID: caseID("proof/passes"), Verdict: results.Pass}, results.Totals{Planned: 2100, Pass: 1100})
	g.Expect(read()).To(gomega.Equal("1100 of 2100, 10/s, 1m40s left\n"), "what was done before this part has no part in the rate")
}

func TestVerboseScreen(t *testing.T) {
	plainEnvironment(t)
	g := gomega.NewWithT(t)
	out, read := file(t)
	s := NewScreen(out, "auto")
	s.Verbose = true
	play(s)
	g.Expect(read()).To(gomega.And(gomega.ContainSubstring("proof/passes"), gomega.ContainSubstring("proof/skips")))
}

func TestLastWordOfScreen(t *testing.T) {
	for want, cases := range map[string][]results.Verdict{
		"PASS":        {results.Pass, results.Skip},
		"FAIL":        {results.Pass, results.Broken, results.Crash},
		"INCOMPLETE":  {results.Pass, results.Broken},
		"NOTHING RAN": nil,
	} {
		t.Run(want, func(t *testing.T) {
			plainEnvironment(t)
			out, read := file(t)
			s := NewScreen(out, "never")
			sum := results.NewSummary(len(cases))
			for i, v := range cases {
				sum.Add(results.Case{ID: caseID(fmt.Sprint("proof/", i)), Verdict: v, Message: "because"})
			}
			s.End(sum)
			lines := strings.Split(strings.TrimSpace(read()), "\n")
			gomega.NewWithT(t).Expect(lines[len(lines)-1]).To(gomega.HavePrefix(want + "  "))
		})
	}
}

// A nil Screen shows nothing, and works.
func TestNoScreen(*testing.T) {
	var s *Screen
	s.Println("x")
	s.Resumed(1)
	sum := results.NewSummary(0)
	s.Case(hang, sum.Totals())
	s.End(sum)
}
