package model

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"faultline/generators/prog"
)

// Extended attributes: name and value are read from memory before the file system is asked, and a result is written when it has answered
// (fs/xattr.c). The limits are those that every file system with user attributes keeps.
const (
	maxAttr  = 1024
	maxAttrs = 4
)

// text is what stands in memory up to its zero byte; bad is how a call ends that cannot read it.
func (m *model) text(s *prog.Step, b prog.Buf) (text string, bad prog.Expect, err error) {
	sp := m.lookup(s, b, false)
	var all strings.Builder
	for _, r := range m.read(sp.places, sp.can) {
		if len(r.may) != 1 || r.may[0].kind != prog.Fill && r.may[0].kind != prog.Zero {
			return "", nil, errors.New("the model does not know the string in memory")
		}
		if r.may[0].kind == prog.Zero {
			break
		}
		all.WriteString(strings.Repeat(string(rune(r.may[0].id)), int(r.n)))
	}
	text = all.String()
	switch n := int64(all.Len()) + 1; {
	case n > sp.can && sp.can < sp.n && sp.sure == sp.can:
		return "", fails("EFAULT"), nil
	case n > sp.sure:
		return "", nil, fmt.Errorf("found %q, wanted a zero byte behind it, and memory that can be read for certain", text)
	}
	return text, nil, nil
}

// attrName is the name that stands in memory. It is "" with an expectation if the kernel cannot read it.
func (m *model) attrName(s *prog.Step, b prog.Buf) (string, prog.Expect, error) {
	name, bad, err := m.text(s, b)
	if bad != nil || err != nil {
		return "", bad, err
	}
	if n := len(name) + 1; !strings.HasPrefix(name, "user.") || n < 7 || n > 100 {
		return "", nil, fmt.Errorf("found attribute %q, wanted user. with a short name", name)
	}
	return name, nil, nil
}

// attrs are the attributes that the file surely has; not known once actors have set some beside each other.
func (m *model) setAttrs(i *inode, change func(map[string]content)) {
	if m.sec != nil {
		i.attrsLost = true
		return
	}
	i.attrs = maps.Clone(i.attrs)
	if i.attrs == nil {
		i.attrs = map[string]content{}
	}
	change(i.attrs)
}

func (m *model) setxattrStep(s *prog.Step) (prog.Expect, error) {
	i, flag := m.fd(s).ino, s.Args[3].(prog.Words)[0]
	name, bad, err := m.attrName(s, s.Args[1].(prog.Buf))
	if bad != nil || err != nil {
		return bad, err
	}
	value := m.lookup(s, s.Args[2].(prog.Buf), false)
	old, exists := i.attrs[name]
	switch {
	case value.n < 1 || value.n > maxAttr || !exists && len(i.attrs) == maxAttrs:
		return nil, fmt.Errorf("the model sets up to %d attributes of 1 to %d bytes", maxAttrs, maxAttr)
	case value.can < value.n:
		return fails("EFAULT"), nil
	case m.sec != nil && flag != "set" || i.attrsLost:
		m.setAttrs(i, nil)
		return prog.Expect{prog.Anything}, nil
	case flag == "create" && exists:
		return m.perhapsFault(fails("EEXIST"), value), nil
	case flag == "replace" && !exists:
		return m.perhapsFault(fails("ENODATA"), value), nil
	}
	is := m.read(value.places, value.n)
	if value.sure < value.n {
		if !exists {
			i.attrsLost = true
		} else if is = unknown(value.n); old.len() != value.n {
			i.attrsLost = true
		}
	}
	m.setAttrs(i, func(all map[string]content) { all[name] = is })
	return m.perhapsFault(m.counts(0, 0), value), nil
}

// perhapsFault adds EFAULT where memory may not be accessible.
func (m *model) perhapsFault(want prog.Expect, sp *span) prog.Expect {
	if sp.sure < sp.n {
		return append(want, prog.Fails("EFAULT"))
	}
	return want
}

