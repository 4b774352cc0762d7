package model

import (
	"errors"
	"fmt"

	"faultline/generators/prog"
)

// Requests of btrfs. Layouts are those of linux/btrfs.h.

func (r *request) fsInfo() (*value, error) {
	return &value{record: r.record, fields: map[string]bounds{"num_devices": between(1, 1<<16), "nodesize": between(4096, 65536), "sectorsize": between(4096, 65536)}}, nil
}

// firstObject is BTRFS_FIRST_FREE_OBJECTID: the root directory of every tree of files.
const firstObject = 256

func (r *request) inoLookup() (*value, error) {
	n, err := r.numbers("treeid", "objectid")
	if err == nil && (n[0] != 0 || n[1] != firstObject) {
		err = errors.New("the model looks up the root of the file's own tree: treeid 0, objectid 256")
	}
	return &value{record: r.record, fields: map[string]bounds{"objectid": exactly(firstObject), "treeid": between(5, 1<<46)}}, err
}

// subvolInfo returns 1 on 6.18 for what is not the subvolume of the top.
func (r *request) subvolInfo() (*value, error) {
	v := &value{record: r.record, fields: map[string]bounds{"treeid": between(5, 1<<46)}}
	if r.fd.ino.subvolume {
		v.tree, r.moved = r.fd.ino, &bounds{hi: prog.Bytes(1)}
	}
	return v, nil
}

func (r *request) search() (*value, error) {
	room, err := r.get("buf_size")
	if err != nil {
		return nil, err
	}
	return r.searchRoots(room)
}

// searchV1 has all its memory in one struct of 4096 bytes.
func (r *request) searchV1() (*value, error) { return r.searchRoots(4096 - r.record.Size) }

// searchRoots looks for items of the tree of roots, of which there is always one.
func (r *request) searchRoots(room int64) (*value, error) {
	n, err := r.numbers("tree_id", "min_objectid", "max_objectid", "max_offset", "max_transid", "max_type", "nr_items")
	if err != nil {
		return nil, err
	}
	items := n[6]
	if n[0] != 1 || n[1] != 0 || n[2] != -1 || n[3] != -1 || n[4] != -1 || n[5] != 255 || items < 1 || items > 1<<16 || room < 1024 || room > 1<<20 {
		return nil, errors.New("the model searches the whole tree of roots (1) for items, with room for one")
	}
	r.moreSure = true
	return &value{record: r.record, fields: map[string]bounds{"nr_items": between(1, items), "tree_id": exactly(1)}}, r.behind(r.record.Size, room)
}

// logicalIno lists the inodes that have an extent; which address is one's is not for the model to know.
func (r *request) logicalIno() (*value, error) { return r.container("inodes") }

// inoPaths lists the names of an inode, whose number the model does not know.
func (r *request) inoPaths() (*value, error) { return r.container("fspath") }

// container is memory that the struct points to, and that is written as a whole (struct btrfs_data_container) when something was found.
func (r *request) container(field string) (*value, error) {
	size, err := r.get("size")
	if err != nil {
		return nil, err
	}
	if size < 64 || size > 4096 {
		return nil, errors.New("the model has room for 64 to 4096 bytes of answers")
	}
	of, err := r.ref(r.step, field)
	if err != nil {
		return nil, err
	}
	r.others, r.moreWhole = fails("ENOENT"), true
	r.more = r.m.lookup(r.step, reach(of.(prog.Buf), size), true)
	return nil, nil
}

func (r *request) devInfo() (*value, error) {
	n, err := r.numbers("devid")
	if err == nil && n[0] != 1 {
		err = errors.New("the model looks at the first device")
	}
	return &value{record: r.record, fields: map[string]bounds{"devid": exactly(1)}}, err
}

// spaceInfo tells of the kinds of space, of which there are data, metadata and system.
func (r *request) spaceInfo() (*value, error) {
	const slotSize = 24 // struct btrfs_ioctl_space_info
	n, err := r.numbers("space_slots")
	if err != nil {
		return nil, err
	}
	if n[0] < 1 || n[0] > 1<<8 {
		return nil, errors.New("the model has room for one kind of space at least")
	}
	r.moreSure = true
	return &value{record: r.record, fields: map[string]bounds{"total_spaces": between(1, n[0])}}, r.behind(r.record.Size, n[0]*slotSize)
}

// rootref lists the subvolumes below the file's own.
func (r *request) rootref() (*value, error) {
	n, err := r.numbers("min_treeid")
	if err == nil && n[0] != 0 {
		err = errors.New("the model lists all subvolumes")
	}
	return &value{record: r.record, fields: map[string]bounds{"num_items": between(0, 255)}}, err
}

// defrag writes data anew: no byte changes.
func (r *request) defrag() (*value, error) {
	n, err := r.numbers("start", "len", "flags", "extent_thresh")
	if err == nil && (n[0] < 0 || n[1] == 0 || n[2] != 0 || !r.fd.write) {
		err = errors.New("the model writes some data anew, of a file that is open for writing")
	}
	return nil, err
}

