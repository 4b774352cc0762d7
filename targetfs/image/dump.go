package image

import (
	"fmt"
	"io"
	"strings"
	"syscall"

	"faultline/targetfs/disk"
	"faultline/targetfs/journal"
)

// Dump prints structures of an image as they are on the device: it replays no journal and changes nothing. What it says of an image
// that is in use may be out of date.
type Dump struct {
	im  *Image
	out io.Writer
}

// NewDump prepares to print what is on dev, an image of size bytes, to out. Errors of out are lost: buffer it, and look at the end.
func NewDump(dev Device, size int64, out io.Writer) (*Dump, error) {
	sb, err := readSuperblock(dev)
	if err != nil {
		return nil, fmt.Errorf("dump GFS2 image: %w", err)
	}
	return &Dump{newImage(dev, sb, size, Options{ReadOnly: true}), out}, nil
}

func (d *Dump) printf(format string, args ...any) { fmt.Fprintf(d.out, format, args...) }

// Superblock prints the superblock.
func (d *Dump) Superblock() error {
	d.printf("superblock at block %d of %d\n", d.im.bs.SuperblockAddr(), d.im.blocks)
	dumpFields(d.out, "sb", d.im.sb)
	return nil
}

// Groups prints a line for each resource group, with the states that its bitmap counts.
func (d *Dump) Groups() error {
	if err := d.im.loadGroups(); err != nil {
		return fmt.Errorf("dump resource groups: %w", err)
	}
	d.printf("%12s %6s %12s %10s %10s %10s %10s %10s  %s\n", "rg_addr", "length", "data0", "data", "free", "used", "unlinked", "dinode", "flags")
	for _, g := range d.im.groups {
		b := make([]byte, d.im.bs)
		if _, err := d.im.dev.ReadAt(b, d.im.offset(g.Addr)); err != nil {
			return fmt.Errorf("read resource group %d: %w", g.Addr, err)
		}
		rg, err := disk.DecodeRgrp(b, g.Addr)
		if err != nil {
			return fmt.Errorf("dump resource groups: %w", err)
		}
		n, err := d.im.scan(g, func(uint64) {})
		if err != nil {
			return fmt.Errorf("dump resource groups: %w", err)
		}
		d.printf("%12d %6d %12d %10d %10d %10d %10d %10d  %#x\n", g.Addr, g.Length, g.Data0, g.Data,
			n[disk.Free], n[disk.Used], n[disk.Unlinked], n[disk.InodeBlock], rg.Flags)
	}
	return nil
}

