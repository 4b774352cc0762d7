package model

import (
	"errors"
	"slices"

	"faultline/generators/prog"
)

// Through io_uring a read or write does what the system call does. Where its buffer goes bad half way it may also end with EFAULT, as the part
// that was done before is remembered by newer kernels only (io_uring/rw.c: io_fixup_rw_res).

func (m *model) uringRead(s *prog.Step) (prog.Expect, error) {
	m.uringWhole(s)
	want, err := m.readStep(s)
	return m.orFault(s, want, true), err
}

func (m *model) uringWrite(s *prog.Step) (prog.Expect, error) {
	m.uringWhole(s)
	want, err := m.writeStep(s)
	return m.orFault(s, want, false), err
}

// uringWhole notes a direct transfer whose buffer may have to be faulted in half way.
func (m *model) uringWhole(s *prog.Step) {
	if m.fd(s).direct && m.lookup(s, s.Args[1].(prog.Buf), false).n > m.page {
		m.prog.Need("whole-uring-dio")
	}
}

func (m *model) orFault(s *prog.Step, want prog.Expect, write bool) prog.Expect {
	if len(want) == 0 {
		return want
	}
	return m.perhapsFault(want, m.lookup(s, s.Args[1].(prog.Buf), write))
}

// uringFixed registers the buffer first: all its pages are made writable, copied where they are private, and pinned. Pages of a file that is
// mapped shared may be refused (mm/gup.c: FOLL_LONGTERM), and so may memory above the limit of locked memory. Kernels up to some after 6.1 do not wait
// for the pages of a stall there, but refuse it (io_uring/rsrc.c: io_pin_pages pins with the lock of the address space held; seen on 6.1).
func (m *model) uringFixed(s *prog.Step) (prog.Expect, error) {
	sp := m.lookup(s, s.Args[1].(prog.Buf), true)
	switch {
	case sp.n == 0:
		return nil, errors.New("the model registers buffers of some bytes")
	case sp.can < sp.n:
		m.copyOnWrite(sp)
		return fails("EFAULT"), nil
	}
	const probed = 8 // pages that the ability io-uring registers
	var refused prog.Expect
	if sp.n > probed*m.page {
		refused = fails("ENOMEM")
	}
	if slices.ContainsFunc(sp.places, func(p place) bool { return p.a.ino != nil && !p.a.shared }) {
		m.prog.Need("uring-file-buffer")
	}
	if len(sp.shared().places) > 0 {
		refused = append(refused, prog.Fails("EFAULT"), prog.Fails("EOPNOTSUPP"))
	} else if sp.sure < sp.n || m.onStall(s) {
		refused = append(refused, prog.Fails("EFAULT"))
	}
	m.doubt = len(refused) > 0
	defer func() { m.doubt = false }()
	m.copyOnWrite(sp)
	do := m.readStep
	if isWrite(s.Op) {
		do = m.writeStep
	}
	want, err := do(s)
	return append(want, refused...), err
}

// onStall reports whether memory of the step lies in a stall.
func (m *model) onStall(s *prog.Step) bool {
	return slices.ContainsFunc(s.Args[1].(prog.Buf).Ranges, func(r prog.Range) bool { return m.stalls[process(s)+"/"+r.Of] != nil })
}
