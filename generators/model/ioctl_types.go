package model

import (
	"errors"

	"faultline/generators/prog"
)

// Requests that not every type of file system has.

// fsmap lists what the blocks of the whole file system are used for (ioctl_getfsmap(2)): there is always something.
func (r *request) fsmap() (*value, error) {
	n, err := r.numbers("fmh_iflags", "fmh_count", "low_device", "low_physical", "high_device", "high_flags", "high_physical", "high_owner", "high_offset")
	if err != nil {
		return nil, err
	}
	const recordSize = 64 // struct fsmap
	count, whole := n[1], n[0] == 0 && n[2] == 0 && n[3] == 0
	for _, high := range n[4:] {
		whole = whole && high == -1
	}
	if !whole || count < 1 || count > 1<<12 {
		return nil, errors.New("the model asks for the whole file system, and has room for one record")
	}
	r.moreSure = true
	fields := map[string]bounds{"fmh_iflags": exactly(0), "fmh_count": exactly(count), "fmh_entries": between(1, count)}
	return &value{record: r.record, fields: fields}, r.behind(r.record.Size, count*recordSize)
}

// label is written as far as it goes: some copy it with its zero byte, some all of their room for it.
func (r *request) label() (*value, error) {
	r.others = prog.Expect{}
	return nil, r.behind(0, r.record.Size)
}

// trim discards what is free, of which nobody knows how much it is.
func (r *request) trim() (*value, error) {
	n, err := r.numbers("start", "len", "minlen")
	if err == nil && (n[0] != 0 || n[1] != -1 || n[2] != 0) {
		err = errors.New("the model discards all that is free")
	}
	return &value{record: r.record, fields: map[string]bounds{"start": exactly(0)}}, err
}

// moveExt swaps the blocks of two files and copies the first one's data back (fs/ext4/move_extent.c): the file stays what it is, and of the donor
// nothing is known as far as a block may reach.
func (r *request) moveExt() (*value, error) {
	n, err := r.numbers("orig_start", "donor_start", "len")
	if err != nil {
		return nil, err
	}
	donor, err := r.descriptor(r.step, "donor_fd")
	if err != nil {
		return nil, err
	}
	i, j := r.m.view(r.fd.ino), r.m.view(donor.ino)
	switch {
	case n[0] != 0 || n[1] != 0 || n[2] != 1:
		return nil, errors.New("the model swaps the first blocks")
	case r.fd.ino == donor.ino || !r.fd.read || !r.fd.write || !donor.write:
		return nil, errors.New("the model swaps blocks of two files, both open for it")
	case !definiteData(i, r.m.page) || !definiteData(j, r.m.page):
		return nil, errors.New("the model swaps blocks of data, a page of it at least")
	}
	r.m.writeFile(donor.ino, 0, unknown(r.m.page), false)
	// What was not written back yet has no block, and what the journal has not done with cannot be dropped.
	r.others = prog.Expect{prog.Fails("ENODATA"), prog.Fails("EBUSY")}
	return &value{record: r.record, fields: map[string]bounds{"orig_start": exactly(0), "donor_start": exactly(0), "len": exactly(1), "moved_len": between(0, 1)}}, nil
}

// definiteData reports whether a file begins with n bytes of which none can be a hole.
func definiteData(i *inode, n int64) bool {
	return i.minSize() >= n && definite(i.data.slice(0, n)) && firstByte(i.data.slice(0, n), true) < 0
}

// Requests of xfs. Layouts and limits are those of fs/xfs/libxfs/xfs_fs.h.

func (r *request) getbmapx() (*value, error) {
	if flags, err := r.get("bmv_iflags"); err != nil || flags != 0 {
		return nil, errors.New("the model maps files with no flag")
	}
	return r.getbmap()
}

func (r *request) getbmap() (*value, error) {
	n, err := r.numbers("bmv_offset", "bmv_length", "bmv_count")
	if err != nil {
		return nil, err
	}
	count := n[2]
	if n[0] != 0 || n[1] != -1 || count < 2 || count > 1<<16 {
		return nil, errors.New("the model maps whole files, with at least one record")
	}
	if err := r.behind(r.record.Size, (count-1)*r.record.Size); err != nil {
		return nil, err
	}
	found := between(0, count-1)
	if r.m.sec == nil && r.hasData(r.m.view(r.fd.ino).minSize()) {
		found, r.moreSure = between(1, count-1), true
	}
	return &value{record: r.record, fields: map[string]bounds{"bmv_count": exactly(count), "bmv_entries": found}}, nil
}

// bulkstat and inumbers list inodes, and groups of them: the root directory is always there.
func (r *request) bulkstat() (*value, error) { return r.bulk(192) } // struct xfs_bulkstat

func (r *request) inumbers() (*value, error) { return r.bulk(24) } // struct xfs_inumbers

func (r *request) bulk(recordSize int64) (*value, error) {
	n, err := r.numbers("ino", "icount")
	if err != nil {
		return nil, err
	}
	if n[0] != 0 || n[1] < 1 || n[1] > 1<<12 {
		return nil, errors.New("the model looks at the first inodes, one at least")
	}
	r.moreSure = true
	return &value{record: r.record, fields: map[string]bounds{"icount": exactly(n[1]), "ocount": between(1, n[1])}}, r.behind(r.record.Size, n[1]*recordSize)
}

func (r *request) geometry() (*value, error) {
	return &value{record: r.record, fields: map[string]bounds{
		"blocksize": between(512, 65536), "agcount": between(1, 1<<30), "sectsize": between(512, 32768), "inodesize": between(256, 2048)}}, nil
}

