package prog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// lexer reads one line from left to right; white space between tokens does not matter.
type lexer struct{ rest string }

func (l *lexer) skip() {
	i := 0
	for i < len(l.rest) && (l.rest[i] == ' ' || l.rest[i] == '\t') {
		i++
	}
	l.rest = l.rest[i:]
}

func (l *lexer) next(token string) bool {
	l.skip()
	return strings.HasPrefix(l.rest, token)
}

func (l *lexer) accept(token string) bool {
	if !l.next(token) {
		return false
	}
	l.rest = l.rest[len(token):]
	return true
}

// word accepts a whole word: "on", but not the beginning of "once".
func (l *lexer) word(token string) bool {
	if !l.next(token) || len(l.rest) > len(token) && isWord(l.rest[len(token)]) {
		return false
	}
	return l.accept(token)
}

func (l *lexer) expect(token string) error {
	if !l.accept(token) {
		return l.wanted(strconv.Quote(token))
	}
	return nil
}

func (l *lexer) end() error {
	if l.skip(); l.rest != "" {
		return l.wanted("the end of the line")
	}
	return nil
}

// wanted is the error that says what stands here and what should.
func (l *lexer) wanted(what string) error {
	l.skip()
	if l.rest == "" {
		return fmt.Errorf("found the end of the line, wanted %s", what)
	}
	found := l.rest
	if len(found) > 40 {
		found = strings.ToValidUTF8(found[:40], "") + "..."
	}
	return fmt.Errorf("found %q, wanted %s", found, what)
}

