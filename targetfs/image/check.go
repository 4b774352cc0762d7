package image

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"faultline/targetfs/disk"
)

// Finding is one broken rule of the format.
type Finding struct {
	Block uint64 // where; 0 for the file system as a whole
	What  string
}

func (f Finding) String() string { return fmt.Sprintf("block %d: %s", f.Block, f.What) }

// Check reads the whole file system and calls report for each broken rule as it is found. It changes nothing. The error
// says that the image could not be read, or that it is no GFS2 at all; a broken GFS2 is reported and is no error.
func Check(dev Device, size int64, report func(Finding)) error {
	sb, err := readSuperblock(dev)
	if err != nil {
		return fmt.Errorf("check GFS2 image: %w", err)
	}
	im := newImage(dev, sb, size, Options{ReadOnly: true})
	c := &checker{im: im, tx: &Tx{im: im}, report: report, inodes: map[uint64]*inodeFacts{}}
	if err := c.run(); err != nil {
		return fmt.Errorf("check GFS2 image: %w", err)
	}
	return nil
}

// checker carries what is known so far.
type checker struct {
	im     *Image
	tx     *Tx
	report func(Finding)
	owned  map[*group]disk.Bitmap // the state that each block should have by what points to it
	inodes map[uint64]*inodeFacts
	ioErr  error // the first error that is no finding: the walk goes on only to its end
}

// inodeFacts is what the walk learns of an inode.
type inodeFacts struct {
	nlink  uint32
	refs   uint32 // names found
	system bool
	dir    bool
	dotdot uint64 // of a directory
	parent uint64 // the directory that has its name, 0 while none is found
}

func (c *checker) run() error {
	if c.failed(c.im.loadGroups()) {
		return c.ioErr
	}
	c.owned = map[*group]disk.Bitmap{}
	for _, g := range c.im.groups {
		c.owned[g] = make(disk.Bitmap, g.Bitbytes)
	}
	// Every step reports what it can even when an earlier one found faults.
	for _, step := range []func(){c.walkInodes, c.checkSystem, c.checkTreeOfDirs, c.checkLinks, c.checkGroups, c.checkStatfs} {
		step()
		if c.ioErr != nil {
			break
		}
	}
	return c.ioErr
}

func (c *checker) say(block uint64, format string, args ...any) {
	c.report(Finding{block, fmt.Sprintf(format, args...)})
}

// failed reports an error of reading as a finding when it is about the format, and tells whether there was one.
func (c *checker) failed(err error) bool {
	if err == nil {
		return false
	}
	if corrupt, ok := errors.AsType[*disk.CorruptError](err); ok {
		c.say(corrupt.Block, "%s", corrupt.What)
		return true
	}
	c.noteIO(err)
	return true
}

// noteIO keeps an error that is no finding. ENOENT of a missing system file is a finding.
func (c *checker) noteIO(err error) {
	if isNotExist(err) {
		c.say(c.im.Master(), "%v", err)
		return
	}
	if c.ioErr == nil {
		c.ioErr = err
	}
}

// own notes that something points to block addr, which should then be in state s. It returns false for a pointer that must not be
// followed: outside the resource groups, or to a block that has an owner already.
func (c *checker) own(addr uint64, s disk.BlockState, owner uint64) bool {
	g := c.im.groupOf(addr)
	if g == nil {
		c.say(owner, "points to block %d, which no resource group describes", addr)
		return false
	}
	n := uint32(addr - g.Data0)
	if c.owned[g].State(n) != disk.Free {
		c.say(addr, "has two owners, one is inode %d", owner)
		return false
	}
	c.owned[g].Set(n, s)
	return true
}

// walkInodes visits every block that a bitmap calls an inode.
func (c *checker) walkInodes() {
	for _, g := range c.im.groups {
		for i := range g.Length {
			bm, start, err := c.tx.bitmap(g, i)
			if c.failed(err) {
				continue
			}
			if n := bm.Count(); n[disk.InodeBlock]+n[disk.Unlinked] == 0 {
				continue
			}
			for n := uint32(0); n < bm.Len() && c.ioErr == nil; n++ {
				if s := bm.State(n); s == disk.InodeBlock || s == disk.Unlinked {
					c.visit(g.Data0+uint64(start+n), s)
				}
			}
		}
	}
}

// checkGroups compares the bitmaps with what has an owner, and the counters with the bitmaps.
func (c *checker) checkGroups() {
	for _, g := range c.im.groups {
		b, err := c.tx.raw(g.Addr)
		if c.failed(err) {
			continue
		}
		rg, err := disk.DecodeRgrp(b, g.Addr)
		if c.failed(err) {
			continue
		}
		var sum [4]uint32
		for i := range g.Length {
			bm, start, err := c.tx.bitmap(g, i)
			if c.failed(err) {
				continue
			}
			c.compare(g, bm, start)
			for s, n := range bm.Count() {
				sum[s] += n
			}
		}
		if rg.Free != sum[disk.Free] {
			c.say(g.Addr, "resource group counts %d free blocks, its bitmap has %d", rg.Free, sum[disk.Free])
		}
		if n := sum[disk.InodeBlock] + sum[disk.Unlinked]; rg.Dinodes != n {
			c.say(g.Addr, "resource group counts %d inodes, its bitmap has %d", rg.Dinodes, n)
		}
		if rg.Data0 != 0 && (rg.Data0 != g.Data0 || rg.Data != g.Data || rg.Bitbytes != g.Bitbytes) {
			c.say(g.Addr, "resource group header and rindex disagree about the geometry")
		}
	}
}

func (c *checker) compare(g *group, bm disk.Bitmap, start uint32) {
	owned := c.owned[g]
	if bytes.Equal(bm, owned[start/4:][:len(bm)]) {
		return
	}
	for n := uint32(0); n < bm.Len(); n++ {
		if got, want := bm.State(n), owned.State(start+n); got != want {
			c.say(g.Data0+uint64(start+n), "bitmap says %v, should be %v", got, want)
		}
	}
}

// checkLinks compares link counts with the names that were found.
func (c *checker) checkLinks() {
	for _, addr := range slices.Sorted(maps.Keys(c.inodes)) {
		if facts := c.inodes[addr]; facts.nlink != facts.refs {
			c.say(addr, "has %d links, found %d", facts.nlink, facts.refs)
		}
	}
}

// checkStatfs compares the master record with the resource groups.
func (c *checker) checkStatfs() {
	want, err := c.im.sumGroups()
	if c.failed(err) {
		return
	}
	addr, err := c.tx.system(c.im.Master(), nameStatfs)
	if err != nil {
		return // checkSystem said so
	}
	got, err := c.tx.readStatfs(addr)
	if !c.failed(err) && got != want {
		c.say(addr, "statfs says %+v, the resource groups %+v", got, want)
	}
}
