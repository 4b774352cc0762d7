package prog

import (
	"slices"
	"sort"
)

// Kind is a kind of argument, or of thing that a step makes.
type Kind uint8

const (
	// KindNone is nothing.
	KindNone Kind = iota
	// KindFD is an open descriptor: d.
	KindFD
	// KindFile is the name of a file or directory: A, D/B.
	KindFile
	// KindMemory is a range of a mapping or buffer: m[0:1p].
	KindMemory
	// KindVector is an iovec: {m[0:1p], b[0:10]}.
	KindVector
	// KindObject is what check compares: a range of memory, or a file by name.
	KindObject
	// KindSize is a length or an offset: 1p+512.
	KindSize
	// KindWords are flags: rdwr|direct.
	KindWords
	// KindData are bytes: pat1*1p.
	KindData
	// KindAlts are alternatives of bytes: pat1*1p | empty.
	KindAlts
	// KindActor is an actor: t1.
	KindActor
	// KindStruct is a struct with its fields: fiemap{fm_extent_count=2}.
	KindStruct
	// KindNames are names of files: A|B.
	KindNames
	// KindMapping is made by mmap and mremap.
	KindMapping
	// KindAnon is made by anon.
	KindAnon
	// KindStall is made by stall, guard and guard_struct.
	KindStall
)

var kindNames = map[Kind]string{
	KindFD: "a descriptor", KindFile: "a file name", KindMemory: "a range such as m[0:1p]", KindVector: "a vector such as {m[0:1p], b}",
	KindObject: "a range or a file name", KindSize: "a size", KindWords: "flags", KindData: "data such as pat1*1p or hole*2p", KindAlts: "data such as pat1*1p | empty", KindActor: "an actor",
	KindStruct: "a struct such as fiemap{fm_extent_count=2}", KindNames: "file names such as A|B",
	KindMapping: "a mapping", KindAnon: "a buffer", KindStall: "a stall",
}

func (k Kind) String() string { return kindNames[k] }

// Param is one parameter of an operation.
type Param struct {
	Name string
	Kind Kind
	// Words are those allowed, for KindWords.
	Words []string
	// Optional parameters stand last.
	Optional bool
}

// Op is one operation: a row of the documentation, a function of the worker, a function of the model.
type Op struct {
	Name   string
	Params []Param
	// Makes is the kind of thing that the step names.
	Makes Kind
	// Counts says that a success has a value worth stating: bytes, an offset, a size.
	Counts bool
	// Doc is one line for people.
	Doc string
}

func fd() Param              { return Param{Name: "fd", Kind: KindFD} }
func file(name string) Param { return Param{Name: name, Kind: KindFile} }
func buf() Param             { return Param{Name: "buf", Kind: KindMemory} }
func iov() Param             { return Param{Name: "iov", Kind: KindVector} }
func size(name string) Param { return Param{Name: name, Kind: KindSize} }
func actor() Param           { return Param{Name: "actor", Kind: KindActor} }
func datum() Param           { return Param{Name: "data", Kind: KindData} }
func optional(p Param) Param { p.Optional = true; return p }
func words(name string, w ...string) Param {
	return Param{Name: name, Kind: KindWords, Words: w}
}

var (
	prots   = words("prot", "none", "r", "w", "rw")
	rwFlags = []string{"nowait", "dsync", "sync", "append", "hipri", "dontcache"}
)

