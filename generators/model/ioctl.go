package model

import (
	"errors"
	"fmt"
	"slices"

	"faultline/generators/prog"
)

// request is one ioctl under way: its file, its argument, and the memory behind the struct that it may fill as well.
type request struct {
	*argument
	step *prog.Step
	fd   *descriptor
	buf  prog.Buf
	// more is memory behind the struct; moreSure says that some of it will surely be written, moreWhole that all of it will if the request succeeds.
	more                *span
	moreSure, moreWhole bool
	// results are what it leaves in memory that the struct points to.
	results []result
	// moved, if it is set, bounds the result, which is else 0; others are further outcomes, failed is the only one if it is set.
	moved          *bounds
	others, failed prog.Expect
}

// requests are what is known of single requests: each returns what it leaves in the struct. The others succeed, and leave what is unknown.
var requests = map[string]func(*request) (*value, error){
	"fiemap": (*request).fiemap, "ext4_es_cache": (*request).extentCache,
	"getflags": (*request).getFlags, "setflags": (*request).setFlags, "fsgetxattr": (*request).getFlags, "fssetxattr": (*request).setFlags,
	"getfsmap": (*request).fsmap, "getfslabel": (*request).label, "fitrim": (*request).trim, "ext4_move_ext": (*request).moveExt,
	"clonerange": (*request).cloneRange, "dedupe": (*request).dedupe, "dedupe_two": (*request).dedupe,
	"xfs_getbmapx": (*request).getbmapx, "xfs_bulkstat": (*request).bulkstat, "xfs_inumbers": (*request).inumbers,
	"xfs_geometry": (*request).geometry, "xfs_ag_geometry": (*request).agGeometry, "xfs_counts": (*request).counts, "xfs_scrub": (*request).scrub,
	"f2fs_defragment": (*request).f2fsDefragment,
	"btrfs_fs_info":   (*request).fsInfo, "btrfs_ino_lookup": (*request).inoLookup, "btrfs_subvol_info": (*request).subvolInfo, "btrfs_search": (*request).search,
	"btrfs_search_v1": (*request).searchV1, "btrfs_logical_ino": (*request).logicalIno, "btrfs_logical_ino_v2": (*request).logicalIno, "btrfs_ino_paths": (*request).inoPaths,
	"btrfs_dev_info": (*request).devInfo, "btrfs_space_info": (*request).spaceInfo, "btrfs_rootref": (*request).rootref, "btrfs_defrag": (*request).defrag,
	"btrfs_encoded_read": (*request).encodedRead, "btrfs_encoded_write": (*request).encodedWrite, "btrfs_scrub": (*request).btrfsScrub, "btrfs_rescan": (*request).rescan,
	"xfs_getbmap": (*request).getbmap, "xfs_exchange": (*request).exchange, "xfs_parents": (*request).parents, "f2fs_move": (*request).f2fsMove,
	"verity_enable": (*request).verityEnable, "verity_measure": (*request).verityMeasure, "verity_metadata": (*request).verityMetadata,
	"crypt_add": (*request).cryptAdd, "crypt_remove": (*request).cryptRemove, "crypt_status": (*request).cryptStatus, "crypt_policy": (*request).cryptPolicy,
	"setfslabel": (*request).setLabel, "goingdown": (*request).goingDown,
	"resvsp": (*request).reserve, "unresvsp": (*request).reserve, "zero_range": (*request).reserve,
}

// ioctlStep: the struct is read before anything is done, and written when all is done; where memory is bad in between, EFAULT.
func (m *model) ioctlStep(s *prog.Step) (prog.Expect, error) {
	row := prog.Requests[s.Args[1].(prog.Words)[0]]
	buf := s.Args[2].(prog.Buf)
	in, err := m.spanOf(s, buf, 0, row.In, false)
	if err != nil {
		return nil, err
	}
	out, err := m.spanOf(s, buf, 0, row.Out, true)
	switch {
	case err != nil:
		return nil, err
	case in.can < in.n:
		return fails("EFAULT"), nil
	case in.sure < in.n:
		return nil, errors.New("the model wants an argument that can be read for certain, or not at all")
	}
	r := &request{argument: &argument{m, m.arguments(in), prog.Structs[row.Struct]}, step: s, fd: m.fd(s), buf: buf}
	v := &value{}
	special := requests[row.Name]
	if special == nil {
		special = typeRequests[row.Name]
	}
	if special != nil {
		if v, err = special(r); err != nil && !m.settling() {
			return nil, err
		}
	}
	if r.failed != nil {
		return r.failed, nil
	}
	if v != nil && v.fields != nil && (out.sure < out.n || r.more != nil && r.more.sure < r.more.n) {
		v.fields, v.layout = nil, nil
	}
	want := r.leaveAll(r.ended(m.answer(out, v)))
	if more := r.more; more != nil {
		m.copyOnWrite(more)
		m.write(more.places, unknown(more.can), 0)
		if r.moreWhole && more.can < more.n {
			want = slices.DeleteFunc(want, func(o prog.Outcome) bool { return o.Err == "" })
		}
		if more.sure < more.n {
			want = append(want, prog.Fails("EFAULT"))
		}
		if r.moreSure && more.can == 0 {
			want = fails("EFAULT")
		}
	}
	return want, nil
}

