package footprint

import (
	"fmt"
	"slices"
	"strings"

	"faultline/generators/entry"
	"faultline/generators/prog"
)

// operation is a system call that is stopped.
type operation struct {
	name string
	// flags are those its file is opened with, setup are steps before, call is t1's step. Its memory is the stall u of so many pages, stopped at the last.
	flags string
	setup []string
	call  string
	pages int
	// faults is how it touches its memory, for the program of a hazard: with loads or with stores.
	faults string
	// self is the call with a mapping of its own file as memory.
	self string
	// bytes are what the call reads where it is stopped; zeros if it is empty.
	bytes string
}

// operations are all that can be stopped, in order.
var operations = []operation{
	{"pread", "rdwr", nil, "pread(d, u, 0)", 1, "store", "pread(d, m[9p:10p], 0)", ""},
	{"pread-direct", "rdwr|direct", nil, "pread(d, u, 0)", 1, "store", "pread(d, m[9p:10p], 0)", ""},
	{"pwrite", "rdwr", nil, "pwrite(d, u, 0)", 1, "load", "pwrite(d, m[9p:10p], 0)", ""},
	{"pwrite-direct", "rdwr|direct", nil, "pwrite(d, u, 0)", 1, "load", "pwrite(d, m[9p:10p], 0)", ""},
	{"pwrite-append", "rdwr|append", nil, "write(d, u)", 1, "load", "write(d, m[9p:10p])", ""},
	{"fiemap", "rdwr", []string{"serve(u[0:1p])", "put(u[1p-32:1p], fiemap{fm_length=-1, fm_extent_count=8})"},
		"ioctl(d, fiemap, u[1p-32:1p+448])", 2, "store", "", ""},
	{"getdents", "rdwr", []string{manyNames, "g = open(D, rdonly)"}, "getdents(g, u)", 1, "store", "", ""},
	{"statx", "rdwr", nil, "statx(D/A, u[0:256])", 1, "store", "", ""},
	{"readlink", "rdwr", []string{"symlink(D/A, D/L)"}, "readlink(D/L, u[0:100])", 1, "store", "", ""},
	{"getxattr", "rdwr", []string{attribute, "setxattr(d, v[0:7], v[7:47], set)"}, "getxattr(d, v[0:7], u[0:100])", 1, "store", "", ""},
	{"listxattr", "rdwr", []string{attribute, "setxattr(d, v[0:7], v[7:47], set)"}, "listxattr(d, u)", 1, "store", "", ""},
	{"setxattr", "rdwr", []string{attribute}, "setxattr(d, v[0:7], u[0:40], set)", 1, "load", "", ""},
	{"uring_read", "rdwr", nil, "uring_read(d, u, 0)", 1, "store", "uring_read(d, m[9p:10p], 0)", ""},
	{"uring_write", "rdwr", nil, "uring_write(d, u, 0)", 1, "load", "uring_write(d, m[9p:10p], 0)", ""},
	{"name-to-handle", "rdwr", []string{"v = anon(zero*4)", "serve(u[0:1p])", "put(u[1p-8:1p], file_handle{handle_bytes=128})"},
		"name_to_handle_at(D/A, u[1p-8:1p+128], v)", 2, "store", "", ""},
	{"open-by-handle", "rdwr", nil, "h = open_by_handle_at(d, u[0:136], rdonly)", 1, "load", "", ""},
	{"file-getattr", "rdwr", nil, "file_getattr(D/A, u[0:24])", 1, "store", "", ""},
	{"file-setattr", "rdwr", nil, "file_setattr(D/A, u[0:24])", 1, "load", "", ""},
	{"statmount", "rdwr", mountOfA, "statmount(v[0:24], u[0:512])", 1, "store", "", ""},
	{"quotactl", "rdwr", nil, "quotactl(d, getquota, u[0:72])", 1, "store", "", ""},
	{"encoded-write", "rdwr", encodedArgs, "ioctl(d, btrfs_encoded_write, v[16:144])", 1, "load", "", entry.Frame + " + zero*1p-11"},
}

// mountOfA makes the request of statmount(2) for the mount of D/A: statx leaves its number, which goes through a pipe.
var mountOfA = []string{"v = anon(zero*400)", "statx(D/A, v[100:356])", "q = pipe()", "write(q, v[244:252])", "put(v[0:24], mount_request{size=24, param=3})", "read(q, v[8:16])"}

// encodedArgs make the struct of a write of compressed data, and the vector that it points to.
var encodedArgs = []string{"v = anon(zero*144)", "put(v[0:16], iovec{iov_base=u[0:11], iov_len=11})",
	"put(v[16:144], btrfs_encoded{iov=v[0:16], iovcnt=1, len=8192, unencoded_len=8192, compression=2})"}

// attribute is a name and a value for one.
const attribute = `v = anon("user.a" + zero*1 + 'v'*40)`

// manyNames are more than fit into an inode, so that the directory has blocks of its own: what holds them while it is listed is held over the copy.
var manyNames = func() string {
	var lines []string
	for _, letter := range []string{"N", "O", "P", "Q"} {
		lines = append(lines, fmt.Sprintf("mkdir(D/%s)", strings.Repeat(letter, 200)))
	}
	return strings.Join(lines, "\n")
}()

