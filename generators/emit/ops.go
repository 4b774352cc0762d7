package emit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"faultline/generators/prog"
)

// words says which constant a word of an operation stands for.
var words = map[string]string{
	"open rdonly": "O_RDONLY", "open wronly": "O_WRONLY", "open rdwr": "O_RDWR", "open direct": "O_DIRECT", "open append": "O_APPEND",
	"open sync": "O_SYNC", "open dsync": "O_DSYNC", "open creat": "O_CREAT", "open trunc": "O_TRUNC",
	"mmap shared": "MAP_SHARED", "mmap private": "MAP_PRIVATE", "mmap populate": "MAP_POPULATE",
	"mmap none": "PROT_NONE", "mmap r": "PROT_READ", "mmap w": "PROT_WRITE", "mmap rw": "PROT_READ | PROT_WRITE",
	"mprotect none": "PROT_NONE", "mprotect r": "PROT_READ", "mprotect w": "PROT_WRITE", "mprotect rw": "PROT_READ | PROT_WRITE",
	"madvise dontneed": "MADV_DONTNEED", "madvise pageout": "MADV_PAGEOUT", "madvise willneed": "MADV_WILLNEED",
	"madvise populate_read": "MADV_POPULATE_READ", "madvise populate_write": "MADV_POPULATE_WRITE",
	"msync sync": "MS_SYNC", "msync async": "MS_ASYNC", "msync invalidate": "MS_INVALIDATE",
	"fadvise dontneed": "POSIX_FADV_DONTNEED",
	"lseek set":        "SEEK_SET", "lseek cur": "SEEK_CUR", "lseek end": "SEEK_END", "lseek data": "SEEK_DATA", "lseek hole": "SEEK_HOLE",
	"fallocate alloc": "0", "fallocate keep": "FALLOC_FL_KEEP_SIZE", "fallocate punch": "FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE",
	"fallocate zero": "FALLOC_FL_ZERO_RANGE", "fallocate collapse": "FALLOC_FL_COLLAPSE_RANGE", "fallocate insert": "FALLOC_FL_INSERT_RANGE",
	"open_by_handle_at rdonly": "O_RDONLY", "open_by_handle_at wronly": "O_WRONLY", "open_by_handle_at rdwr": "O_RDWR",
	"setxattr set": "0", "setxattr create": "XATTR_CREATE", "setxattr replace": "XATTR_REPLACE",
	"stat size": "st.st_size", "stat blocks": "st.st_blocks",
	"preadv2 nowait": "RWF_NOWAIT", "preadv2 dsync": "RWF_DSYNC", "preadv2 sync": "RWF_SYNC", "preadv2 append": "RWF_APPEND", "preadv2 hipri": "RWF_HIPRI",
	"preadv2 dontcache": "RWF_DONTCACHE", "pwritev2 dontcache": "RWF_DONTCACHE", "pwritev2 atomic": "RWF_ATOMIC",
	"pwritev2 nowait": "RWF_NOWAIT", "pwritev2 dsync": "RWF_DSYNC", "pwritev2 sync": "RWF_SYNC", "pwritev2 append": "RWF_APPEND", "pwritev2 hipri": "RWF_HIPRI",
}

func constant(op string, flags prog.Words) string {
	all := make([]string, len(flags))
	for i, w := range flags {
		all[i] = words[op+" "+w]
	}
	return strings.Join(all, " | ")
}

// Knows reports whether C can write the operation; a test demands it for every one.
func Knows(op string) bool { return performers[op] != nil || plainCalls[op] != "" || op == "wait" }

// plainCalls are operations that are one call whose arguments stand in the same order; the name is the libc's.
var plainCalls = map[string]string{
	"close": "close", "syncfs": "syncfs", "sync": "sync_all", "freeze": "freeze", "umount": "umount_busy", "mprotect": "mprotect", "madvise": "madvise", "mlock": "mlock", "msync": "msync",
	"drop_caches": "drop_caches", "read": "read", "write": "write", "pread": "pread", "pwrite": "pwrite", "readv": "readv", "writev": "writev",
	"preadv": "preadv", "pwritev": "pwritev", "preadv2": "preadv2", "pwritev2": "pwritev2", "lseek": "lseek", "fsync": "fsync", "fdatasync": "fdatasync",
	"truncate": "truncate", "ftruncate": "ftruncate", "fallocate": "fallocate", "rename": "rename", "link": "link", "unlink": "unlink", "load": "load",
	"getdents": "getdents64",
}

