package glock

// Role is what an object is to an operation.
type Role uint8

// Roles.
const (
	File       Role = iota // the inode, which may be a directory, that the operation is about
	Dir                    // a directory in which a name is looked up or changed
	NewDir                 // the directory into which something is renamed
	Child                  // the inode that the name in Dir stands for, or that is made
	Target                 // the inode that a rename replaces
	OpenInode              // Child, as "in this node's memory"
	Event                  // one of the NonDisk glocks
	Super                  // the superblock
	Record                 // a quota record
	SystemFile             // an inode that the file system keeps for itself: quota, statfs, jindex
	Group                  // a resource group in which blocks are allocated or freed
	Log                    // a journal
	Lock                   // a flock
)

var roles = [...]struct {
	of    Type
	depth uint8
}{
	File: {of: Inode}, Dir: {of: Inode}, NewDir: {of: Inode}, Child: {of: Inode, depth: 1}, Target: {of: Inode, depth: 1},
	OpenInode: {of: Iopen}, Event: {of: NonDisk}, Super: {of: Meta}, Record: {of: Quota}, SystemFile: {of: Inode, depth: SystemDepth},
	Group: {of: Rgrp}, Log: {of: Journal}, Lock: {of: Flock},
}

// Take is one glock that an operation takes.
type Take struct {
	Of    Role
	State State
	Flags Flags
	Brief bool   // given back before the next one is taken
	When  string // under which condition; empty for always
}

// Request is the request for the glock of the object with that number.
func (t Take) Request(number uint64) Request {
	role := roles[t.Of]
	return Request{Name: Name{role.of, number}, State: t.State, Flags: t.Flags, Depth: role.depth}
}

// Operation is what an operation of the file system takes, in order. Unless Brief, all are held to the end.
type Operation struct {
	Name  string
	Takes []Take
}

var allocates = []Take{{Of: Record, State: SH, When: "quotas are on"},
	{Of: Group, State: EX, Flags: NodeScope, When: "blocks are allocated"}}

var created = []Take{{Of: Dir, State: EX}, {Of: OpenInode, State: SH, Flags: Exact | NoPID}, {Of: Child, State: EX, Flags: Skip},
	{Of: Group, State: EX, Flags: NodeScope}}

var removed = []Take{{Of: Dir, State: EX}, {Of: Child, State: EX}, {Of: Group, State: EX, Flags: NodeScope}}

func with(first Take, then ...Take) []Take { return append([]Take{first}, then...) }

// Operations is which operation of Linux 6.1 takes which glock in which state. Reads of pages that are cached, flush, fsync, statfs and
// fcntl locks take none.
var Operations = []Operation{
	{"lookup", []Take{{Of: Dir, State: SH}, {Of: OpenInode, State: SH, Flags: Exact | NoPID, When: "the inode is not in memory"}, {Of: Child, State: SH, Flags: Any}}},
	{"getattr", []Take{{Of: File, State: SH, Flags: Any, When: "not held already"}}},
	{"permission", []Take{{Of: File, State: SH, Flags: Any, When: "not held already"}}},
	{"open", []Take{{Of: File, State: SH, Flags: Any}}},
	{"getxattr", []Take{{Of: File, State: SH, Flags: Any, When: "not held already"}}},
	{"listxattr", []Take{{Of: File, State: SH, Flags: Any}}},
	{"setxattr", with(Take{Of: File, State: EX}, allocates...)},
	{"getflags", []Take{{Of: File, State: SH}}},
	{"setflags", []Take{{Of: File, State: EX}}},
	{"readlink", []Take{{Of: File, State: SH}}},
	{"readdir", []Take{{Of: File, State: SH}}},
	{"read", []Take{{Of: File, State: SH, When: "not all is cached"}}},
	{"direct read", []Take{{Of: File, State: DF}}},
	{"direct write", []Take{{Of: File, State: DF, When: "it neither extends, nor hits a hole or a stuffed file: then it is a write"}}},
	{"append", append([]Take{{Of: File, State: SH, Brief: true}, {Of: File, State: EX}}, allocates...)},
	{"write", with(Take{Of: File, State: EX}, allocates...)},
	{"update of times", []Take{{Of: File, State: EX}}},
	{"mmap", []Take{{Of: File, State: SH, Flags: Any, Brief: true, When: "the time of access may change"}}},
	{"page fault", []Take{{Of: File, State: SH}}},
	{"page_mkwrite", with(Take{Of: File, State: EX}, allocates...)},
	{"fallocate", with(Take{Of: File, State: EX}, allocates...)},
	{"truncate", with(Take{Of: File, State: EX}, allocates...)},
	{"setattr", []Take{{Of: File, State: EX}, {Of: Record, State: EX, Flags: NoCache, When: "the owner changes"}}},
	{"fiemap", []Take{{Of: File, State: SH}}},
	{"seek data", []Take{{Of: File, State: SH}}},
	{"create", created},
	{"mkdir", created},
	{"mknod", created},
	{"symlink", created},
	{"link", []Take{{Of: Dir, State: EX}, {Of: Child, State: EX}}},
	{"unlink", removed},
	{"rmdir", removed},
	{"rename", []Take{{Of: Event, State: EX, When: "the directories differ"}, {Of: Dir, State: EX, Flags: Async},
		{Of: NewDir, State: EX, Flags: Async, When: "the directories differ"}, {Of: Child, State: EX, Flags: Async},
		{Of: Target, State: EX, Flags: Async, When: "the name exists"}, {Of: Group, State: EX, Flags: NodeScope, When: "the name exists"}}},
	{"evict", []Take{{Of: Child, State: EX, Flags: Skip}, {Of: Group, State: SH, Brief: true}, {Of: OpenInode, State: EX, Flags: TryOneCB},
		{Of: Group, State: EX, Flags: NodeScope}}},
	{"flock", []Take{{Of: Lock, State: EX, Flags: Exact | NoPID, When: "shared: SH; non-blocking: TryOneCB, then Try"}}},
	{"quota check", []Take{{Of: Record, State: SH}}},
	{"quota refresh", []Take{{Of: Record, State: EX, Flags: NoCache}, {Of: SystemFile, State: SH}}},
	{"quota sync", []Take{{Of: Record, State: EX, Flags: NoCache}, {Of: SystemFile, State: EX}}},
	{"statfs sync", []Take{{Of: SystemFile, State: EX, Flags: NoCache}}},
	{"mount", []Take{{Of: Event, State: EX, Flags: NoExp | NoCache, Brief: true}, {Of: Super, State: SH, Brief: true},
		{Of: Log, State: EX, Flags: NoExp | NoCache | NoPID}, {Of: SystemFile, State: EX, Flags: NoPID}}},
	{"recovery", []Take{{Of: Log, State: EX, Flags: NoExp | Try | NoCache}, {Of: SystemFile, State: SH, Flags: NoExp | NoCache}}},
}

// Find is the operation of that name.
func Find(name string) (Operation, bool) {
	for _, op := range Operations {
		if op.Name == name {
			return op, true
		}
	}
	return Operation{}, false
}
