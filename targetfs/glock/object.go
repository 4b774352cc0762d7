package glock

import (
	"fmt"
	"strings"
)

// Object is what the dump says about the thing that a glock protects. The zero Object is none.
type Object struct {
	Line          fmt.Stringer // InodeLine or RgrpLine; nil when nothing is in memory
	Dirty         bool         // y
	LogFlush      bool         // f: the log has something of it that isn't written
	AIL, Revokes  int          // blocks in the log that aren't in place, revokes not written
	MetadataPages int          // cached
}

// InodeLine is the line of an inode: glocks of the types Inode and Iopen have one.
type InodeLine struct {
	FormalIno, Addr uint64
	Type            uint16 // d_type
	Flags           uint32 // in memory
	DiFlags         uint32 // on disk
	Size            uint64 // bytes
	Pages           uint64 // of data, cached
}

func (l InodeLine) String() string {
	return fmt.Sprintf(" I: n:%d/%d t:%d f:0x%02x d:0x%08x s:%d p:%d\n", l.FormalIno, l.Addr, l.Type, l.Flags, l.DiFlags, l.Size, l.Pages)
}

// RgrpLine is the lines of a resource group.
type RgrpLine struct {
	Addr            uint64
	Flags           uint32 // on disk, and those in memory
	Free, FreeClone uint32 // free blocks, and those that may be allocated before the next flush
	Dinodes         uint32
	Requested       uint32 // blocks that reservations ask for
	Reserved        uint32 // blocks set aside
	ExtentFail      uint32 // no extent as long as this was found
	LVB             *RgrpLVB
	Reservations    []Reservation
}

// RgrpLVB is the counters that travel with the lock.
type RgrpLVB struct{ Flags, Free, Dinodes uint32 }

// Reservation is blocks that are kept for an inode.
type Reservation struct {
	Inode, Start uint64
	Length       uint32 // blocks
}

func (l RgrpLine) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, " R: n:%d f:%02x b:%d/%d i:%d q:%d r:%d e:%d\n",
		l.Addr, l.Flags, l.Free, l.FreeClone, l.Dinodes, l.Requested, l.Reserved, l.ExtentFail)
	if l.LVB != nil {
		fmt.Fprintf(&b, "  L: f:%02x b:%d i:%d\n", l.LVB.Flags, l.LVB.Free, l.LVB.Dinodes)
	}
	for _, r := range l.Reservations {
		fmt.Fprintf(&b, "  B: n:%d s:%d f:%d\n", r.Inode, r.Start, r.Length)
	}
	return b.String()
}
