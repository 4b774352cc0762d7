package model

import (
	"errors"
	"fmt"

	"faultline/generators/prog"
)

// Calls on metadata. Results are copied last and as a whole, when nothing is held any more (fs/stat.c, fs/statfs.c, fs/fhandle.c, fs/file_attr.c,
// fs/namespace.c, fs/quota/quota.c).

// statxStep: see cp_statx in fs/stat.c.
func (m *model) statxStep(s *prog.Step) (prog.Expect, error) {
	i, missing := m.find(string(s.Args[0].(prog.Name)))
	if i == nil {
		return missing, nil
	}
	record := prog.Structs["statx"]
	out, err := m.spanOf(s, s.Args[1].(prog.Buf), 0, record.Size, true)
	if err != nil {
		return nil, err
	}
	v := &value{record: record, fields: map[string]bounds{}}
	if size, known := m.sizeOf(i); known {
		links := int64(0)
		for _, other := range m.names {
			if other == i {
				links++
			}
		}
		v.fields["stx_size"], v.fields["stx_nlink"] = size, exactly(links)
	}
	return m.answer(out, v), nil
}

// sizeOf is the size of a file that nobody changes meanwhile.
func (m *model) sizeOf(i *inode) (b bounds, known bool) {
	v := m.view(i)
	if m.sec != nil || !v.known() || i.dir {
		return b, false
	}
	return bounds{m.size(v.maxSize()), m.size(v.maxSize())}, true
}

func (m *model) fstatStep(s *prog.Step) (prog.Expect, error) {
	v := &value{record: prog.Structs["stat"], fields: map[string]bounds{}}
	if size, known := m.sizeOf(m.fd(s).ino); known {
		v.fields["st_size"] = size
	}
	return m.whole(s, 1, v)
}

// fstatfsStep: a FUSE server may say nothing of its blocks and names.
func (m *model) fstatfsStep(s *prog.Step) (prog.Expect, error) {
	const most = 1 << 30
	return m.whole(s, 1, &value{record: prog.Structs["statfs"], fields: map[string]bounds{"f_bsize": between(0, most), "f_namelen": between(0, most)}})
}

// whole leaves a struct at the beginning of argument k.
func (m *model) whole(s *prog.Step, k int, v *value) (prog.Expect, error) {
	out, err := m.spanOf(s, s.Args[k].(prog.Buf), 0, v.record.Size, true)
	if err != nil {
		return nil, err
	}
	return m.answer(out, v), nil
}

// getcwdStep: where the worker is, and so how long its name is, nobody knows; with the zero byte it is "/" at least. A directory that was removed has none.
func (m *model) getcwdStep(s *prog.Step) (prog.Expect, error) {
	const least, most = 2, 4096 // PATH_MAX
	out := m.lookup(s, s.Args[0].(prog.Buf), true)
	m.copyOnWrite(out)
	m.leave(out.places, out.can, nil)
	want := fails("ENOENT")
	if out.can >= least {
		want = prog.Expect{prog.Between(prog.Bytes(least), m.size(out.can)), prog.Fails("ENOENT")}
	}
	if out.n < most {
		want = append(want, prog.Fails("ERANGE"))
	}
	return m.perhapsFault(want, out), nil
}

// handleRoom is MAX_HANDLE_SZ (include/linux/exportfs.h): with that much room every handle fits. shortest is the least of all file systems (enum fid_type).
const (
	handleRoom = 128
	shortest   = 4
)

// nameToHandleStep: first the mount's number is written, then the handle with its length, of which there is as much as the file system wants.
func (m *model) nameToHandleStep(s *prog.Step) (prog.Expect, error) {
	i, missing := m.find(string(s.Args[0].(prog.Name)))
	if i == nil {
		return missing, nil
	}
	record := prog.Structs["file_handle"]
	in, bad, err := m.input(s, 1, record)
	if bad != nil || err != nil {
		return bad, err
	}
	id, err := m.spanOf(s, s.Args[2].(prog.Buf), 0, 4, true)
	if err != nil {
		return nil, err
	}
	out, err := m.spanOf(s, s.Args[1].(prog.Buf), 0, record.Size+handleRoom, true)
	if err != nil {
		return nil, err
	}
	if n, err := in.get("handle_bytes"); err != nil || n != handleRoom {
		return nil, fmt.Errorf("the model wants handle_bytes=%d, which is enough for every handle", handleRoom)
	}
	m.copyOnWrite(id)
	m.write(id.places, unknown(id.can), 0)
	m.copyOnWrite(out)
	if id.sure == id.n && out.sure == out.n {
		m.leave(out.places, out.n, &value{record: record, fields: map[string]bounds{"handle_bytes": between(shortest, handleRoom)}, handle: i})
		return m.counts(0, 0), nil
	}
	m.leave(out.places, out.can, nil)
	if id.can < id.n || out.can < record.Size+shortest {
		return fails("EFAULT"), nil
	}
	return m.counts(0, 0, prog.Fails("EFAULT")), nil
}