// Path prints the inode that a path from the root directory leads to. Symbolic links are not followed.
func (d *Dump) Path(path string) error {
	at := d.im.Root()
	err := d.im.View(func(tx *Tx) error {
		for name := range strings.SplitSeq(path, "/") {
			if name == "" || name == "." {
				continue
			}
			inum, err := tx.Lookup(at, name)
			if err != nil {
				return fmt.Errorf("find %s in inode %d: %w", name, at, err)
			}
			at = inum.Addr
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("dump %s: %w", path, err)
	}
	return d.Inode(at)
}

// Inode prints the dinode at block addr, and what it has: names, a target, or extents, and extended attributes.
func (d *Dump) Inode(addr uint64) error {
	if err := d.im.View(func(tx *Tx) error { return d.inode(tx, addr) }); err != nil {
		return fmt.Errorf("dump inode %d: %w", addr, err)
	}
	return nil
}

func (d *Dump) inode(tx *Tx, addr uint64) error {
	if err := d.im.checkAddr(addr); err != nil {
		return err
	}
	di, err := tx.dinode(addr)
	if err != nil {
		return err
	}
	d.printf("dinode at block %d\n", addr)
	dumpFields(d.out, "di", di)
	switch di.Type() {
	case disk.ModeDir:
		err = d.names(tx, addr)
	case disk.ModeLink:
		var target string
		target, err = tx.Readlink(addr)
		d.printf("target %q\n", target)
	case disk.ModeReg:
		err = d.extents(tx, &di)
	}
	if err != nil {
		return err
	}
	return d.xattrs(tx, addr)
}

func (d *Dump) names(tx *Tx, addr uint64) error {
	d.printf("%10s %12s %8s  %s\n", "hash", "block", "type", "name")
	return tx.ReadDir(addr, 0, func(e DirEntry) bool {
		d.printf("0x%08x %12d %8d  %q\n", disk.HashName(e.Name), e.Inum.Addr, e.Type, e.Name)
		return true
	})
}

// extents prints the pieces of a file that are adjacent on the device, also those behind its end; between them are holes. All numbers are
// in blocks.
func (d *Dump) extents(tx *Tx, di *disk.Dinode) error {
	if di.Height == 0 {
		d.printf("data is in the dinode\n")
		return nil
	}
	d.printf("%12s %10s %12s\n", "file block", "blocks", "block")
	seen := uint64(0)
	for lblk, end := uint64(0), d.im.bs.TreeBlocks(int(di.Height)); lblk < end; {
		r, err := tx.extent(di, lblk, end-lblk)
		if err != nil {
			return err
		}
		if r.addr != 0 {
			d.printf("%12d %10d %12d\n", lblk, r.n, r.addr)
			seen += r.n
		}
		if seen > d.im.blocks {
			return disk.Corrupt(di.Num.Addr, "more blocks of data than the device has")
		}
		lblk += r.n
	}
	return nil
}

func (d *Dump) xattrs(tx *Tx, addr uint64) error {
	all, err := tx.ListXattr(addr)
	if err != nil {
		return err
	}
	for _, x := range all {
		value, err := tx.GetXattr(addr, x)
		if err != nil {
			return err
		}
		d.printf("attribute %v.%s, %d bytes\n", x.Type, x.Name, len(value))
	}
	return nil
}

// Journal prints where journal n is, its last log header, and the headers and descriptors of the log that is to be replayed.
func (d *Dump) Journal(n int) error {
	files, err := d.im.journals()
	if err != nil {
		return fmt.Errorf("dump journal %d: %w", n, err)
	}
	if n < 0 || n >= len(files) {
		return fmt.Errorf("dump journal %d: there are %d, from 0 on: %w", n, len(files), syscall.ENOENT)
	}
	f := files[n]
	head, err := journal.Head(d.im.dev, f)
	if err != nil {
		return fmt.Errorf("dump journal %d: %w", n, err)
	}
	state := "clean"
	if !journal.Clean(head) {
		state = "dirty"
	}
	d.printf("journal %d, inode %d, %d blocks, %s; its last log header:\n", n, f.Inode, f.Len(), state)
	dumpFields(d.out, "lh", head)
	if state == "clean" {
		return nil
	}
	if err := d.log(f, head); err != nil {
		return fmt.Errorf("dump journal %d: %w", n, err)
	}
	return nil
}

// log prints what lies between the tail and the head. Blocks of data, which have no header of their own, are left out.
func (d *Dump) log(f journal.File, head disk.LogHeader) error {
	if head.Tail >= f.Len() || head.Blkno >= f.Len() {
		return disk.Corrupt(head.Addr, "log header of block %d with the tail %d in a journal of %d blocks", head.Blkno, head.Tail, f.Len())
	}
	d.printf("%10s %12s  %s\n", "log block", "block", "what")
	b := make([]byte, d.im.bs)
	for at := head.Tail; ; at = (at + 1) % f.Len() {
		addr := f.Addr(at)
		if _, err := d.im.dev.ReadAt(b, d.im.offset(addr)); err != nil {
			return fmt.Errorf("read block %d: %w", addr, err)
		}
		if what := logBlock(b, addr); what != "" {
			d.printf("%10d %12d  %s\n", at, addr, what)
		}
		if at == head.Blkno {
			return nil
		}
	}
}

func logBlock(b []byte, addr uint64) string {
	if lh, err := disk.DecodeLogHeader(b, addr); err == nil {
		return fmt.Sprintf("log header, sequence %d, flags %#x, tail %d", lh.Sequence, lh.Flags, lh.Tail)
	}
	ld, err := disk.DecodeLogDescriptor(b, addr)
	if err != nil {
		return ""
	}
	kinds := map[uint32]string{disk.LogMetadata: "metadata blocks", disk.LogRevoke: "revokes", disk.LogJdata: "journaled data blocks"}
	return fmt.Sprintf("log descriptor, %d %s in %d blocks", ld.Data1, kinds[ld.Type], ld.Length)
}
