package results

import (
	"strconv"
	"strings"
	"time"
)

// xmlBuf builds XML by appending. encoding/xml writes every line break of a text as a character reference, which makes
// reports unreadable, so this is written by hand; reading uses encoding/xml.
type xmlBuf []byte

// raw appends markup as it is.
func (b *xmlBuf) raw(s string) { *b = append(*b, s...) }

// attr appends an attribute. Line breaks and tabs are kept as character references.
func (b *xmlBuf) attr(name, value string) {
	*b = append(*b, ' ')
	*b = append(*b, name...)
	*b = append(*b, `="`...)
	*b = appendEscaped(*b, clean(value), true)
	*b = append(*b, '"')
}

func (b *xmlBuf) attrInt(name string, n int) { b.attr(name, strconv.Itoa(n)) }

// attrSeconds appends a duration in seconds as a plain decimal: an xs:decimal has no exponent.
func (b *xmlBuf) attrSeconds(name string, d time.Duration) {
	b.attr(name, strconv.FormatFloat(max(0, d.Seconds()), 'f', 6, 64))
}

// attrTime appends a time with its zone, or nothing for the zero time.
func (b *xmlBuf) attrTime(name string, t time.Time) {
	if !t.IsZero() {
		b.attr(name, t.Format(time.RFC3339))
	}
}

// text appends character data.
func (b *xmlBuf) text(s string) { *b = appendEscaped(*b, clean(s), false) }

// appendEscaped appends s, which clean made safe, with the characters escaped that mean something in XML.
func appendEscaped(dst []byte, s string, attr bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>' && strings.HasSuffix(s[:i], "]]"): // "]]>" may not occur in a text; "->" stays readable
			dst = append(dst, "&gt;"...)
		case attr && c == '"':
			dst = append(dst, "&quot;"...)
		case attr && c == '\n':
			dst = append(dst, "&#xA;"...)
		case attr && c == '\t':
			dst = append(dst, "&#x9;"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