// take cuts off the longest prefix of bytes that ok accepts.
func (l *lexer) take(ok func(byte) bool) string {
	l.skip()
	i := 0
	for i < len(l.rest) && ok(l.rest[i]) {
		i++
	}
	token := l.rest[:i]
	l.rest = l.rest[i:]
	return token
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWord(c byte) bool  { return isLower(c) || isUpper(c) || isDigit(c) || c == '_' }

func (l *lexer) upper() bool {
	l.skip()
	return l.rest != "" && isUpper(l.rest[0])
}

// ident reads a lower-case name: an operation, a descriptor, a mapping.
func (l *lexer) ident(what string) (string, error) {
	l.skip()
	if l.rest == "" || !isLower(l.rest[0]) {
		return "", l.wanted(what)
	}
	return l.take(isWord), nil
}

// fileName reads an upper-case name, with directories: A, D/B.
func (l *lexer) fileName() (string, error) {
	if !l.upper() {
		return "", l.wanted("a file name such as A or D/B")
	}
	name := l.take(isWord)
	for strings.HasPrefix(l.rest, "/") && len(l.rest) > 1 && isUpper(l.rest[1]) {
		l.rest = l.rest[1:]
		name += "/" + l.take(isWord)
	}
	return name, nil
}

func (l *lexer) words(allowed []string) (Words, error) {
	var list Words
	for {
		word := l.take(isWord)
		at := slices.Index(allowed, word)
		if at < 0 {
			l.rest = word + l.rest
			return nil, l.wanted("one of " + strings.Join(allowed, " "))
		}
		if list == nil {
			list = allowed[at : at+1 : at+1] // a single word, as most are, needs no memory of its own
		} else {
			list = append(list, word)
		}
		if !l.accept("|") {
			return list, nil
		}
	}
}

func (l *lexer) size() (Size, error) {
	l.skip()
	i := 0
	if strings.HasPrefix(l.rest, "-") {
		i++
	}
	for i < len(l.rest) && isDigit(l.rest[i]) {
		i++
	}
	if i < len(l.rest) && l.rest[i] == 'p' {
		i++
		// A sign belongs to the size only when digits follow at once: "hole*1p + 'b'" has none.
		if i+1 < len(l.rest) && (l.rest[i] == '+' || l.rest[i] == '-') && isDigit(l.rest[i+1]) {
			for i++; i < len(l.rest) && isDigit(l.rest[i]); i++ {
			}
		}
	}
	s, err := ParseSize(l.rest[:i])
	if err != nil {
		return s, l.wanted("a size such as 1p, 2p+512 or 40")
	}
	l.rest = l.rest[i:]
	return s, nil
}

func (l *lexer) buf() (Buf, error) {
	var b Buf
	b.Vector = l.accept("{")
	for {
		r, err := l.memoryRange()
		if err != nil {
			return b, err
		}
		b.Ranges = append(b.Ranges, r)
		if !b.Vector {
			return b, nil
		}
		if l.accept("}") {
			return b, nil
		}
		if err := l.expect(","); err != nil {
			return b, err
		}
	}
}

func (l *lexer) memoryRange() (r Range, err error) {
	if r.Of, err = l.ident("a range such as m[0:1p]"); err != nil {
		return r, err
	}
	r.Whole = true
	if l.accept("[") {
		r.Whole = false
		if r.From, err = l.size(); err != nil {
			return r, err
		}
		if err = l.expect(":"); err != nil {
			return r, err
		}
		if r.To, err = l.size(); err != nil {
			return r, err
		}
		if err = l.expect("]"); err != nil {
			return r, err
		}
	}
	if l.accept("*") {
		count, err := strconv.Atoi(l.take(isDigit))
		if err != nil || count < 2 || count > maxPieces {
			return r, fmt.Errorf("found a count that is not from 2 to %d behind %s*", maxPieces, r.Of)
		}
		r.Count = count
		if err := l.expect("@"); err != nil {
			return r, err
		}
		if r.Stride, err = l.size(); err != nil {
			return r, err
		}
	}
	r.Faults = l.accept("!")
	return r, nil
}

// maxPieces is a little more than IOV_MAX (1024), so that its refusal can be tested.
const maxPieces = 1100

func (l *lexer) alts() (Alts, error) {
	var alts Alts
	for {
		d, err := l.data()
		if err != nil {
			return nil, err
		}
		alts = append(alts, d)
		if !l.accept("|") {
			return alts, nil
		}
	}
}

func (l *lexer) data() (Data, error) {
	if l.word("empty") {
		return Data{}, nil
	}
	var d Data
	for {
		runs, err := l.runs()
		if err != nil {
			return nil, err
		}
		d = append(d, runs...)
		if !l.accept("+") {
			return d, nil
		}
	}
}

// runs reads one run, or the single bytes of a string.
func (l *lexer) runs() ([]Run, error) {
	if !l.accept(`"`) {
		r, err := l.run()
		return []Run{r}, err
	}
	n := 0
	for n < len(l.rest) && isLetter(int(l.rest[n])) {
		n++
	}
	if n == 0 || n == len(l.rest) || l.rest[n] != '"' {
		return nil, l.wanted("printable characters up to a closing double quote")
	}
	runs := make([]Run, n)
	for i := range runs {
		runs[i] = Run{Len: Bytes(1), May: []Source{{Kind: Fill, ID: int(l.rest[i])}}}
	}
	l.rest = l.rest[n+1:]
	return runs, nil
}

func (l *lexer) run() (r Run, err error) {
	if !l.word("mix") {
		var s Source
		s, r.Len, err = l.source()
		r.May = []Source{s}
		return r, err
	}
	if err := l.expect("("); err != nil {
		return r, err
	}
	for {
		s, n, err := l.source()
		if err != nil {
			return r, err
		}
		if len(r.May) > 0 && n != r.Len {
			return r, fmt.Errorf("found lengths %v and %v in one mix, wanted them equal", r.Len, n)
		}
		r.Len = n
		r.May = append(r.May, s)
		if l.accept(")") {
			if len(r.May) < 2 {
				return r, fmt.Errorf("found one source in mix(), wanted at least two")
			}
			return r, nil
		}
		if err := l.expect(","); err != nil {
			return r, err
		}
	}
}

func (l *lexer) source() (s Source, n Size, err error) {
	const what = "data such as 'b'*1p, pat1*1p, hole*1p, zero*1p, unwritten*1p, any*1p"
	l.skip()
	if strings.HasPrefix(l.rest, "'") {
		return l.fill()
	}
	before := l.rest
	word := l.take(isWord)
	if digits, isPattern := strings.CutPrefix(word, "pat"); isPattern {
		if s.ID, err = strconv.Atoi(digits); err != nil || s.ID > 1<<30 {
			l.rest = before
			return s, n, l.wanted("a pattern such as pat1")
		}
		s.Kind = Pattern
		if l.accept("[") {
			return l.patternSlice(s)
		}
	} else if kind, known := sourceWords[word]; known {
		s.Kind = kind
	} else {
		l.rest = before
		return s, n, l.wanted(what)
	}
	if err := l.expect("*"); err != nil {
		return s, n, err
	}
	n, err = l.length()
	return s, n, err
}

func (l *lexer) patternSlice(s Source) (Source, Size, error) {
	var err error
	if s.From, err = l.size(); err != nil {
		return s, Size{}, err
	}
	if err := l.expect(":"); err != nil {
		return s, Size{}, err
	}
	to, err := l.size()
	if err != nil {
		return s, Size{}, err
	}
	if !s.From.AtMost(to) || !Bytes(0).AtMost(s.From) {
		return s, Size{}, fmt.Errorf("found a slice from %v to %v, wanted 0 <= from <= to", s.From, to)
	}
	return s, to.Minus(s.From), l.expect("]")
}

func (l *lexer) fill() (Source, Size, error) {
	r, _, tail, err := strconv.UnquoteChar(l.rest[1:], '\'')
	if err != nil || r > 0xff || !strings.HasPrefix(tail, "'") {
		return Source{}, Size{}, l.wanted("a byte such as 'b'")
	}
	l.rest = tail[1:]
	s := Source{Kind: Fill, ID: int(r)}
	if !l.accept("*") {
		return s, Bytes(1), nil
	}
	n, err := l.length()
	return s, n, err
}

func (l *lexer) length() (Size, error) {
	n, err := l.size()
	if err == nil && !Bytes(0).AtMost(n) {
		err = fmt.Errorf("found length %v, wanted at least 0", n)
	}
	return n, err
}

func (l *lexer) outcomes() (Expect, error) {
	var e Expect
	for {
		o, err := l.outcome()
		if err != nil {
			return nil, err
		}
		e = append(e, o)
		if !l.accept("|") {
			return e, nil
		}
	}
}

func (l *lexer) outcome() (o Outcome, err error) {
	l.skip()
	switch {
	case l.upper():
		o.Err = l.take(isWord)
		return o, nil
	case l.word("any"):
		return Anything, nil
	case l.word("ok"):
		return Succeeds, nil
	}
	if o.Lo, err = l.size(); err != nil {
		return o, l.wanted("a result such as 1p, 0..2p, EFAULT, SIGBUS, ok or any")
	}
	o.Hi = o.Lo
	if l.accept("..") {
		o.Hi, err = l.size()
	}
	return o, err
}