// ended is the result with what is known of it besides.
func (r *request) ended(want prog.Expect) prog.Expect {
	for i, o := range want {
		if r.moved != nil && o.Err == "" {
			want[i] = prog.Between(r.moved.lo, r.moved.hi)
		}
	}
	return append(want, r.others...)
}

// behind looks up the memory behind the struct.
func (r *request) behind(from, n int64) (err error) {
	r.more, err = r.m.spanOf(r.step, r.buf, from, from+n, true)
	return err
}

// own reports whether some of the memory is a mapping of the request's own file.
func (r *request) own(memory *span) bool {
	return slices.ContainsFunc(memory.places, func(p place) bool { return p.a.ino != nil && p.a.ino.id == r.fd.ino.id })
}

// hasData reports whether some byte of the file before the given offset is surely not zero.
func (r *request) hasData(to int64) bool {
	i := r.m.view(r.fd.ino)
	for _, run := range i.data.slice(0, min(to, i.minSize())) {
		if len(run.may) == 1 && (run.may[0].kind == prog.Fill || run.may[0].kind == prog.Pattern) {
			return true
		}
	}
	return false
}

// extentSize is that of struct fiemap_extent (linux/fiemap.h), syncFlag is FIEMAP_FLAG_SYNC.
const (
	extentSize = 56
	syncFlag   = 1
)

// fiemap tells of all data once it is written back, and of nothing else for certain.
func (r *request) fiemap() (*value, error) {
	n, err := r.numbers("fm_start", "fm_length", "fm_flags", "fm_extent_count")
	if err != nil {
		return nil, err
	}
	length, flags, count := n[1], n[2], n[3]
	if n[0] != 0 || length != -1 || flags&^syncFlag != 0 || count > 1<<16 {
		return nil, fmt.Errorf("the model maps whole files, with no flag or with FIEMAP_FLAG_SYNC")
	}
	if err := r.behind(r.record.Size, count*extentSize); err != nil {
		return nil, err
	}
	if r.own(r.more) {
		r.m.prog.Need("self-fiemap")
	}
	if flags == syncFlag && r.own(r.more.shared()) {
		r.m.prog.Need("self-fiemap-sync")
	}
	sure := flags == syncFlag && r.m.sec == nil && r.hasData(r.m.view(r.fd.ino).minSize())
	r.moreSure = sure && count > 0
	found := between(0, count)
	if sure {
		found = between(min(1, count), count)
	}
	v := &value{record: r.record, fields: map[string]bounds{"fm_mapped_extents": found, "fm_extent_count": exactly(count), "fm_start": exactly(0)}}
	if count == 0 {
		delete(v.fields, "fm_mapped_extents") // how many there are
	} else if i := r.m.view(r.fd.ino); sure && i.known() {
		v.layout = i.data.slice(0, i.maxSize())
	}
	return v, nil
}

// extentCache is fiemap of what ext4 happens to know.
func (r *request) extentCache() (*value, error) {
	v, err := r.fiemap()
	if err != nil {
		return nil, err
	}
	r.moreSure, v.layout = false, nil
	if count := v.fields["fm_extent_count"].lo.Bytes; count > 0 {
		v.fields["fm_mapped_extents"] = between(0, count)
	}
	return v, nil
}

func (r *request) getFlags() (*value, error) {
	return &value{record: r.record, fields: map[string]bounds{}, flags: r.fd.ino}, nil
}

// setFlags gives back what getflags, or fsgetxattr, returned: anything else may change what the file is.
func (r *request) setFlags() (*value, error) {
	v := r.m.valueAt(r.content)
	if v == nil || v.flags == nil || v.record != r.record || v.flags.id != r.fd.ino.id {
		return nil, errors.New("the model sets flags only to what the file has, as a request has returned them")
	}
	return nil, nil
}

// reserve is fallocate(2) by another name, which never changes the size (fs/ioctl.c: ioctl_preallocate).
func (r *request) reserve() (*value, error) {
	n, err := r.numbers("l_start", "l_len")
	if err != nil {
		return nil, err
	}
	mode := map[string]prog.Words{"resvsp": {"keep"}, "unresvsp": {"punch"}, "zero_range": {"zero", "keep"}}[r.step.Args[1].(prog.Words)[0]]
	r.failed, err = r.m.fallocate(r.fd, mode, n[0], n[1])
	return nil, err
}

