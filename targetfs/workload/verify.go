package workload

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Verify compares the directory dir with what it must hold: names, types, permissions, links, times that were set, content,
// attributes. The error has a line for each difference, at most some dozen. Everything is read, also where the file system
// says that there is a hole.
func Verify(dir string, m *Model) error {
	v := &verifier{inodes: map[*inode]uint64{}}
	v.dir(dir, m.root)
	if len(v.wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s is not what it must be:\n%s", dir, strings.Join(v.wrong, "\n"))
}

// verifier collects what is wrong.
type verifier struct {
	wrong  []string
	inodes map[*inode]uint64 // st_ino of those seen
}

const enough = 24

func (v *verifier) say(path, format string, args ...any) {
	if len(v.wrong) < enough {
		v.wrong = append(v.wrong, path+": "+fmt.Sprintf(format, args...))
	}
}

// failed notes an error.
func (v *verifier) failed(path string, err error) bool {
	if err != nil {
		v.say(path, "%v", err)
	}
	return err != nil
}

func (v *verifier) dir(path string, d *inode) {
	entries, err := os.ReadDir(path)
	if v.failed(path, err) {
		return
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	slices.Sort(found)
	want := slices.Sorted(maps.Keys(d.names))
	for _, name := range found {
		if d.names[name] == nil {
			v.say(path, "has %q, which should not be there", name)
		}
	}
	for i := 1; i < len(found); i++ {
		if found[i] == found[i-1] {
			v.say(path, "lists %q twice", found[i])
		}
	}
	for _, name := range want {
		if _, is := slices.BinarySearch(found, name); !is {
			v.say(path, "does not list %q", name)
		}
		v.inode(filepath.Join(path, name), d.names[name])
	}
}

func (v *verifier) inode(path string, n *inode) {
	var st unix.Stat_t
	if v.failed(path, unix.Lstat(path, &st)) {
		return
	}
	if kind(st.Mode&unix.S_IFMT) != n.kind {
		v.say(path, "type %#o, want %#o", st.Mode&unix.S_IFMT, n.kind)
		return
	}
	v.attributes(path, n, &st)
	if before, seen := v.inodes[n]; seen {
		if before != st.Ino {
			v.say(path, "inode %d, but another name of it has %d", st.Ino, before)
		}
		return
	}
	v.inodes[n] = st.Ino
	v.xattrs(path, n)
	switch n.kind {
	case kindDir:
		v.dir(path, n)
	case kindFile:
		v.content(path, n)
	case kindSymlink:
		if target, err := os.Readlink(path); !v.failed(path, err) && target != n.target {
			v.say(path, "target %q, want %q", target, n.target)
		}
	}
}

func (v *verifier) attributes(path string, n *inode, st *unix.Stat_t) {
	if mode := st.Mode & 0o7777; n.kind != kindSymlink && mode != n.mode {
		v.say(path, "permissions %#o, want %#o", mode, n.mode)
	}
	links := n.links
	if n.kind == kindDir {
		links = 2 + n.subdirs()
	}
	// Some file systems, btrfs for one, count 1 for each directory.
	if int(st.Nlink) != links && !(n.kind == kindDir && st.Nlink == 1) {
		v.say(path, "%d links, want %d", st.Nlink, links)
	}
	if n.kind == kindFile && st.Size != n.size {
		v.say(path, "%d bytes, want %d", st.Size, n.size)
	}
	if m := st.Mtim; !n.mtime.IsZero() && (m.Sec != n.mtime.Unix() || m.Nsec != int64(n.mtime.Nanosecond())) {
		v.say(path, "mtime %d.%09d, want %d.%09d", m.Sec, m.Nsec, n.mtime.Unix(), n.mtime.Nanosecond())
	}
}

func (v *verifier) xattrs(path string, n *inode) {
	if n.kind != kindFile && n.kind != kindDir {
		return
	}
	names := make([]byte, 65536)
	size, err := unix.Listxattr(path, names)
	if v.failed(path, err) {
		return
	}
	var found []string
	for name := range strings.SplitSeq(string(names[:size]), "\x00") {
		if strings.HasPrefix(name, "user.") {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	if want := slices.Sorted(maps.Keys(n.xattrs)); !slices.Equal(found, want) {
		v.say(path, "attributes %q, want %q", found, want)
	}
	for name, want := range n.xattrs {
		value := make([]byte, 65536)
		size, err := unix.Getxattr(path, name, value)
		if !v.failed(path+", "+name, err) && !bytes.Equal(value[:size], want) {
			v.say(path, "%s has %d bytes, want %d others", name, size, len(want))
		}
	}
}

// content reads what was written, and what the file system says is data.
func (v *verifier) content(path string, n *inode) {
	f, err := os.Open(path)
	if v.failed(path, err) {
		return
	}
	defer f.Close()
	blocks, err := dataChunks(f, n)
	if v.failed(path, err) {
		return
	}
	b := make([]byte, chunk)
	for _, block := range blocks {
		got := b[:min(chunk, n.size-block*chunk)]
		if _, err := f.ReadAt(got, block*chunk); v.failed(fmt.Sprintf("%s at %d", path, block*chunk), err) {
			return
		}
		if want := n.at(block)[:len(got)]; !bytes.Equal(got, want) {
			v.say(path, "bytes differ from %d on", block*chunk+int64(firstDifference(got, want)))
			return
		}
	}
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// dataChunks are the chunks that the model has, and those where the file system has data, in their order; those behind the end of the
// file are left out.
func dataChunks(f *os.File, n *inode) ([]int64, error) {
	blocks := map[int64]bool{}
	for block := range n.data {
		blocks[block] = true
	}
	fd := int(f.Fd())
	for off := int64(0); off < n.size; {
		data, err := unix.Seek(fd, off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("lseek(SEEK_DATA) from %d: %w", off, err)
		}
		hole, err := unix.Seek(fd, data, unix.SEEK_HOLE)
		if err != nil {
			return nil, fmt.Errorf("lseek(SEEK_HOLE) from %d: %w", data, err)
		}
		for block := data / chunk; block*chunk < hole; block++ {
			blocks[block] = true
		}
		off = hole
	}
	maps.DeleteFunc(blocks, func(block int64, _ bool) bool { return block*chunk >= n.size })
	return slices.Sorted(maps.Keys(blocks)), nil
}