func (m *model) removexattrStep(s *prog.Step) (prog.Expect, error) {
	i := m.fd(s).ino
	name, bad, err := m.attrName(s, s.Args[1].(prog.Buf))
	switch _, exists := i.attrs[name]; {
	case bad != nil || err != nil:
		return bad, err
	case m.sec != nil || i.attrsLost:
		m.setAttrs(i, func(map[string]content) {})
		return prog.Expect{prog.Anything}, nil
	case !exists:
		return fails("ENODATA"), nil
	}
	m.setAttrs(i, func(all map[string]content) { delete(all, name) })
	return m.counts(0, 0), nil
}

// getxattrStep: a buffer without room asks for the length.
func (m *model) getxattrStep(s *prog.Step) (prog.Expect, error) {
	i := m.fd(s).ino
	name, bad, err := m.attrName(s, s.Args[1].(prog.Buf))
	if bad != nil || err != nil {
		return bad, err
	}
	out := m.lookup(s, s.Args[2].(prog.Buf), true)
	value, exists := i.attrs[name]
	n := value.len()
	switch {
	case i.attrsLost:
		m.copyOnWrite(out)
		m.leave(out.places, out.can, nil)
		return prog.Expect{prog.Anything}, nil
	case !exists:
		return fails("ENODATA"), nil
	case out.n == 0:
		return m.counts(n, n), nil
	case out.n < n:
		return fails("ERANGE"), nil
	}
	return m.deliver(out, value), nil
}

// deliver copies bytes that the kernel has to the beginning of a buffer, all or EFAULT.
func (m *model) deliver(out *span, bytes content) prog.Expect {
	n := bytes.len()
	sure, can := min(out.sure, n), min(out.can, n)
	m.copyOnWrite(out)
	if sure == n {
		m.write(out.places, bytes, n)
		return m.counts(n, n)
	}
	m.write(out.places, bytes.slice(0, can), 0)
	if can == n {
		return m.counts(n, n, prog.Fails("EFAULT"))
	}
	return fails("EFAULT")
}

// listxattrStep: there may be attributes that nobody here has set, such as a security label.
func (m *model) listxattrStep(s *prog.Step) (prog.Expect, error) {
	const others = 1024
	i := m.fd(s).ino
	least := int64(0)
	for name := range i.attrs {
		least += int64(len(name)) + 1
	}
	if i.attrsLost {
		least = 0
	}
	out := m.lookup(s, s.Args[1].(prog.Buf), true)
	if out.n == 0 {
		return prog.Expect{prog.Between(prog.Bytes(least), prog.Bytes(1<<16))}, nil
	}
	m.copyOnWrite(out)
	m.leave(out.places, out.can, nil)
	var want prog.Expect
	if least <= out.can {
		want = prog.Expect{prog.Between(prog.Bytes(least), m.size(out.can))}
	}
	if out.n < least+others {
		want = append(want, prog.Fails("ERANGE"))
	}
	return m.perhapsFault(want, out), nil
}

// symlinkStep makes a symbolic link to a file in the same directory: the top one.
func (m *model) symlinkStep(s *prog.Step) (prog.Expect, error) {
	to, name := string(s.Args[0].(prog.Name)), string(s.Args[1].(prog.Name))
	switch {
	case m.sec != nil:
		return nil, errNames
	case strings.Contains(to+name, "/"):
		return nil, errors.New("the model follows symbolic links in the top directory only")
	case m.names[name] != nil:
		return fails("EEXIST"), nil
	}
	i := m.newInode()
	i.link = to
	m.names[name] = i
	return nil, nil
}

// readlinkStep copies what fits, without a zero byte, all or EFAULT (fs/namei.c: readlink_copy).
func (m *model) readlinkStep(s *prog.Step) (prog.Expect, error) {
	i, missing := m.entry(string(s.Args[0].(prog.Name)))
	out := m.lookup(s, s.Args[1].(prog.Buf), true)
	switch {
	case out.n == 0:
		return fails("EINVAL"), nil
	case i == nil:
		return missing, nil
	case i.link == "":
		return fails("EINVAL"), nil
	}
	return m.deliver(out, i.linkText(out.n)), nil
}

// linkText is where a symbolic link leads to, up to n bytes of it.
func (i *inode) linkText(n int64) (text content) {
	for _, b := range []byte(i.link) {
		text = join(text, uniform(1, []source{{kind: prog.Fill, id: int(b)}}))
	}
	return text.slice(0, min(text.len(), n))
}
