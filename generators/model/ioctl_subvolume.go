package model

import (
	"errors"
	"fmt"

	"faultline/generators/prog"
)

// Requests of btrfs on subvolumes and on groups of their quotas (fs/btrfs/ioctl.c): their structs are read first and written last.

// subvolumeStep makes a subvolume, or a snapshot of one, in an open directory.
func (m *model) subvolumeStep(s *prog.Step) (prog.Expect, error) {
	const readOnly = 2 // BTRFS_SUBVOL_RDONLY
	in, bad, err := m.input(s, 2, prog.Structs["btrfs_vol"])
	if bad != nil || err != nil {
		return bad, err
	}
	dir, name, snapshot := m.fd(s).ino, string(s.Args[3].(prog.Name)), s.Args[1].(prog.Words).Has("snapshot")
	n, err := in.numbers("transid", "flags", "name")
	switch {
	case err != nil:
		return nil, err
	case m.sec != nil:
		return nil, errNames
	case m.barred(name) != nil || len(name) < 3 || m.names[name[:len(name)-2]] != dir || n[2] != int64(name[len(name)-1]):
		return nil, fmt.Errorf("the model makes %s in its open directory, named by its last letter", name)
	case n[0] != 0 || n[1] != 0 && (n[1] != readOnly || !snapshot):
		return nil, errors.New("the model makes plain subvolumes, and snapshots that are read-only")
	}
	if snapshot {
		of, err := in.descriptor(s, "fd")
		if err != nil {
			return nil, err
		}
		if !of.ino.subvolume {
			return nil, errors.New("the model makes snapshots of subvolumes that the program has made, which are empty")
		}
	}
	if m.names[name] != nil {
		return fails("EEXIST"), nil
	}
	i := m.newInode()
	i.dir, i.subvolume, i.frozen = true, true, n[1] == readOnly
	m.names[name] = i
	return nil, nil
}

// subvolume is the file's own, which the program has made.
func (r *request) subvolume() error {
	if !r.fd.ino.subvolume {
		return errors.New("the model wants the root of a subvolume that the program has made")
	}
	return nil
}

// lookupUser finds the name of a subvolume, if its number and that of its directory come from BTRFS_IOC_GET_SUBVOL_INFO.
func (r *request) lookupUser() (*value, error) {
	const treeAt, dirAt = 0, 272 // struct btrfs_ioctl_get_subvol_info_args
	dir, tree := r.told("dirid", dirAt), r.told("treeid", treeAt)
	if dir == nil || dir != tree {
		return nil, errors.New("the model wants dirid and treeid of a subvolume that the program has made")
	}
	for _, name := range sortedKeys(r.m.names) {
		if r.m.names[name] == tree {
			return &value{record: r.record, fields: map[string]bounds{"name": exactly(int64(name[len(name)-1]))}}, nil
		}
	}
	return nil, errors.New("the model wants a subvolume that has a name")
}

// told is the subvolume whose number a field has, as it stood some bytes into what told of it.
func (r *request) told(field string, at int64) *inode {
	f := r.record.Field(field)
	part := r.content.slice(f.At, f.At+f.Width)
	if len(part) != 1 || len(part[0].may) != 1 || part[0].may[0].kind != valued || part[0].may[0].from != at {
		return nil
	}
	return r.m.values[part[0].may[0].id].tree
}

func (r *request) received() (*value, error) {
	n, err := r.numbers("stransid", "flags")
	if err == nil {
		err = r.subvolume()
	}
	if err != nil || n[1] != 0 {
		return nil, errors.Join(err, errors.New("the model marks a subvolume as received, without a flag"))
	}
	return &value{record: r.record, fields: map[string]bounds{"stransid": exactly(n[0]), "rtransid": between(1, 1<<46)}}, nil
}

// send writes what makes a subvolume to a file: of an empty one less than a page.
func (r *request) send() (*value, error) {
	n, err := r.numbers("clone_sources_count", "parent_root", "flags")
	if err == nil {
		err = r.subvolume()
	}
	if err != nil {
		return nil, err
	}
	if !r.fd.ino.frozen || n[0] > 1 || n[1] != 0 || n[2] != 0 {
		return nil, errors.New("the model sends a snapshot that is read-only, with one source of clones at most")
	}
	to, err := r.descriptor(r.step, "send_fd")
	if err != nil {
		return nil, err
	}
	if !to.write || to.lost || to.ino.pipe != nil || r.m.view(to.ino).minSize() < to.pos+r.m.page {
		return nil, errors.New("the model sends to a file that has a page where it is written")
	}
	if n[0] == 1 {
		if _, ok, err := r.reads("clone_sources", 8); !ok || err != nil {
			return nil, err
		}
	}
	r.m.writeFile(to.ino, to.pos, unknown(r.m.page), false)
	to.lost = true
	return nil, nil
}

