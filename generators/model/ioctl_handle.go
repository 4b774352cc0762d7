package model

import (
	"errors"

	"faultline/generators/prog"
)

// Requests of xfs on handles of files (fs/xfs/xfs_handle.c): nothing of the file system is held while the kernel copies.

// handleRecord is what a handle of xfs is in memory; its bytes are the file system's own business.
var handleRecord = prog.Structs["xfs_handle"]

// putPathStep writes the path of a file, whose bytes nobody knows: the last of them is zero.
func (m *model) putPathStep(s *prog.Step) (prog.Expect, error) {
	sp := m.lookup(s, s.Args[0].(prog.Buf), true)
	want := m.accessResults(sp)
	if sp.sure < sp.n {
		m.write(sp.places, unknown(sp.can), sp.sure)
		return want, nil
	}
	m.leave(sp.places, sp.n, &value{record: &prog.Struct{Size: sp.n}, path: string(s.Args[1].(prog.Name))})
	return want, nil
}

// named is the file whose path lies where a field points to; links are not followed.
func (r *request) named(field string) (i *inode, ok bool, err error) {
	c, ok, err := r.reads(field, 0)
	if !ok || err != nil {
		return nil, false, err
	}
	v := r.m.valueAt(c)
	if v == nil || v.path == "" || v.record.Size != c.len() {
		return nil, false, errors.New("the model wants a path as put_path has written it")
	}
	i, missing := r.m.entry(v.path)
	if i == nil {
		r.failed = missing
	}
	return i, i != nil, nil
}

// pathToHandle and fdToHandle write the handle of a file, and how long it is.
func (r *request) pathToHandle() (*value, error) {
	i, ok, err := r.named("path")
	if !ok || err != nil {
		return nil, err
	}
	return nil, r.leaveHandle(i)
}

func (r *request) fdToHandle() (*value, error) {
	fd, err := r.descriptor(r.step, "fd")
	if err != nil {
		return nil, err
	}
	return nil, r.leaveHandle(fd.ino)
}

func (r *request) leaveHandle(i *inode) error {
	if err := r.writes("ohandle", handleRecord.Size, &value{record: handleRecord, handle: i}); err != nil {
		return err
	}
	return r.handleLength(handleRecord.Size)
}

// pathToFSHandle writes the handle of the file system: the first part of that of each file.
func (r *request) pathToFSHandle() (*value, error) {
	const size = 8
	_, ok, err := r.named("path")
	if !ok || err != nil {
		return nil, err
	}
	if err := r.writes("ohandle", size, nil); err != nil {
		return nil, err
	}
	return nil, r.handleLength(size)
}

func (r *request) handleLength(n int64) error {
	record := prog.Structs["flags"]
	return r.writes("ohandlen", record.Size, &value{record: record, fields: map[string]bounds{"flags": exactly(n)}})
}

// handled is the file of the handle that the struct points to.
func (r *request) handled() (i *inode, ok bool, err error) {
	n, err := r.get("ihandlen")
	if err != nil || n != handleRecord.Size || !r.fd.ino.dir {
		return nil, false, errors.New("the model wants a whole handle, and a directory that says which file system is meant")
	}
	c, ok, err := r.reads("ihandle", handleRecord.Size)
	if !ok || err != nil {
		return nil, false, err
	}
	v := r.m.valueAt(c)
	if v == nil || v.handle == nil || v.record != handleRecord {
		return nil, false, errors.New("the model wants a handle that a request of xfs has left in memory")
	}
	return v.handle, true, nil
}

// xfsOpenByHandleStep opens the file of a handle.
func (m *model) xfsOpenByHandleStep(s *prog.Step) (prog.Expect, error) {
	in, bad, err := m.input(s, 1, prog.Structs["xfs_handle_req"])
	if bad != nil || err != nil {
		return bad, err
	}
	r := &request{argument: in, step: s, fd: m.fd(s)}
	i, ok, err := r.handled()
	if !ok || err != nil {
		return r.failed, err
	}
	if flags, err := r.get("oflags"); err != nil || flags != 0 || i.link != "" {
		return nil, errors.New("the model opens files and directories for reading: oflags=0")
	}
	m.scope(process(s)).fds[s.Makes] = &descriptor{ino: i, read: true}
	return nil, nil
}