// openByHandleStep opens the file of a handle that name_to_handle_at has left.
func (m *model) openByHandleStep(s *prog.Step) (prog.Expect, error) {
	flags := s.Args[2].(prog.Words)
	record := prog.Structs["file_handle"]
	in, err := m.spanOf(s, s.Args[1].(prog.Buf), 0, record.Size+handleRoom, false)
	switch {
	case err != nil:
		return nil, err
	case in.can < record.Size:
		return fails("EFAULT"), nil
	}
	v := m.valueAt(m.arguments(in))
	if v == nil || v.handle == nil || v.record != record {
		return nil, errors.New("the model opens what name_to_handle_at has left in memory")
	}
	i := v.handle
	if write := !flags.Has("rdonly"); write && i.dir {
		return fails("EISDIR"), nil
	}
	if in.sure == in.n {
		m.scope(process(s)).fds[s.Makes] = &descriptor{ino: i, read: !flags.Has("wronly"), write: !flags.Has("rdonly")}
		return nil, nil
	}
	// How much is read is in the handle.
	return prog.Expect{prog.Succeeds, prog.Fails("EFAULT")}, nil
}

func (m *model) fileGetattrStep(s *prog.Step) (prog.Expect, error) {
	i, missing := m.find(string(s.Args[0].(prog.Name)))
	if i == nil {
		return missing, nil
	}
	return m.whole(s, 1, &value{record: prog.Structs["file_attr"], fields: map[string]bounds{}, flags: i})
}

// fileSetattrStep gives back what file_getattr returned. The struct is read before the name is looked up.
func (m *model) fileSetattrStep(s *prog.Step) (prog.Expect, error) {
	record := prog.Structs["file_attr"]
	in, bad, err := m.input(s, 1, record)
	if bad != nil || err != nil {
		return bad, err
	}
	i, missing := m.find(string(s.Args[0].(prog.Name)))
	if i == nil {
		return missing, nil
	}
	if v := m.valueAt(in.content); v == nil || v.flags == nil || v.record != record || v.flags.id != i.id {
		return nil, errors.New("the model sets attributes only to what the file has, as file_getattr has returned them")
	}
	return nil, nil
}

// mountRequest reads the request of statmount(2) and listmount(2). What is asked for is its last number.
func (m *model) mountRequest(s *prog.Step) (param int64, bad prog.Expect, err error) {
	record := prog.Structs["mount_request"]
	in, bad, err := m.input(s, 0, record)
	if bad != nil || err != nil {
		return 0, bad, err
	}
	n, err := in.numbers("size", "param")
	if err == nil && n[0] != record.Size {
		err = fmt.Errorf("the model wants size=%d", record.Size)
	}
	if err != nil {
		return 0, nil, err
	}
	return n[1], nil, nil
}

// statmountStep: which mount it is about is for the kernel to know. The mask is STATMOUNT_SB_BASIC and STATMOUNT_MNT_BASIC.
func (m *model) statmountStep(s *prog.Step) (prog.Expect, error) {
	const basic = 3
	mask, bad, err := m.mountRequest(s)
	switch {
	case bad != nil || err != nil:
		return bad, err
	case mask != basic:
		return nil, fmt.Errorf("the model wants param=%d: the basic facts", basic)
	}
	record := prog.Structs["mount_info"]
	return m.whole(s, 1, &value{record: record, fields: map[string]bounds{"size": exactly(record.Size), "mask": exactly(basic)}})
}

// listmountStep lists mounts, of which there may be none below a mount.
func (m *model) listmountStep(s *prog.Step) (prog.Expect, error) {
	const each = 8 // bytes of a number
	after, bad, err := m.mountRequest(s)
	switch {
	case bad != nil || err != nil:
		return bad, err
	case after != 0:
		return nil, errors.New("the model lists mounts from the first on: param=0")
	}
	out := m.lookup(s, s.Args[1].(prog.Buf), true)
	m.copyOnWrite(out)
	m.leave(out.places, out.can, nil)
	return m.perhapsFault(prog.Expect{prog.Between(prog.Size{}, prog.Bytes(out.can/each))}, out), nil
}

// quotactlStep: what the file system has counted is its own business. Nothing is set, as dqb_valid says.
func (m *model) quotactlStep(s *prog.Step) (prog.Expect, error) {
	const all = 63 // QIF_ALL
	record := prog.Structs["dqblk"]
	if s.Args[1].(prog.Words).Has("getquota") {
		return m.whole(s, 2, &value{record: record, fields: map[string]bounds{"dqb_valid": exactly(all)}})
	}
	in, bad, err := m.input(s, 2, record)
	if bad != nil || err != nil {
		return bad, err
	}
	if n, err := in.get("dqb_valid"); err != nil || n != 0 {
		return nil, errors.New("the model sets nothing: dqb_valid=0")
	}
	return nil, nil
}
