package glock

import "fmt"

// Type is what a glock protects (LM_TYPE_ in the kernel).
type Type uint8

// Types of glocks.
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

var typeNames = map[Type]string{NonDisk: "nondisk", Inode: "inode", Rgrp: "rgrp", Meta: "meta", Iopen: "iopen", Flock: "flock",
	Quota: "quota", Journal: "journal"}

func (t Type) String() string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Numbers of NonDisk glocks.
const (
	MountLock  = 0
	LiveLock   = 1
	FreezeLock = 2
	RenameLock = 3
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

// String is the name as in the dump: type and number in hexadecimal.
func (n Name) String() string { return fmt.Sprintf("%d/%x", n.Type, n.Number) }

// State is how a glock is held.
type State uint8

// States, with the kernel's values. DF is for direct I/O.
const (
	UN State = 0 // unlocked
	EX State = 1 // exclusive
	DF State = 2 // deferred
	SH State = 3 // shared
)

func (s State) String() string {
	return [...]string{"UN", "EX", "DF", "SH"}[s&3]
}

// Compatible tells whether two nodes may have the same glock in states s and t.
func (s State) Compatible(t State) bool {
	return s == UN || t == UN || s == t && s != EX
}

// demand is the state that a holder in state other must go down to when somebody else wants s.
func (s State) demand() State {
	if s == EX {
		return UN
	}
	return s
}

// Flags modify a request. The letters are those of the dump.
type Flags uint32

// Flags of a request.
const (
	Try       Flags = 0x001 // t: fail instead of waiting
	TryOneCB  Flags = 0x002 // T: the same, but ask other nodes once
	NoExp     Flags = 0x004 // e: part of recovery
	Any       Flags = 0x008 // A: SH may be satisfied by DF and the other way round
	NodeScope Flags = 0x020 // n: several EX holders of one node may share
	Async     Flags = 0x040 // a: Enqueue returns, Wait comes later
	Exact     Flags = 0x080 // E: a cached EX does not satisfy SH
	Skip      Flags = 0x100 // s: do not read the object when granted
	NoPID     Flags = 0x200 // belongs to no task: no recursion check
	NoCache   Flags = 0x400 // c: unlock on release
)

// letters are the flags that the dump shows before and after the state of the holder itself, in its order.
var (
	lettersBefore = []letter{{Try, 't'}, {TryOneCB, 'T'}, {NoExp, 'e'}, {Any, 'A'}, {NodeScope, 'n'}, {Async, 'a'}, {Exact, 'E'}, {NoCache, 'c'}}
	lettersAfter  = []letter{{Skip, 's'}}
)

type letter struct {
	flag Flags
	char byte
}

// Owner is the task that asks.
type Owner struct {
	PID  int
	Comm string
}

func (o Owner) String() string {
	if o.PID == 0 {
		return "nobody"
	}
	return fmt.Sprintf("task %d [%s]", o.PID, o.Comm)
}

// Request is what a holder asks for.
type Request struct {
	Owner  Owner
	Name   Name
	State  State
	Flags  Flags
	Caller string // what it is for, in a word: read, page fault
}

func (r *Request) has(f Flags) bool { return r.Flags&f != 0 }