// performers write the other operations.
var performers map[string]func(*writer, *text, *prog.Step)

func init() {
	performers = map[string]func(*writer, *text, *prog.Step){
		"open": (*writer).open, "mmap": (*writer).mmap, "mremap": (*writer).mremap, "anon": (*writer).anon,
		"store": (*writer).store, "check": (*writer).check, "stat": (*writer).stat, "mkdir": (*writer).mkdir,
		"stall": (*writer).stall, "guard": (*writer).guard, "guard_struct": (*writer).guardStruct, "stalled": (*writer).stalled, "proceeds": (*writer).proceeds,
		"serve": (*writer).letGo, "serve_struct": (*writer).serveStruct, "poison": (*writer).letGo, "unregister": (*writer).letGo, "munmap": (*writer).munmap,
		"fadvise": (*writer).fadvise, "sync_file_range": (*writer).syncFileRange,
		"put": (*writer).put, "look": (*writer).look, "extents": (*writer).extents, "entries": (*writer).entries,
		"ioctl": (*writer).ioctl,
	}
	maps.Copy(performers, entryPerformers)
	maps.Copy(performers, metadataPerformers)
	maps.Copy(performers, typePerformers)
	maps.Copy(performers, taskPerformers)
	maps.Copy(performers, twinPerformers)
}

func (g *writer) perform(t *text, s *prog.Step, i int) {
	if f := performers[s.Op]; f != nil {
		f(g, t, s)
		return
	}
	args := g.args(t, s, i)
	t.step(plainCalls[s.Op]+"("+strings.Join(args, ", ")+")", wanted(s.Want, "ret", "ret >= 0"))
}

// width is where long lines are broken.
const width = 130

// step writes a call with its check. A long condition gets a line for each of its parts.
func (t *text) step(call, ok string) {
	line := fmt.Sprintf("STEP(%s, %s);", call, ok)
	if len(line) > width {
		line = strings.NewReplacer(" && is(", "\n\t&& is(", " && mix(", "\n\t&& mix(", " || (", "\n\t|| (").Replace(line)
	}
	*t = append(*t, strings.Split(line, "\n")...)
}

// args are the arguments of a step as C expressions.
func (g *writer) args(t *text, s *prog.Step, i int) (list []string) {
	for k, a := range s.Args {
		switch a := a.(type) {
		case prog.Size:
			list = append(list, size(a))
		case prog.Words:
			list = append(list, constant(s.Op, a))
		case prog.Name:
			if prog.Ops[s.Op].Params[k].Kind == prog.KindFD {
				list = append(list, g.ident(s, string(a)))
			} else {
				list = append(list, g.path(string(a)))
			}
		case prog.Buf:
			list = append(list, g.memory(t, s, i, a)...)
		}
	}
	return list
}

// memory is a buffer as address and length, or an iovec as array and count. Repeated pieces are laid out by a loop before the step.
func (g *writer) memory(t *text, s *prog.Step, i int, b prog.Buf) []string {
	if !b.Vector {
		r := b.Ranges[0]
		return []string{g.pointer(s, r), size(g.length(s, r))}
	}
	count, repeated := 0, false
	var pieces []string
	for _, r := range b.Ranges {
		count += max(r.Count, 1)
		repeated = repeated || r.Count > 1
		pieces = append(pieces, fmt.Sprintf("{%s, %s}", g.pointer(s, r), size(g.length(s, r))))
	}
	if !repeated {
		return []string{fmt.Sprintf("(struct iovec[]){%s}", strings.Join(pieces, ", ")), fmt.Sprint(count)}
	}
	iov := fmt.Sprintf("iov%d", i+1)
	t.line("struct iovec %s[%d], *v%s = %s;", iov, count, iov, iov)
	for k, r := range b.Ranges {
		if r.Count < 2 {
			t.line("*v%s++ = (struct iovec)%s;", iov, pieces[k])
			continue
		}
		t.line("for (long piece = 0; piece < %d; piece++)", r.Count)
		t.line("\t*v%s++ = (struct iovec){%s + piece * (%s), %s};", iov, g.pointer(s, r), size(r.Stride), size(g.length(s, r)))
	}
	return []string{iov, fmt.Sprint(count)}
}

