package campaign

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Filter chooses programs by name.
type Filter struct{ match func(name string) bool }

// Match reports whether the filter takes the name.
func (f Filter) Match(name string) bool { return f.match == nil || f.match(name) }

// ParseFilter reads an expression of words with !, &&, || and parentheses. A word is a part of the name ("direct" takes every name with
// /direct/ in it), a pattern for the whole name when it has * or / ("selfio/pread/*", where * stands for anything), or a regular
// expression between slashes that begins with one ("/^selfio.*cold/").
func ParseFilter(text string) (Filter, error) {
	if strings.TrimSpace(text) == "" {
		return Filter{}, nil
	}
	p := &filterParser{rest: text}
	match, err := p.or()
	if err == nil && p.token() != "" {
		err = fmt.Errorf("found %q, wanted && or || or the end", p.token())
	}
	if err != nil {
		return Filter{}, fmt.Errorf("filter %q: %w", text, err)
	}
	return Filter{match}, nil
}

type filterParser struct{ rest string }

// expressionEnd finds a regular expression between slashes. There may be slashes in it, as in names; the one that ends it has the end of
// the filter, a blank or an operator behind it.
var expressionEnd = regexp.MustCompile(`^/.+?/($|[ \t)&|])`)

// token is the next token, without taking it.
func (p *filterParser) token() string {
	p.rest = strings.TrimLeft(p.rest, " \t")
	for _, t := range []string{"&&", "||", "!", "(", ")"} {
		if strings.HasPrefix(p.rest, t) {
			return t
		}
	}
	if end := expressionEnd.FindStringIndex(p.rest); end != nil {
		return strings.TrimRight(p.rest[:end[1]], " \t)&|")
	}
	if end := strings.IndexAny(p.rest, " \t&|!()"); end >= 0 {
		return p.rest[:max(end, 1)] // a lone & is no word, but it is there
	}
	return p.rest
}

func (p *filterParser) accept(t string) bool {
	if p.token() != t {
		return false
	}
	p.rest = p.rest[len(t):]
	return true
}

func (p *filterParser) or() (func(string) bool, error) {
	a, err := p.and()
	for err == nil && p.accept("||") {
		left, right := a, (func(string) bool)(nil)
		if right, err = p.and(); err == nil {
			a = func(name string) bool { return left(name) || right(name) }
		}
	}
	return a, err
}

func (p *filterParser) and() (func(string) bool, error) {
	a, err := p.not()
	for err == nil && p.accept("&&") {
		left, right := a, (func(string) bool)(nil)
		if right, err = p.not(); err == nil {
			a = func(name string) bool { return left(name) && right(name) }
		}
	}
	return a, err
}

func (p *filterParser) not() (func(string) bool, error) {
	if p.accept("!") {
		a, err := p.not()
		return func(name string) bool { return !a(name) }, err
	}
	if p.accept("(") {
		a, err := p.or()
		if err == nil && !p.accept(")") {
			err = fmt.Errorf("found %q, wanted )", p.token())
		}
		return a, err
	}
	return p.word()
}

func (p *filterParser) word() (func(string) bool, error) {
	t := p.token()
	switch {
	case t == "" || strings.ContainsAny(t[:1], "&|)"):
		return nil, fmt.Errorf("found %q, wanted a word", t)
	case strings.HasPrefix(t, "/") && len(t) > 2 && strings.HasSuffix(t, "/"):
		p.rest = p.rest[len(t):]
		re, err := regexp.Compile(t[1 : len(t)-1])
		if err != nil {
			return nil, err
		}
		return re.MatchString, nil
	}
	p.rest = p.rest[len(t):]
	if strings.ContainsAny(t, "*/") {
		// In a program's name a * also stands for slashes: names are not paths.
		pattern := strings.ReplaceAll(t, "/", "\x00")
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("%q: %w", t, err)
		}
		return func(name string) bool {
			ok, _ := path.Match(pattern, strings.ReplaceAll(name, "/", "\x00"))
			return ok
		}, nil
	}
	return func(name string) bool { return strings.Contains("/"+name+"/", "/"+t+"/") }, nil
}
