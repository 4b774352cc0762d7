package results

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// escapes matches the terminal sequences of ECMA-48: CSI, the string commands (OSC, DCS, SOS, PM, APC), and the short ones.
// A string command that never ends stops at the end of its line, so that it cannot swallow evidence.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]" +
	"|\x1b[\\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\\\)?" +
	"|\x1b[ -/]*[0-~]?")

// clean makes s safe for XML 1.0 and for terminals: valid UTF-8, no terminal sequences, and no control or non-characters
// but tab and newline. A carriage return before a newline goes away, any other becomes a newline.
func clean(s string) string {
	if isPlain(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = escapes.ReplaceAllString(s, "")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case r == '\r':
			return '\n'
		case r < 0x20, r >= 0x7f && r <= 0x9f, r == 0xFFFE, r == 0xFFFF:
			return -1
		}
		return r
	}, s)
}

// isPlain reports whether s is printable ASCII, tabs and newlines only, so that clean has nothing to do.
func isPlain(s string) bool {
	for i := range len(s) {
		if b := s[i]; b >= 0x7f || b < 0x20 && b != '\t' && b != '\n' {
			return false
		}
	}
	return true
}

// oneLine is clean for a text that must stay on one line: line breaks and tabs become spaces.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, clean(s)))
}

// clip shortens s to at most limit bytes. What is cut is said at the end, with where the full text is, if that is known.
// The note counts towards the limit; a limit too small for the note gives a bare cut.
func clip(s string, limit int, where string) string {
	if len(s) <= limit {
		return s
	}
	note := fmt.Sprintf("\n[cut here: %d bytes in all", len(s))
	if where != "" {
		note += "; full text in " + where
	}
	note += "]"
	if len(note) > limit {
		note = ""
	}
	return cutBytes(s, limit-len(note)) + note
}

// clipLine is clip for one line: the cut is marked by "...".
func clipLine(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return cutBytes(s, limit-len("...")) + "..."
}

// cutBytes is a prefix of s with at most n bytes that does not split a character.
func cutBytes(s string, n int) string {
	n = max(0, min(n, len(s)))
	for i := n; i > 0 && i > n-utf8.UTFMax; i-- {
		if i == len(s) || utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n] // not UTF-8 here, or nothing left
}