// OpNames and OnlookerNames list what can be chosen.
func OpNames() []string {
	return names(operations, func(o operation) string { return o.name })
}

// OnlookerNames lists the onlookers.
func OnlookerNames() []string {
	return names(onlookers, func(o onlooker) string { return o.name })
}

func names[T any](all []T, name func(T) string) (list []string) {
	for _, one := range all {
		list = append(list, name(one))
	}
	return list
}

// prologue makes two files of 16 pages in a directory, and one of two pages in another, on the disk and not in the cache, and one without anything.
const prologue = `mkdir(D)
a = open(D/A, rdwr|creat)
c = open(D/B, rdwr|creat)
w = anon(pat1*16p)
pwrite(a, w, 0)
pwrite(c, w, 0)
x = open(D/X, rdwr|creat)
close(x)
mkdir(E)
e = open(E/F, rdwr|creat)
pwrite(e, w[0:2p], 0)
fsync(a)
fsync(c)
fsync(e)
fadvise(a, 0, 16p, dontneed)
fadvise(c, 0, 16p, dontneed)
fadvise(e, 0, 2p, dontneed)
`

// program is the cell as a program. What it may return is written here: that the onlooker proceeds is the claim.
func program(o operation, by onlooker) *prog.Prog {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s is stopped in its user copy. Does %s proceed meanwhile?\nprog footprint/%s/%s\n%s", o.name, by.name, o.name, by.name, prologue)
	for _, line := range o.steps() {
		b.WriteString(line + "\n")
	}
	for _, line := range strings.Split(by.setup, "\n") {
		if line != "" {
			b.WriteString("p2: " + line + "\n")
		}
	}
	if by.setup != "" {
		b.WriteString("wait(p2)\n")
	}
	step := by.step
	if by.fails != "" {
		step += " -> " + by.fails
	}
	fmt.Fprintf(&b, "t1: %s -> any\nstalled(%s)\np2: %s\nproceeds(p2)\n%s\nwait(t1)\nwait(p2)\n", o.call, o.stop(), step, o.serve())
	return parsed(b.String())
}

// steps open the file and make the stall.
func (o operation) steps() []string {
	lines := []string{fmt.Sprintf("d = open(D/A, %s)", o.flags), fmt.Sprintf("u = stall(%dp)", o.pages)}
	return append(lines, o.setup...)
}

// stop is the page where it is stopped.
func (o operation) stop() string { return fmt.Sprintf("u[%dp:%dp]", o.pages-1, o.pages) }

// serve is the step that lets it go.
func (o operation) serve() string {
	if o.bytes == "" {
		return fmt.Sprintf("serve(%s)", o.stop())
	}
	return fmt.Sprintf("serve(%s, %s)", o.stop(), o.bytes)
}

// danger is a program that hangs if the touch waits for the stopped operation: the operation's own buffer is a mapping of its file, where that is what the
// touch stands for; or else who should serve the operation touches before.
func danger(o operation, by onlooker) *prog.Prog {
	var b strings.Builder
	fmt.Fprintf(&b, "# While %s copies, a page fault waits for it (%s). Here the two are one.\nprog footprint/%s/%s/hazard\n%s", o.name, by.name, o.name, by.name, prologue)
	if o.self != "" && !strings.HasSuffix(by.name, "-other") && strings.HasPrefix(by.name, o.faults) {
		fmt.Fprintf(&b, "d = open(D/A, %s)\nm = mmap(a, shared, rw, 0, 16p)\n%s -> any\n", o.flags, o.self)
		return parsed(b.String())
	}
	for _, line := range o.steps() {
		b.WriteString(line + "\n")
	}
	for _, line := range strings.Split(by.setup, "\n") {
		b.WriteString("p2: " + line + "\n")
	}
	fmt.Fprintf(&b, "wait(p2)\nt1: %s -> any\np2: %s -> any\nwait(p2)\n%s\nwait(t1)\n", o.call, by.step, o.serve())
	return parsed(strings.Replace(b.String(), "p2: "+by.step, "stalled("+o.stop()+")\np2: "+by.step, 1))
}

// parsed reads a program of ours; a text that cannot be read is a bug.
func parsed(text string) *prog.Prog {
	p, err := prog.Parse(text)
	if err != nil {
		panic(fmt.Sprintf("footprint: %v\n%s", err, text))
	}
	for _, need := range prog.Requires(p) {
		p.Need(need)
	}
	return p
}

// chosen are the rows that are named, all without names; an unknown name is an error.
func chosen[T any](all []T, name func(T) string, want []string) ([]T, error) {
	if len(want) == 0 {
		return all, nil
	}
	var list []T
	for _, one := range all {
		if slices.Contains(want, name(one)) {
			list = append(list, one)
		}
	}
	known := names(all, name)
	for _, w := range want {
		if !slices.Contains(known, w) {
			return nil, fmt.Errorf("there is no %q; there are %s", w, strings.Join(known, " "))
		}
	}
	return list, nil
}
