package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"syscall"

	"faultline/targetfs/disk"
)

// node is an inode of the model: what a file system without blocks would know.
type node struct {
	ino    uint64
	mode   uint32
	data   []byte
	target string
	xattrs map[Xattr]string
	names  map[string]*node // of a directory
	parent *node            // of a directory
	nlink  uint32
}

func newNode(ino uint64, mode uint32) *node {
	n := &node{ino: ino, mode: mode, nlink: 1, xattrs: map[Xattr]string{}}
	if mode&disk.ModeType == disk.ModeDir {
		n.names, n.nlink = map[string]*node{}, 2
	}
	return n
}

func (n *node) isDir() bool  { return n.names != nil }
func (n *node) isFile() bool { return n.mode&disk.ModeType == disk.ModeReg }

// below tells whether n is dir or somewhere below it.
func (n *node) below(dir *node) bool {
	for at := n; at != nil; at = at.parent {
		if at == dir {
			return true
		}
	}
	return false
}

// resize is truncate of a model file.
func (n *node) resize(size int) {
	if size <= len(n.data) {
		n.data = n.data[:size:size]
		return
	}
	n.data = append(n.data, make([]byte, size-len(n.data))...)
}

// compare walks model and image together and returns the differences.
func compare(im *Image, root *node) error {
	var errs []error
	err := im.View(func(tx *Tx) error {
		errs = compareNode(tx, root, "/")
		return nil
	})
	return errors.Join(append(errs, err)...)
}

func compareNode(tx *Tx, n *node, path string) (errs []error) {
	complain := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	di, err := tx.Stat(n.ino)
	if err != nil {
		complain("%v", err)
		return errs
	}
	if di.Mode != n.mode || di.Nlink != n.nlink {
		complain("mode %#o nlink %d, want %#o and %d", di.Mode, di.Nlink, n.mode, n.nlink)
	}
	if err := compareXattrs(tx, n); err != nil {
		complain("%v", err)
	}
	switch n.mode & disk.ModeType {
	case disk.ModeReg:
		if err := compareData(tx, &di, n.data); err != nil {
			complain("%v", err)
		}
	case disk.ModeLink:
		if target, err := tx.Readlink(n.ino); err != nil || target != n.target {
			complain("target %q %v, want %q", target, err, n.target)
		}
	case disk.ModeDir:
		got, err := listing(tx, n.ino)
		if err != nil {
			complain("%v", err)
		}
		want := map[string]uint64{}
		for name, child := range n.names {
			want[name] = child.ino
			errs = append(errs, compareNode(tx, child, path+name+"/")...)
		}
		if !maps.Equal(got, want) {
			complain("entries %v, want %v", got, want)
		}
	}
	return errs
}

// listing reads a directory in small pieces, as a user with a small buffer does, without "." and "..".
func listing(tx *Tx, dir uint64) (map[string]uint64, error) {
	all := map[string]uint64{}
	for from, more := uint64(0), true; more; {
		more = false
		n := 0
		err := tx.ReadDir(dir, from, func(e DirEntry) bool {
			if n == 50 {
				more = true
				return false
			}
			if e.Name != "." && e.Name != ".." {
				all[e.Name] = e.Inum.Addr
			}
			n, from = n+1, e.Cookie+1
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func compareData(tx *Tx, di *disk.Dinode, want []byte) error {
	if di.Size != uint64(len(want)) {
		return fmt.Errorf("size %d, want %d", di.Size, len(want))
	}
	got := make([]byte, len(want)+1)
	n, err := tx.readAt(di, got, 0)
	if err != io.EOF || n != len(want) {
		return fmt.Errorf("read %d bytes, %v; want %d and EOF", n, err, len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			return fmt.Errorf("byte %d of %d is %d, want %d", i, len(want), got[i], want[i])
		}
	}
	return nil
}

func compareXattrs(tx *Tx, n *node) error {
	names, err := tx.ListXattr(n.ino)
	if err != nil {
		return err
	}
	if len(names) != len(n.xattrs) {
		return fmt.Errorf("attributes %v, want %v", names, slices.Collect(maps.Keys(n.xattrs)))
	}
	for x, want := range n.xattrs {
		got, err := tx.GetXattr(n.ino, x)
		if err != nil || !bytes.Equal(got, []byte(want)) {
			return fmt.Errorf("attribute %v: %d bytes, %v; want %d bytes", x, len(got), err, len(want))
		}
	}
	_, err = tx.GetXattr(n.ino, Xattr{disk.EAUser, "no such attribute"})
	if !errors.Is(err, syscall.ENODATA) {
		return fmt.Errorf("an attribute that does not exist gives %v", err)
	}
	return nil
}