// Ops is the table of operations, by name. A test demands for each a function of the worker, one of the model, and an example.
var Ops = func() map[string]*Op {
	table := []Op{
		{Name: "open", Makes: KindFD, Params: []Param{file("file"), words("flags", "rdonly", "wronly", "rdwr", "direct", "append", "sync", "dsync", "creat", "trunc")}, Doc: "open(2); one of rdonly, wronly, rdwr"},
		{Name: "close", Params: []Param{fd()}, Doc: "close(2)"},
		{Name: "mmap", Makes: KindMapping, Params: []Param{fd(), words("flags", "shared", "private", "populate"), prots, size("offset"), size("length")}, Doc: "mmap(2) at an address of our choice with nothing mapped on either side"},
		{Name: "anon", Makes: KindAnon, Params: []Param{datum(), optional(size("align"))}, Doc: "anonymous memory with the given bytes, starting align bytes behind a page boundary; pages of a hole are never touched"},
		{Name: "munmap", Params: []Param{buf()}, Doc: "munmap(2) of a range"},
		{Name: "mprotect", Params: []Param{buf(), prots}, Doc: "mprotect(2) of a range"},
		{Name: "mremap", Makes: KindMapping, Params: []Param{buf(), size("length")}, Doc: "mremap(2) of a whole mapping to a new address and length; the old name is gone"},
		{Name: "madvise", Params: []Param{buf(), words("advice", "dontneed", "pageout", "willneed", "populate_read", "populate_write")}, Doc: "madvise(2) on a range"},
		{Name: "mlock", Params: []Param{buf()}, Doc: "mlock(2) of a range"},
		{Name: "msync", Params: []Param{buf(), words("flags", "sync", "async", "invalidate")}, Doc: "msync(2) of a range"},
		{Name: "fadvise", Params: []Param{fd(), size("offset"), size("length"), words("advice", "dontneed")}, Doc: "posix_fadvise(2); drops clean cached pages of the range"},
		{Name: "drop_caches", Doc: "sync, then drop all clean caches of the machine (/proc/sys/vm/drop_caches); root only"},
		{Name: "load", Counts: true, Params: []Param{buf()}, Doc: "read every byte of a range with the processor; returns the bytes read, or SIGBUS or SIGSEGV"},
		{Name: "store", Counts: true, Params: []Param{buf(), datum()}, Doc: "write bytes with the processor, page by page upwards; returns the bytes written, or SIGBUS or SIGSEGV"},
		{Name: "check", Params: []Param{{Name: "what", Kind: KindObject}, {Name: "data", Kind: KindAlts, Optional: true}}, Doc: "compare the bytes of a range, or of a whole file through a fresh descriptor, with what they must be; without data anything goes"},
		{Name: "read", Counts: true, Params: []Param{fd(), buf()}, Doc: "read(2)"},
		{Name: "write", Counts: true, Params: []Param{fd(), buf()}, Doc: "write(2)"},
		{Name: "pread", Counts: true, Params: []Param{fd(), buf(), size("offset")}, Doc: "pread(2)"},
		{Name: "pwrite", Counts: true, Params: []Param{fd(), buf(), size("offset")}, Doc: "pwrite(2)"},
		{Name: "readv", Counts: true, Params: []Param{fd(), iov()}, Doc: "readv(2)"},
		{Name: "writev", Counts: true, Params: []Param{fd(), iov()}, Doc: "writev(2)"},
		{Name: "preadv", Counts: true, Params: []Param{fd(), iov(), size("offset")}, Doc: "preadv(2)"},
		{Name: "pwritev", Counts: true, Params: []Param{fd(), iov(), size("offset")}, Doc: "pwritev(2)"},
		{Name: "preadv2", Counts: true, Params: []Param{fd(), iov(), size("offset"), words("flags", rwFlags...)}, Doc: "preadv2(2); offset -1 is the file position"},
		{Name: "pwritev2", Counts: true, Params: []Param{fd(), iov(), size("offset"), words("flags", append(rwFlags[:len(rwFlags):len(rwFlags)], "atomic")...)}, Doc: "pwritev2(2); offset -1 is the file position"},
		{Name: "lseek", Counts: true, Params: []Param{fd(), size("offset"), words("whence", "set", "cur", "end", "data", "hole")}, Doc: "lseek(2)"},
		{Name: "fsync", Params: []Param{fd()}, Doc: "fsync(2)"},
		{Name: "fdatasync", Params: []Param{fd()}, Doc: "fdatasync(2)"},
		{Name: "sync_file_range", Params: []Param{fd(), size("offset"), size("length")}, Doc: "sync_file_range(2): write the range and wait for it"},
		{Name: "truncate", Params: []Param{file("file"), size("length")}, Doc: "truncate(2)"},
		{Name: "ftruncate", Params: []Param{fd(), size("length")}, Doc: "ftruncate(2)"},
		{Name: "fallocate", Params: []Param{fd(), words("mode", "alloc", "keep", "punch", "zero", "collapse", "insert"), size("offset"), size("length")}, Doc: "fallocate(2); alloc is mode 0, punch implies keep"},
		{Name: "stat", Counts: true, Params: []Param{file("file"), words("field", "size", "blocks")}, Doc: "stat(2); returns st_size in bytes, or st_blocks in units of 512 bytes"},
		{Name: "rename", Params: []Param{file("old"), file("new")}, Doc: "rename(2)"},
		{Name: "link", Params: []Param{file("old"), file("new")}, Doc: "link(2)"},
		{Name: "unlink", Params: []Param{file("file")}, Doc: "unlink(2)"},
		{Name: "mkdir", Params: []Param{file("dir")}, Doc: "mkdir(2)"},
		{Name: "stall", Makes: KindStall, Params: []Param{size("length")}, Doc: "memory of whole pages, private to its process; whoever touches a page first is stopped there, by userfaultfd(2) or as at a page of a FUSE file, until the page is served"},
		{Name: "guard", Makes: KindStall, Params: []Param{datum()}, Doc: "anonymous memory with the given bytes, whole pages; whoever writes to a page first is stopped there (UFFDIO_WRITEPROTECT), readers are not"},
		{Name: "stalled", Counts: true, Params: []Param{buf(), optional(actor())}, Doc: "wait until somebody, or that actor, is stopped in a range of a stall; returns the offset of the page in the stall, or ESRCH when nobody is left who could come"},
		{Name: "serve", Params: []Param{buf(), optional(datum())}, Doc: "give the pages of a stall their bytes (zeros without data) and let go on whoever is stopped there; pages of a guard keep theirs"},
		{Name: "serve_struct", Params: []Param{buf(), size("at"), record()}, Doc: "serve the pages of a stall with zeros and a struct at a byte of the whole stall, as far as it lies in these pages"},
		{Name: "guard_struct", Makes: KindStall, Params: []Param{size("length"), size("at"), record()}, Doc: "a guard of whole pages of zeros with a struct at a byte"},
		{Name: "poison", Params: []Param{buf()}, Doc: "make pages of a stall bad for ever (UFFDIO_POISON, or EIO of a FUSE file): whoever is or will be stopped there gets SIGBUS or EFAULT"},
		{Name: "unregister", Params: []Param{buf()}, Doc: "make pages of a stall or guard ordinary memory (UFFDIO_UNREGISTER), zeros where nothing was served, and let go on whoever is stopped there"},
		{Name: "proceeds", Params: []Param{actor()}, Doc: "wait until an actor has done all its steps so far; EAGAIN as soon as it is seen asleep in one without moving"},
		{Name: "sync", Doc: "sync(2): every file system of the machine"},
		{Name: "freeze", Params: []Param{fd()}, Doc: "ioctl(2) FIFREEZE, and at once FITHAW; another process thaws if this one ends in between"},
		{Name: "umount", Params: []Param{fd()}, Doc: "umount2(2) of the mount that the descriptor is on, which is busy: EBUSY"},
		{Name: "syncfs", Params: []Param{fd()}, Doc: "syncfs(2)"},
		{Name: "wait", Params: []Param{actor()}, Doc: "wait until an actor has done all its steps so far"},
	}
	table = slices.Concat(table, entryOps, taskOps)
	byName := make(map[string]*Op, len(table))
	for i := range table {
		byName[table[i].Name] = &table[i]
	}
	return byName
}()

// OpNames lists the operations in alphabetical order.
func OpNames() []string {
	names := make([]string, 0, len(Ops))
	for name := range Ops {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Usage writes the operation as it stands in a program: "pread(fd, buf, offset)".
func (o *Op) Usage() string {
	text := o.Name + "("
	for i, p := range o.Params {
		if i > 0 {
			text += ", "
		}
		if p.Optional {
			text += "[" + p.Name + "]"
		} else {
			text += p.Name
		}
	}
	return text + ")"
}