// pages refuses offsets and lengths that are not whole pages, which are whole blocks on every file system.
func (r *request) pages(sizes ...int64) error {
	for _, n := range sizes {
		if n < 0 || n%r.m.page != 0 {
			return fmt.Errorf("the model wants whole pages, found %d bytes", n)
		}
	}
	return nil
}

// cloneRange makes the destination's pages those of the source (ioctl_ficlonerange(2)).
func (r *request) cloneRange() (*value, error) {
	n, err := r.numbers("src_offset", "src_length", "dest_offset")
	if err == nil {
		err = r.pages(n...)
	}
	if err != nil {
		return nil, err
	}
	src, err := r.descriptor(r.step, "src_fd")
	if err != nil {
		return nil, err
	}
	return nil, r.m.clone(r.fd, src, n[0], n[1], n[2])
}

// clone shares n bytes of src with dst.
func (m *model) clone(dst, src *descriptor, from, n, to int64) error {
	i, j := src.ino, dst.ino
	i, j = m.view(i), m.view(j)
	switch {
	case !src.read || !dst.write || dst.append_:
		return errors.New("the model clones from a descriptor that reads to one that writes")
	case !i.known() || !j.known() || from+n > i.maxSize():
		return errors.New("the model clones what is within the file")
	case src.ino == dst.ino && from < to+n && to < from+n:
		return errors.New("the model does not clone onto the source itself")
	case n == 0 || to > j.maxSize():
		return errors.New("the model clones into the file or to its end, and some bytes")
	}
	moved := i.data.slice(from, from+n)
	m.extend(dst.ino, to+n, true)
	m.writeFile(dst.ino, to, moved, false)
	return nil
}

// dedupe compares with one range or with two, and shares what is equal: no byte changes (ioctl_fideduperange(2)).
func (r *request) dedupe() (*value, error) {
	n, err := r.numbers("src_offset", "src_length", "dest_count")
	if err == nil {
		err = r.pages(n[:2]...)
	}
	if err != nil {
		return nil, err
	}
	entries := []string{"", "_2"}
	if r.record.Field("dest_fd_2") == nil {
		entries = entries[:1]
	}
	if n[2] != int64(len(entries)) {
		return nil, fmt.Errorf("the model wants dest_count=%d for %s", len(entries), r.record.Name)
	}
	v := &value{record: r.record, fields: map[string]bounds{"dest_count": exactly(n[2])}}
	for _, entry := range entries {
		status, err := r.dedupeWith(n[0], n[1], entry)
		if err != nil {
			return nil, err
		}
		v.fields["status"+entry], v.fields["bytes_deduped"+entry] = status, bounds{prog.Size{}, r.m.size(n[1])}
	}
	return v, nil
}

// dedupeWith is the status of one range, whose fields end in the given way.
func (r *request) dedupeWith(from, length int64, entry string) (status bounds, err error) {
	n, err := r.numbers("dest_offset" + entry)
	if err == nil {
		err = r.pages(n...)
	}
	if err != nil {
		return status, err
	}
	dst, err := r.descriptor(r.step, "dest_fd"+entry)
	if err != nil {
		return status, err
	}
	to := n[0]
	i, j := r.m.view(r.fd.ino), r.m.view(dst.ino)
	switch {
	case !i.known() || !j.known() || from+length > i.maxSize() || to+length > j.maxSize():
		return status, errors.New("the model compares what is within both files")
	case r.fd.ino == dst.ino && from < to+length && to < from+length || length == 0:
		return status, errors.New("the model compares two ranges that do not overlap")
	case !r.fd.read || !dst.write:
		return status, errors.New("the model compares a descriptor that reads with one that writes")
	}
	switch a, b := i.data.slice(from, from+length), j.data.slice(to, to+length); {
	case definite(a) && equal(a, b):
		return exactly(0), nil // FILE_DEDUPE_RANGE_SAME
	case differ(a, b):
		return exactly(1), nil // FILE_DEDUPE_RANGE_DIFFERS
	}
	return between(0, 1), nil
}

// definite reports whether every byte is known.
func definite(c content) bool {
	for _, run := range c {
		if len(run.may) != 1 || run.may[0].kind == prog.Any || run.may[0].kind == valued {
			return false
		}
	}
	return true
}

// differ reports whether some byte is surely another: zero here, and surely not zero there.
func differ(a, b content) bool {
	for _, run := range mix(a, b) {
		if len(run.may) != 2 || run.may[0].kind != prog.Zero || run.may[1].kind != prog.Fill && run.may[1].kind != prog.Pattern {
			continue
		}
		return definite(a) && definite(b)
	}
	return false
}
