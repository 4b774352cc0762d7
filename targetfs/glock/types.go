package glock

import (
	"cmp"
	"fmt"
)

// Type is what a glock protects: LM_TYPE_ of the kernel's lm_interface.
type Type uint8

// Types of glocks, with the kernel's values. 7 (plock) has no glocks.
const (
	NonDisk Type = 1 // events of the whole file system
	Inode   Type = 2
	Rgrp    Type = 3
	Meta    Type = 4 // the superblock
	Iopen   Type = 5 // "this node has the inode in memory"
	Flock   Type = 6
	Quota   Type = 8
	Journal Type = 9
)

var typeWords = map[Type]string{NonDisk: "event", Inode: "inode", Rgrp: "resource group", Meta: "superblock", Iopen: "open inode",
	Flock: "flock", Quota: "quota", Journal: "journal"}

func (t Type) String() string {
	if word, ok := typeWords[t]; ok {
		return word
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Numbers of NonDisk glocks.
const (
	MountLock   = 0
	LiveLock    = 1
	FreezeLock  = 2
	RenameLock  = 3
	ControlLock = 4
	MountedLock = 5
)

// Name identifies a glock within a file system.
type Name struct {
	Type   Type
	Number uint64
}

// InodeName is the glock of the inode whose dinode is at block addr.
func InodeName(addr uint64) Name { return Name{Inode, addr} }

// RgrpName is the glock of the resource group whose header is at block addr.
func RgrpName(addr uint64) Name { return Name{Rgrp, addr} }

// QuotaName is the glock of a quota record: number 2·id for users, one more for groups.
func QuotaName(id uint32, group bool) Name {
	number := 2 * uint64(id)
	if group {
		number++
	}
	return Name{Quota, number}
}

// RenameName is the glock of renames from one directory to another.
func RenameName() Name { return Name{NonDisk, RenameLock} }

// String is the name as in the dump: the type in decimal, the number in hexadecimal.
func (n Name) String() string { return fmt.Sprintf("%d/%x", n.Type, n.Number) }

// Title is the name in words, the number in decimal.
func (n Name) Title() string {
	if n == RenameName() {
		return "the rename lock"
	}
	return fmt.Sprintf("%v %d", n.Type, n.Number)
}

func (n Name) compare(m Name) int {
	return cmp.Or(cmp.Compare(n.Type, m.Type), cmp.Compare(n.Number, m.Number))
}

// State is how a node has a glock, or a holder holds it: LM_ST_ of the kernel.
type State uint8

// States, with the kernel's values.
const (
	UN State = 0 // unlocked
	EX State = 1 // exclusive: may have dirty data and metadata
	DF State = 2 // deferred: direct I/O, no data in the cache
	SH State = 3 // shared: clean data and metadata may be cached
)

func (s State) String() string { return [...]string{"UN", "EX", "DF", "SH"}[s&3] }

// Compatible tells whether two nodes may have the same glock in states s and t at a time.
func (s State) Compatible(t State) bool { return s == UN || t == UN || s == t && s != EX }

// Covers tells whether a task that holds s may do what t is for: EX covers all, the others themselves. DF doesn't cover SH: nothing
// may be cached under it.
func (s State) Covers(t State) bool { return s == EX || s == t || t == UN }

// demand is the state that others must go down to when somebody wants s: bast callbacks of the DLM.
func (s State) demand() State {
	if s == EX {
		return UN
	}
	return s
}

// Flags modify a request: LM_FLAG_ and GL_ of the kernel, with its values. The letters are those of the dump.
type Flags uint16

// Flags of a request. NoExp and Skip's letter aside, they change what this package does.
const (
	Try       Flags = 0x001 // t: fail instead of waiting; other nodes are not asked
	TryOneCB  Flags = 0x002 // T: the same, but other nodes are asked to give way, so that the next try may succeed
	NoExp     Flags = 0x004 // e: part of recovery; only printed here, where no lock is ever held back for recovery
	Any       Flags = 0x008 // A: SH may be satisfied by DF and the other way round
	NodeScope Flags = 0x020 // n: several EX holders of one node may share
	Async     Flags = 0x040 // a: one of several that are waited for together, exempt from the order among inodes
	Exact     Flags = 0x080 // E: a cached EX does not satisfy SH or DF
	Skip      Flags = 0x100 // s: do not read the object when granted
	NoPID     Flags = 0x200 // belongs to no task: lives long, is not part of the recursion trap or of any cycle
	NoCache   Flags = 0x400 // c: the node goes to UN on release
)

const tries = Try | TryOneCB

type letter struct {
	flag Flags
	char byte
}

// The dump has these letters before and after the one for granted or waiting.
var (
	lettersBefore = []letter{{Try, 't'}, {TryOneCB, 'T'}, {NoExp, 'e'}, {Any, 'A'}, {NodeScope, 'n'}, {Async, 'a'}, {Exact, 'E'}, {NoCache, 'c'}}
	lettersAfter  = []letter{{Skip, 's'}}
)

// Request is what a holder asks for.
type Request struct {
	Owner  Owner // of the context when empty; without either the request is nobody's, as with NoPID
	Name   Name
	State  State
	Flags  Flags
	Depth  uint8  // of an inode in the lock order: 0 a directory or the only inode, 1 what is in it, SystemDepth
	Caller string // what takes it, in a word or two: "read", "page fault"; the last column of the dump
	// Untrapped makes a task wait for itself where the recursion trap would fail the request: a hang, made on purpose.
	Untrapped bool
}

func (r *Request) has(f Flags) bool { return r.Flags&f != 0 }

// owner is the task for traps, order and cycles; nobody for NoPID.
func (r *Request) owner() ownerKey {
	if r.has(NoPID) {
		return ownerKey{}
	}
	return r.Owner.key()
}