func (g *writer) open(t *text, s *prog.Step) {
	flags, mode := s.Args[1].(prog.Words), ""
	if flags.Has("creat") {
		mode = ", 0644"
	}
	call := fmt.Sprintf("open(%s, %s%s)", g.path(string(s.Args[0].(prog.Name))), constant("open", flags), mode)
	t.made(g.ident(s, s.Makes), call, s)
}

// made writes a call whose value is kept. To a program the value is 0.
func (t *text) made(name, call string, s *prog.Step) {
	want := append(prog.Expect(nil), s.Want...)
	for i, o := range want {
		if o == prog.Exactly(prog.Size{}) {
			want[i] = prog.Succeeds
		}
	}
	ok := "ret >= 0"
	if prog.Ops[s.Op].Makes != prog.KindFD {
		ok = "ret != -1"
	}
	t.step(name+" = "+call, wanted(want, "ret", ok))
}

// place is where a mapping goes: anywhere, or apart from all others.
func (g *writer) place(length string) (addr, flag string) {
	if g.dialect.apart {
		return "room(" + length + ")", " | MAP_FIXED"
	}
	return "NULL", ""
}

func (g *writer) mmap(t *text, s *prog.Step) {
	n := size(s.Args[4].(prog.Size))
	addr, fixed := g.place(n)
	t.made(g.ident(s, s.Makes), fmt.Sprintf("mmap(%s, %s, %s, %s%s, %s, %s)", addr, n, constant("mmap", s.Args[2].(prog.Words)),
		constant("mmap", s.Args[1].(prog.Words)), fixed, g.ident(s, string(s.Args[0].(prog.Name))), size(s.Args[3].(prog.Size))), s)
}

// mremap always moves.
func (g *writer) mremap(t *text, s *prog.Step) {
	r := s.Args[0].(prog.Buf).Ranges[0]
	n := size(s.Args[1].(prog.Size))
	t.made(g.ident(s, s.Makes), fmt.Sprintf("mremap(%s, %s, %s, MREMAP_MAYMOVE | MREMAP_FIXED, room(%s))", g.pointer(s, r), size(g.length(s, r)), n, n), s)
}

// anon maps memory and writes its bytes; a hole is not touched, and huge pages must not touch it either.
func (g *writer) anon(t *text, s *prog.Step) {
	data, name := s.Args[0].(prog.Data), g.ident(s, s.Makes)
	length := data.Len()
	var align prog.Size
	if len(s.Args) > 1 {
		align = s.Args[1].(prog.Size)
	}
	n := size(length.Plus(align))
	addr, fixed := g.place(n)
	t.made(name, fmt.Sprintf("mmap(%s, %s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS%s, -1, 0)", addr, n, fixed), s)
	if prog.Pages(512).AtMost(length) {
		t.line("madvise(%s, %s, MADV_NOHUGEPAGE);", name, n)
	}
	if align != (prog.Size{}) {
		t.line("%s += %s;", name, size(align))
	}
	var off prog.Size
	for _, r := range data {
		if r.May[0].Kind != prog.Hole {
			t.line("%s;", g.bytes(at(name, off), r))
		}
		off = off.Plus(r.Len)
	}
}

