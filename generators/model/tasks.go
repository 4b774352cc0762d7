package model

import (
	"errors"
	"fmt"

	"faultline/generators/prog"
)

// Calls that copy memory and are about no file (mm/process_vm_access.c, fs/proc/base.c, kernel/futex, fs/namespace.c, fs/fsopen.c, fs/exec.c).

// carry moves what both spans can be surely, or perhaps, accessed for.
func (m *model) carry(dst, src *span) error {
	for _, d := range dst.places {
		for _, p := range src.places {
			if p.a == d.a && p.pg == d.pg && !p.a.shared {
				return errors.New("the model does not copy onto the source itself")
			}
		}
	}
	n := min(dst.n, src.n)
	can, sure := min(dst.can, src.can, n), min(dst.sure, src.sure, n)
	moved := m.read(src.places, can)
	m.copyOnWrite(dst)
	if sure < n {
		sure = 0
	}
	m.transfer(dst.places, src.places, moved, sure)
	return nil
}

// processVMStep moves what it can, and fails if that is nothing. The remote memory is looked up page by page.
func (m *model) processVMStep(s *prog.Step) (prog.Expect, error) {
	writes := s.Op == "process_vm_writev"
	local, remote := m.lookup(s, s.Args[0].(prog.Buf), !writes), m.lookup(s, s.Args[1].(prog.Buf), writes)
	dst, src := local, remote
	if writes {
		dst, src = remote, local
	}
	if err := m.carry(dst, src); err != nil {
		return nil, err
	}
	n := min(local.n, remote.n)
	var want prog.Expect
	switch can, sure := min(local.can, remote.can, n), min(local.sure, remote.sure, n); {
	case sure == n:
		return m.counts(n, n), nil
	case can > 0:
		want = m.counts(1, can)
		if sure > 0 {
			return want, nil
		}
	}
	return append(want, prog.Fails("EFAULT")), nil
}

// memStep is a read or write of /proc/self/mem, which goes by way of a page of the kernel's: where our buffer goes bad nothing counts, where the remote
// memory does, what was done. Permissions are overlooked, if the kernel was built and booted so (FOLL_FORCE).
func (m *model) memStep(s *prog.Step) (prog.Expect, error) {
	writes := s.Op == "mem_write"
	local := m.lookup(s, s.Args[0].(prog.Buf), !writes)
	m.forcing = true
	remote := m.lookup(s, s.Args[1].(prog.Buf), writes)
	m.forcing = false
	if local.n != remote.n || local.n == 0 {
		return nil, fmt.Errorf("found ranges of %d and %d bytes, wanted them equal", local.n, remote.n)
	}
	dst, src := local, remote
	if writes {
		dst, src = remote, local
	}
	if err := m.carry(dst, src); err != nil {
		return nil, err
	}
	var want prog.Expect
	if hi := min(local.can, remote.can); hi > 0 && (local.can == local.n || remote.sure < remote.n) {
		want = m.counts(max(1, min(remote.sure, hi)), hi)
	}
	if remote.sure == 0 {
		want = append(want, prog.Fails("EIO"))
	}
	return m.perhapsFault(want, local), nil
}

// word looks up a futex, whose address must be a multiple of its length.
func (m *model) word(s *prog.Step) (word *span, bad prog.Expect, err error) {
	const length = 4
	b := s.Args[0].(prog.Buf)
	if word, err = m.spanOf(s, b, 0, length, false); err != nil {
		return nil, nil, err
	}
	at := b.Ranges[0].From.In(m.page)
	if a := m.scope(process(s)).areas[b.Ranges[0].Of]; a != nil {
		at += a.align
	}
	if at%length != 0 {
		return nil, fails("EINVAL"), nil
	}
	return word, nil, nil
}

// pinned is what the kernel does to look up the page of a futex that processes share: it gets the page for writing, and else for reading. A page of our
// own that cannot be written is refused.
func (m *model) pinned(s *prog.Step, word *span) (want prog.Expect, err error) {
	out, err := m.spanOf(s, s.Args[0].(prog.Buf), 0, word.n, true)
	if err != nil {
		return nil, err
	}
	m.copyOnWrite(out)
	for _, p := range word.places {
		if pg := &p.a.pages[p.pg]; !pg.write && (p.a.ino == nil || pg.own != nil) {
			want = fails("EFAULT")
		}
	}
	return want, nil
}

func (m *model) futexWaitStep(s *prog.Step) (prog.Expect, error) {
	word, bad, err := m.word(s)
	if bad != nil || err != nil {
		return bad, err
	}
	var want prog.Expect
	if s.Args[2].(prog.Words).Has("shared") {
		if want, err = m.pinned(s, word); err != nil {
			return nil, err
		}
	}
	if word.can < word.n {
		return fails("EFAULT"), nil
	}
	is, known := m.number(m.read(word.places, word.n), &prog.Field{Width: word.n})
	same := uint32(is.lo.In(m.page)) == uint32(s.Args[1].(prog.Size).In(m.page))
	known = known && is.lo == is.hi
	if !known || same {
		want = append(want, prog.Fails("ETIMEDOUT"))
	}
	if !known || !same {
		want = append(want, prog.Fails("EAGAIN"))
	}
	return m.perhapsFault(want, word), nil
}

func (m *model) futexWakeStep(s *prog.Step) (prog.Expect, error) {
	word, bad, err := m.word(s)
	if bad != nil || err != nil {
		return bad, err
	}
	want, err := m.pinned(s, word)
	switch {
	case err != nil:
		return nil, err
	case word.can < word.n:
		return fails("EFAULT"), nil
	}
	return m.perhapsFault(append(want, m.counts(0, 0)...), word), nil
}

// mountStep: of the page of options as much is copied as can be read, and that may not be nothing.
func (m *model) mountStep(s *prog.Step) (prog.Expect, error) {
	for k := range 2 {
		if _, bad, err := m.text(s, s.Args[k].(prog.Buf)); bad != nil || err != nil {
			return bad, err
		}
	}
	data := m.lookup(s, s.Args[2].(prog.Buf), false)
	switch {
	case data.n == 0:
		return nil, errors.New("the model wants options of a byte at least")
	case data.can == 0:
		return fails("EFAULT"), nil
	case data.sure == 0:
		return prog.Expect{prog.Fails("ENOENT"), prog.Fails("EFAULT")}, nil
	}
	return fails("ENOENT"), nil
}

func (m *model) fsconfigStep(s *prog.Step) (prog.Expect, error) {
	key, bad, err := m.text(s, s.Args[0].(prog.Buf))
	if bad != nil || err != nil {
		return bad, err
	}
	value, bad, err := m.text(s, s.Args[1].(prog.Buf))
	if bad != nil || err != nil {
		return bad, err
	}
	if key != "source" || len(value) > 255 {
		return nil, fmt.Errorf("found %q with %d bytes, wanted the source, with 255 at most", key, len(value))
	}
	return nil, nil
}

// execveStep: there is one argument.
func (m *model) execveStep(s *prog.Step) (prog.Expect, error) {
	argv, bad, err := m.input(s, 0, prog.Structs["argv"])
	if bad != nil || err != nil {
		return bad, err
	}
	if end, known := m.number(argv.content, &prog.Field{At: 8, Width: 8}); !known || end != exactly(0) {
		return nil, errors.New("the model wants one argument, and zeros behind its address")
	}
	of, err := argv.ref(s, "arg0")
	if err != nil {
		return nil, err
	}
	if _, bad, err := m.text(s, of.(prog.Buf)); bad != nil || err != nil {
		return bad, err
	}
	return fails("ENOEXEC"), nil
}
