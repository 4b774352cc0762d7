package model

import (
	"errors"
	"fmt"
	"slices"

	"faultline/generators/prog"
)

// Calls on a copy of the process, on memory that the kernel writes by itself, and on the device of FUSE (kernel/ptrace.c, kernel/rseq.c, fs/fuse/dev.c).

// wordSize is what ptrace(2) transfers.
const wordSize = 8

// inCopy looks up the word of a copy of ours: permissions are overlooked (FOLL_FORCE). Nobody is stopped at a stall of a copy.
func (m *model) inCopy(s *prog.Step, k int, write bool) (*span, error) {
	b := s.Args[k].(prog.Buf)
	if m.stalls[process(s)+"/"+b.Ranges[0].Of] != nil {
		return nil, errors.New("the model does not look into the stalls of a copy")
	}
	m.forcing = true
	defer func() { m.forcing = false }()
	return m.spanOf(s, b, 0, wordSize, write)
}

// peekStep: a word is read as a whole, or not at all.
func (m *model) peekStep(s *prog.Step) (prog.Expect, error) {
	remote, err := m.inCopy(s, 1, false)
	if err != nil {
		return nil, err
	}
	local, err := m.spanOf(s, s.Args[0].(prog.Buf), 0, wordSize, true)
	if err != nil {
		return nil, err
	}
	if remote.can < remote.n {
		return fails("EIO"), nil
	}
	if local.can == local.n {
		if err := m.carry(local, remote); err != nil {
			return nil, err
		}
	}
	m.copyOnWrite(local)
	var want prog.Expect
	if local.can == local.n {
		want = m.counts(0, 0)
	}
	if remote.sure < remote.n {
		want = append(want, prog.Fails("EIO"))
	}
	return m.perhapsFault(want, local), nil
}

// pokeStep: what is private the copy has for itself.
func (m *model) pokeStep(s *prog.Step) (prog.Expect, error) {
	remote, err := m.inCopy(s, 0, true)
	if err != nil {
		return nil, err
	}
	with, sure := fromData(s.Args[1].(prog.Data), m.page).slice(0, remote.can), remote.sure
	if sure < remote.n {
		sure = 0
	}
	m.write(remote.shared().places, with, sure)
	var want prog.Expect
	if remote.can == remote.n {
		want = m.counts(0, 0)
	}
	if remote.sure < remote.n {
		want = append(want, prog.Fails("EIO"))
	}
	return want, nil
}

// coredumpStep reads what a core has of a mapping of a file. Pages that cannot be read are left out of it: there are zeros then, or its end.
func (m *model) coredumpStep(s *prog.Step) (prog.Expect, error) {
	local, remote := m.lookup(s, s.Args[0].(prog.Buf), true), m.lookup(s, s.Args[1].(prog.Buf), false)
	a := m.scope(process(s)).areas[s.Args[1].(prog.Buf).Ranges[0].Of]
	switch {
	case a == nil || a.ino == nil || local.n != remote.n || local.n == 0:
		return nil, errors.New("the model dumps a part of a mapping of a file, and reads as much")
	case slices.ContainsFunc(a.pages, func(p page) bool { return p.unmapped || !p.read }):
		return nil, errors.New("the model dumps a mapping of which all can be read")
	case local.sure == local.n && remote.sure == remote.n:
		return m.counts(local.n, local.n), m.carry(local, remote)
	}
	m.copyOnWrite(local)
	m.write(local.places, unknown(local.can), 0)
	if local.can == 0 {
		return fails("EFAULT"), nil
	}
	return m.perhapsFault(m.counts(0, local.can), local), nil
}

// rseqStep: the kernel writes where the thread runs whenever it returns to it, and in the end that it runs nowhere. Memory that it cannot access then, or
// an address in it of anything, ends the process.
func (m *model) rseqStep(s *prog.Step) (prog.Expect, error) {
	record := prog.Structs["rseq"]
	out, err := m.spanOf(s, s.Args[0].(prog.Buf), 0, record.Size, true)
	if err != nil {
		return nil, err
	}
	if out.align%record.Size != 0 {
		return fails("EINVAL"), nil
	}
	if m.sec != nil || out.sure < out.n || !equal(m.read(out.places, out.n), zeros(out.n)) {
		return nil, fmt.Errorf("the model registers %d zeros that nobody else writes, and that can surely be written", record.Size)
	}
	return m.answer(out, &value{record: record, fields: map[string]bounds{"cpu_id_start": exactly(0), "cpu_id": exactly(-1), "rseq_cs": exactly(0), "flags": exactly(0)}}), nil
}

// Lengths of FUSE_INIT with its header, of the oldest version and more than of all that are known; and the least memory for a read.
const (
	leastInit, mostInit = 40 + 16, 40 + 216
	leastFuseRead       = 8192
)

// fuseReadStep: a request is copied page by page; what is too long for its memory is an error.
func (m *model) fuseReadStep(s *prog.Step) (prog.Expect, error) {
	const opcode = 26 // FUSE_INIT
	out := m.lookup(s, s.Args[0].(prog.Buf), true)
	if out.n < leastFuseRead {
		return fails("EINVAL"), nil
	}
	m.copyOnWrite(out)
	can := min(out.can, mostInit)
	m.write(out.places, unknown(can), min(leastInit, can))
	if out.can < leastInit {
		return fails("EFAULT"), nil
	}
	want := m.counts(leastInit, can)
	if out.sure >= mostInit {
		record := prog.Structs["fuse_in"]
		m.leave(out.places, record.Size, &value{record: record, fields: map[string]bounds{"len": between(leastInit, mostInit), "opcode": exactly(opcode)}})
		return want, nil
	}
	return append(want, prog.Fails("EFAULT")), nil
}

func (m *model) fuseNotifyStep(s *prog.Step) (prog.Expect, error) {
	record := prog.Structs["fuse_inval"]
	in, bad, err := m.input(s, 0, record)
	if bad != nil || err != nil {
		return bad, err
	}
	n, err := in.numbers("len", "code", "unique", "ino")
	if err != nil {
		return nil, err
	}
	const invalInode, root = 2, 1 // FUSE_NOTIFY_INVAL_INODE, FUSE_ROOT_ID
	if b := m.lookup(s, s.Args[0].(prog.Buf), false); b.n != record.Size || n[0] != b.n || n[1] != invalInode || n[2] != 0 || n[3] == root {
		return nil, fmt.Errorf("the model wants %d bytes with len=%d, code=%d, and an inode that is not the root", record.Size, record.Size, invalInode)
	}
	return fails("ENOENT"), nil
}