// pieces is the memory that n iovecs, to which the struct points, describe.
func (r *request) pieces(n int64) (memory prog.Buf, err error) {
	at, err := r.ref(r.step, "iov")
	if err != nil {
		return memory, err
	}
	memory, bad, err := r.m.vectorAt(r.step, at.(prog.Buf), n)
	if bad != nil {
		err = errors.New("the model wants pieces that can be read")
	}
	return memory, err
}

// encodedRead reads from the beginning of the file into the pieces that the struct points to: a part of it, compressed if it is so on disk; then there may
// be no room for it (ENOBUFS). The struct is written from behind its flags on.
func (r *request) encodedRead() (*value, error) {
	n, err := r.numbers("iovcnt", "offset", "flags")
	if err != nil {
		return nil, err
	}
	if n[0] < 1 || n[0] > 8 || n[1] != 0 || n[2] != 0 || !r.fd.read {
		return nil, errors.New("the model reads from the beginning, into up to 8 pieces")
	}
	memory, err := r.pieces(n[0])
	if err != nil {
		return nil, err
	}
	to := r.m.lookup(r.step, memory, true)
	hi := clamp(r.m.view(r.fd.ino).maxSize(), to.n)
	if r.m.view(r.fd.ino).minSize() < r.m.page || to.n < r.m.page {
		return nil, errors.New("the model reads a page at least")
	}
	r.more, r.others = to, fails("ENOBUFS")
	r.moved = &bounds{prog.Bytes(1), r.m.size(hi)}
	fields := map[string]bounds{"len": {hi: r.m.size(hi)}, "unencoded_len": {hi: r.m.size(hi)}} // 0 if it fails
	return &value{record: r.record, fields: fields}, nil
}

// encoded is a frame of zstd (RFC 8878): one block of the byte z, repeated encodedLength times.
const (
	encoded       = "(\xb5/\xfd`\x00\x1f\x03\x00\x01z"
	encodedLength = 8192
	zstd          = 2 // BTRFS_ENCODED_IO_COMPRESSION_ZSTD
)

// encodedWrite writes a frame that the model knows to the beginning of the file. What the file is there afterwards is not followed: it is no number of pages
// on some machines.
func (r *request) encodedWrite() (*value, error) {
	n, err := r.numbers("iovcnt", "offset", "flags", "len", "unencoded_len", "unencoded_offset", "compression", "encryption")
	if err != nil {
		return nil, err
	}
	if n[0] < 1 || n[0] > 8 || n[1] != 0 || n[2] != 0 || n[3] != encodedLength || n[4] != encodedLength || n[5] != 0 || n[6] != zstd || n[7] != 0 {
		return nil, fmt.Errorf("the model writes %d bytes of zstd to the beginning, from up to 8 pieces", encodedLength)
	}
	memory, err := r.pieces(n[0])
	if err != nil {
		return nil, err
	}
	from := r.m.lookup(r.step, memory, false)
	size := r.m.view(r.fd.ino).minSize()
	switch {
	case from.n != int64(len(encoded)) || size < encodedLength || !r.fd.write:
		return nil, fmt.Errorf("the model writes a frame of %d bytes into a file that has %d, and is open for writing", len(encoded), encodedLength)
	case from.can < from.n:
		r.failed = fails("EFAULT")
		return nil, nil
	case from.sure < from.n || !isFrame(r.m.read(from.places, from.n)):
		return nil, errors.New("the model writes a frame that it knows, and that can be read for certain, or not at all")
	}
	r.m.writeFile(r.fd.ino, 0, unknown(r.m.view(r.fd.ino).maxSize()), false)
	r.moved = &bounds{prog.Bytes(int64(len(encoded))), prog.Bytes(int64(len(encoded)))}
	return nil, nil
}

// isFrame reports whether bytes are those of the frame.
func isFrame(c content) bool {
	at := 0
	for _, run := range c {
		if len(run.may) != 1 || run.may[0].kind != prog.Fill && run.may[0].kind != prog.Zero {
			return false
		}
		for range run.n {
			if int(encoded[at]) != run.may[0].id {
				return false
			}
			at++
		}
	}
	return true
}

// btrfsScrub reads the beginning of the first device and compares sums. What it has found is written at the end, also when another scrub is in the way.
func (r *request) btrfsScrub() (*value, error) {
	const readOnly = 1 // BTRFS_SCRUB_READONLY
	n, err := r.numbers("devid", "start", "end", "flags")
	if err == nil && (n[0] != 1 || n[1] != 0 || n[2] < 1 || n[2] > 1<<20 || n[3] != readOnly) {
		err = errors.New("the model scrubs a little of the first device, which is only read")
	}
	r.others = prog.Expect{prog.Fails("EINPROGRESS"), prog.Fails("ECANCELED")}
	return nil, err
}

func (r *request) rescan() (*value, error) {
	return &value{record: r.record, fields: map[string]bounds{"flags": between(0, 1)}}, nil
}