func (r *request) agGeometry() (*value, error) {
	n, err := r.numbers("ag_number")
	if err == nil && n[0] != 0 {
		err = errors.New("the model looks at the first group of blocks")
	}
	return &value{record: r.record, fields: map[string]bounds{"ag_number": exactly(0), "ag_length": between(1, 1<<31-1), "ag_freeblks": between(0, 1<<31-1)}}, err
}

func (r *request) counts() (*value, error) {
	const most = 1 << 46
	return &value{record: r.record, fields: map[string]bounds{"freedata": between(0, most), "freeino": between(0, most), "allocino": between(1, most)}}, nil
}

// scrub asks whether there is online scrub (XFS_SCRUB_TYPE_PROBE): nothing is looked at.
func (r *request) scrub() (*value, error) {
	n, err := r.numbers("sm_type", "sm_flags", "sm_ino")
	if err == nil && (n[0] != 0 || n[1] != 0 || n[2] != 0) {
		err = errors.New("the model probes for online scrub only")
	}
	return &value{record: r.record, fields: map[string]bounds{"sm_type": exactly(0), "sm_flags": exactly(0)}}, err
}

// scrubv asks the same through a list of things to look at.
func (r *request) scrubv() (*value, error) {
	n, err := r.numbers("svh_ino", "svh_flags", "svh_nr")
	if err != nil || n[0] != 0 || n[1] != 0 || n[2] != 1 {
		return nil, errors.New("the model asks for one thing")
	}
	item, err := r.readsStruct("svh_vectors", "xfs_scrub_item")
	if item == nil || err != nil {
		return nil, err
	}
	if n, err = item.numbers("sv_type", "sv_flags"); err != nil || n[0] != 0 || n[1] != 0 {
		return nil, errors.New("the model probes for online scrub only")
	}
	probed := map[string]bounds{"sv_type": exactly(0), "sv_flags": exactly(0), "sv_ret": exactly(0)}
	return nil, r.writes("svh_vectors", item.record.Size, &value{record: item.record, fields: probed})
}

// f2fsDefragment moves blocks of a file together; the answer is how many bytes it has moved.
func (r *request) f2fsDefragment() (*value, error) {
	n, err := r.numbers("start", "len")
	if err == nil {
		err = r.pages(n...)
	}
	if err == nil && (!r.fd.write || n[1] == 0) {
		err = errors.New("the model moves some pages, of a file that is open for writing")
	}
	if err != nil {
		return nil, err
	}
	return &value{record: r.record, fields: map[string]bounds{"start": exactly(n[0])}}, nil
}

// f2fsMove moves pages from one file to another: where they were is a hole then (fs/f2fs/file.c: f2fs_move_file_range), but what is cached there stays
// cached, as was seen on 6.1, 6.12 and 7.2.
func (r *request) f2fsMove() (*value, error) {
	n, err := r.numbers("pos_in", "pos_out", "len")
	if err == nil {
		err = r.pages(n...)
	}
	if err != nil {
		return nil, err
	}
	dst, err := r.descriptor(r.step, "dst_fd")
	if err != nil {
		return nil, err
	}
	moved, err := r.between(r.fd, dst, n[0], n[1], n[2])
	if err != nil {
		return nil, err
	}
	r.m.writeFile(dst.ino, n[1], moved, false)
	r.m.writeFile(r.fd.ino, n[0], zeros(n[2]), true)
	return nil, nil
}

// between are n bytes of src, for a request that changes a range of both files.
func (r *request) between(src, dst *descriptor, from, to, n int64) (content, error) {
	i, j := r.m.view(src.ino), r.m.view(dst.ino)
	switch {
	case src.ino == dst.ino || !src.read || !src.write || !dst.read || !dst.write:
		return nil, errors.New("the model wants two files, both open for reading and writing")
	case n == 0 || !i.known() || !j.known() || from+n > i.maxSize() || to+n > j.maxSize():
		return nil, errors.New("the model wants some pages that are within both files")
	}
	return i.data.slice(from, from+n), nil
}

// exchange swaps pages of two files (ioctl_xfs_exchange_range(2)).
func (r *request) exchange() (*value, error) {
	n, err := r.numbers("file1_offset", "file2_offset", "length", "flags")
	if err == nil {
		err = r.pages(n[:3]...)
	}
	if err == nil && n[3] != 0 {
		err = errors.New("the model swaps without a flag")
	}
	if err != nil {
		return nil, err
	}
	one, err := r.descriptor(r.step, "file1_fd")
	if err != nil {
		return nil, err
	}
	first, err := r.between(one, r.fd, n[0], n[1], n[2])
	if err != nil {
		return nil, err
	}
	second := r.m.view(r.fd.ino).data.slice(n[1], n[1]+n[2])
	r.m.writeFile(one.ino, n[0], second, false)
	r.m.writeFile(r.fd.ino, n[1], first, false)
	return nil, nil
}

// parents lists the directories that a file has a name in, and the names.
func (r *request) parents() (*value, error) {
	const all = 3 // XFS_GETPARENTS_OFLAG_ROOT and _DONE
	n, err := r.numbers("gp_iflags", "gp_bufsize")
	if err != nil {
		return nil, err
	}
	if n[0] != 0 || n[1] < 512 || n[1] > 4096 {
		return nil, errors.New("the model has room for 512 to 4096 bytes of answers")
	}
	of, err := r.ref(r.step, "gp_buffer")
	if err != nil {
		return nil, err
	}
	r.more = r.m.lookup(r.step, reach(of.(prog.Buf), n[1]), true)
	r.moreSure = true
	return &value{record: r.record, fields: map[string]bounds{"gp_oflags": between(0, all), "gp_bufsize": exactly(n[1])}}, nil
}