// readlinkByHandle copies what fits, as readlink(2) does.
func (r *request) readlinkByHandle() (*value, error) {
	i, ok, err := r.handled()
	if !ok || err != nil {
		return nil, err
	}
	if i.link == "" {
		r.failed = fails("EINVAL")
		return nil, nil
	}
	room, err := r.readsStruct("ohandlen", "flags")
	if room == nil || err != nil {
		return nil, err
	}
	n, err := room.get("flags")
	if err != nil || n < 1 || n > 1<<12 {
		return nil, errors.New("the model reads links into 1 to 4096 bytes")
	}
	b, err := r.memoryAt("ohandle", n)
	if err != nil {
		return nil, err
	}
	r.failed = r.m.deliver(r.m.lookup(r.step, b, true), i.linkText(n))
	return nil, nil
}

// attrlist lists the names of attributes that users may set. All of the room is written, and where the next list begins.
func (r *request) attrlist() (*value, error) {
	const least = 1024 // room for all that the model sets
	i, ok, err := r.handled()
	if !ok || err != nil {
		return nil, err
	}
	n, err := r.numbers("flags", "buflen")
	if err != nil {
		return nil, err
	}
	if n[0] != 0 || n[1] < least || n[1] > 1<<16 {
		return nil, errors.New("the model lists the attributes of users, into 1024 bytes at least")
	}
	v := &value{record: prog.Structs["xfs_attrs"], fields: map[string]bounds{"al_more": exactly(0)}}
	if !i.attrsLost && r.m.sec == nil {
		v.fields["al_count"] = exactly(int64(len(i.attrs)))
	}
	return nil, r.writes("buffer", n[1], v)
}

// attrmulti gets one attribute. What is wrong with it stands in the operation, which is written at the end.
func (r *request) attrmulti() (*value, error) {
	const get, badAddress = 1, -14 // ATTR_OP_GET, -EFAULT
	i, ok, err := r.handled()
	if !ok || err != nil {
		return nil, err
	}
	if n, err := r.get("opcount"); err != nil || n != 1 {
		return nil, errors.New("the model does one operation")
	}
	op, err := r.readsStruct("ops", "xfs_attr_op")
	if op == nil || err != nil {
		return nil, err
	}
	n, err := op.numbers("am_opcode", "am_length", "am_flags")
	if err != nil || n[0] != get || n[1] < maxAttr || n[2] != 0 || i.attrsLost {
		return nil, errors.New("the model gets an attribute of users that it knows, into 1024 bytes at least")
	}
	o := &request{argument: op, step: r.step}
	at, err := o.memoryAt("am_attrname", 0)
	if err != nil {
		return nil, err
	}
	name, bad, err := r.m.text(r.step, at)
	if err != nil {
		return nil, err
	}
	v := &value{record: op.record, fields: map[string]bounds{"am_opcode": exactly(get), "am_error": exactly(badAddress)}}
	if bad == nil {
		v.fields, err = r.attribute(o, i.attrs["user."+name])
	}
	if err != nil {
		return nil, err
	}
	return nil, r.writes("ops", op.record.Size, v)
}

// attribute writes the value of an attribute to where an operation says, and is what the operation is afterwards.
func (r *request) attribute(o *request, bytes content) (map[string]bounds, error) {
	const missing, badAddress = -61, -14 // -ENODATA, -EFAULT
	at, err := o.memoryAt("am_attrvalue", maxAttr)
	if err != nil {
		return nil, err
	}
	if bytes == nil {
		return map[string]bounds{"am_error": exactly(missing)}, nil
	}
	after := map[string]bounds{"am_length": exactly(bytes.len())}
	switch end := r.m.deliver(r.m.lookup(r.step, at, true), bytes); {
	case end[0].Err != "":
		after["am_error"] = exactly(badAddress)
	case len(end) == 1:
		after["am_error"] = exactly(0)
	}
	return after, nil
}