// store writes data with the processor: run by run, or from a copy where a signal may end it.
func (g *writer) store(t *text, s *prog.Step) {
	r, data := s.Args[0].(prog.Buf).Ranges[0], s.Args[1].(prog.Data)
	to := g.pointer(s, r)
	if g.dialect.signals {
		to = "bytes"
		t.line("char *bytes = malloc(%s);", size(data.Len()))
	}
	var off prog.Size
	for _, run := range data {
		t.line("%s;", g.bytes(at(to, off), run))
		off = off.Plus(run.Len)
	}
	if g.dialect.signals {
		t.step(fmt.Sprintf("store(%s, bytes, %s)", g.pointer(s, r), size(data.Len())), wanted(s.Want, "ret", "ret >= 0"))
		t.block()
	}
}

// block makes the text a block of its own.
func (t *text) block() {
	for i := range *t {
		(*t)[i] = "\t" + (*t)[i]
	}
	*t = slices.Concat(text{"{"}, *t, text{"}"})
}

func (g *writer) check(t *text, s *prog.Step) {
	if name, isFile := s.Args[0].(prog.Name); isFile {
		g.checkFile(t, s, g.path(string(name)))
		return
	}
	r := s.Args[0].(prog.Buf).Ranges[0]
	p, n := g.pointer(s, r), size(g.length(s, r))
	var alts []string
	if len(s.Args) > 1 {
		for _, d := range s.Args[1].(prog.Alts) {
			alts = append(alts, g.equals(p, d))
		}
	}
	is := either(alts)
	if is != "" && len(s.Want) == 0 {
		t.step(is, "ret == 1")
		return
	}
	ok := "ret == " + n
	if is != "" {
		ok += " && " + is
	}
	t.step("load("+p+", "+n+")", wanted(s.Want, "ret", ok))
}

// checkFile reads one byte more than there may be, so that a file that is too long shows.
func (g *writer) checkFile(t *text, s *prog.Step, path string) {
	if len(s.Args) < 2 && len(s.Want) > 0 {
		t.step("open("+path+", O_RDONLY)", wanted(s.Want, "ret", "ret >= 0"))
		return
	}
	if len(s.Args) < 2 {
		t.step("slurp("+path+", 1 << 26)", "ret >= 0")
		return
	}
	var alts []string
	var longest prog.Size
	for _, d := range s.Args[1].(prog.Alts) {
		if !d.Len().AtMost(longest) {
			longest = d.Len()
		}
		one := "ret == " + size(d.Len())
		if is := g.equals("file", d); is != "" {
			one += " && " + is
		}
		alts = append(alts, one)
	}
	t.step("slurp("+path+", "+size(longest.Plus(prog.Bytes(1)))+")", wanted(s.Want, "ret", either(alts)))
}

// either is true if one of the conditions is; an empty one always is.
func either(conditions []string) string {
	for _, c := range conditions {
		if c == "" {
			return ""
		}
	}
	if len(conditions) < 2 {
		return strings.Join(conditions, "")
	}
	return "(" + strings.Join(conditions, ") || (") + ")"
}

func (g *writer) stat(t *text, s *prog.Step) {
	t.step("stat("+g.path(string(s.Args[0].(prog.Name)))+", &st)", wanted(s.Want, constant("stat", s.Args[1].(prog.Words)), "ret == 0"))
}

func (g *writer) mkdir(t *text, s *prog.Step) {
	t.step("mkdir("+g.path(string(s.Args[0].(prog.Name)))+", 0755)", wanted(s.Want, "ret", "ret == 0"))
}

// fadvise returns its error.
func (g *writer) fadvise(t *text, s *prog.Step) {
	ok := strings.ReplaceAll(wanted(s.Want, "ret", "ret == 0"), "err ==", "ret ==")
	t.step(fmt.Sprintf("posix_fadvise(%s)", strings.Join(g.args(t, s, 0), ", ")), ok)
}

func (g *writer) syncFileRange(t *text, s *prog.Step) {
	flags := "SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER"
	t.step(fmt.Sprintf("sync_file_range(%s, %s)", strings.Join(g.args(t, s, 0), ", "), flags), wanted(s.Want, "ret", "ret == 0"))
}