// balance moves nothing but empty chunks: those of data that are used to 0 percent.
func (r *request) balance() (*value, error) {
	const data, usage = 1, 2 // BTRFS_BALANCE_DATA, BTRFS_BALANCE_ARGS_USAGE
	n, err := r.numbers("flags", "data_flags", "data_usage")
	if err != nil {
		return nil, err
	}
	if n[0] != data || n[1] != usage || n[2] != 0 {
		return nil, errors.New("the model balances empty chunks of data")
	}
	r.m.prog.Need("own-mount")
	return &value{record: r.record, fields: map[string]bounds{"flags": exactly(data), "state": exactly(0)}}, nil
}

// balanceProgress has nothing to tell when nothing is balanced, and then does not look at its memory.
func (r *request) balanceProgress() (*value, error) {
	r.m.prog.Need("own-mount")
	r.failed = fails("ENOTCONN")
	return nil, nil
}

func (r *request) devStats() (*value, error) {
	const count = 5 // BTRFS_DEV_STAT_VALUES_MAX
	n, err := r.numbers("devid", "nr_items", "flags")
	if err != nil || n[0] != 1 || n[1] != count || n[2] != 0 {
		return nil, fmt.Errorf("the model asks for all %d numbers of the first device", count)
	}
	return &value{record: r.record, fields: map[string]bounds{"devid": exactly(1), "nr_items": exactly(count)}}, nil
}

// qgroup is a group of quotas.
type qgroup struct{ id, level int64 }

// quota switches quotas on and off. They are the whole file system's.
func (r *request) quota() (*value, error) {
	const on, off = 1, 2 // BTRFS_QUOTA_CTL_ENABLE, BTRFS_QUOTA_CTL_DISABLE
	cmd, err := r.get("cmd")
	switch {
	case err != nil:
		return nil, err
	case r.m.sec != nil || cmd != on && cmd != off:
		return nil, errors.New("the model switches quotas on and off, beside no other actor")
	case cmd == off:
		r.m.groups = nil
	case r.m.groups == nil:
		r.m.groups = map[qgroup]bool{}
	}
	r.m.prog.Need("own-mount")
	return &value{record: r.record, fields: map[string]bounds{"cmd": exactly(cmd)}}, nil
}

// quotas refuses requests on groups that the model cannot follow.
func (r *request) quotas(names ...string) ([]int64, error) {
	n, err := r.numbers(names...)
	if err == nil && (r.m.sec != nil || r.m.groups == nil) {
		err = errors.New("the model wants quotas on, and no other actor")
	}
	return n, err
}

func (r *request) qgroupCreate() (*value, error) {
	n, err := r.quotas("create", "id", "level")
	if err != nil {
		return nil, err
	}
	switch group := (qgroup{n[1], n[2]}); {
	case n[0] != 1 || group.level == 0:
		return nil, errors.New("the model makes groups of a level above 0")
	case r.m.groups[group]:
		r.failed = fails("EEXIST")
	default:
		r.m.groups[group] = true
	}
	return nil, nil
}

// qgroupAssign puts a group into one of a higher level.
func (r *request) qgroupAssign() (*value, error) {
	n, err := r.quotas("assign", "src_id", "src_level", "dst_id", "dst_level")
	if err == nil && (n[0] != 1 || !r.m.groups[qgroup{n[1], n[2]}] || !r.m.groups[qgroup{n[3], n[4]}] || n[2] >= n[4]) {
		err = errors.New("the model puts a group that there is into one of a higher level")
	}
	return nil, err
}

func (r *request) qgroupLimit() (*value, error) {
	n, err := r.quotas("id", "level", "flags", "max_rfer")
	if err == nil && (!r.m.groups[qgroup{n[0], n[1]}] || n[2] != 1 || n[3] < 1<<20) {
		err = errors.New("the model limits a group that there is, and that has no subvolumes: flags=1")
	}
	return nil, err
}

// uringCommand is ioctl(2) through io_uring. Up to 7.2 an encoded read copies with the extents locked that it has read, which a fault on the
// file wants.
func (m *model) uringCommand(s *prog.Step) (prog.Expect, error) {
	if s.Args[1].(prog.Words).Has("btrfs_encoded_read") && m.mayTouch(m.fd(s).ino) {
		m.prog.Need("unlocked-encoded")
	}
	return m.ioctlStep(s)
}

// mayTouch reports whether some memory of the program maps the file, or is a stall: whoever waits there may wait for any fault.
func (m *model) mayTouch(i *inode) bool {
	if len(m.stalls) > 0 {
		return true
	}
	for _, a := range m.areas {
		if a.ino != nil && a.ino.id == i.id && !a.gone {
			return true
		}
	}
	return false
}
