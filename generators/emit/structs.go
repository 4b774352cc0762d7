package emit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"faultline/generators/prog"
)

// Structs in C are those of the kernel's headers, or are written out where there is none.

// ctype is the type of a struct in C.
func ctype(s *prog.Struct) string {
	if s.Header != "" {
		return s.C
	}
	return "struct " + s.Name
}

// uses reports whether the code has the type, or a pointer to it, in parentheses.
func uses(code string, s *prog.Struct) bool {
	return containsAny(code, []string{ctype(s) + ")", ctype(s) + " *)"})
}

// layouts writes out the structs that the code uses and no header declares, and the numbers of requests and flags that none defines.
func layouts(code string) string {
	var t text
	for _, name := range slices.Sorted(maps.Keys(prog.Structs)) {
		if s := prog.Structs[name]; s.Header == "" && uses(code, s) {
			t = append(t, layout(s)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(prog.Requests)) {
		if r := prog.Requests[name]; !declared(r) && strings.Contains(code, r.C) {
			t.line("#define %s %#x", r.C, r.Number)
		}
	}
	for _, f := range young {
		if strings.Contains(code, f.c) {
			t.line("#ifndef %s", f.c)
			t.line("#define %s %#x", f.c, f.value)
			t.line("#endif")
		}
	}
	if len(t) == 0 {
		return ""
	}
	return strings.Join(t, "\n") + "\n\n"
}

// young are flags and system calls that a C library may not know yet (linux/fs.h, linux/stat.h; the numbers are the same on all machines of 64 bits).
var young = []struct {
	c     string
	value int
}{
	{"RWF_ATOMIC", 0x40}, {"RWF_DONTCACHE", 0x80}, {"STATX_MNT_ID_UNIQUE", 0x4000},
	{"SYS_fsopen", 430}, {"SYS_fsconfig", 431}, {"SYS_quotactl_fd", 443}, {"SYS_statmount", 457}, {"SYS_listmount", 458}, {"SYS_file_getattr", 468}, {"SYS_file_setattr", 469},
}

// declared reports whether a header of the kernel defines the request.
func declared(r *prog.Request) bool {
	return !slices.ContainsFunc([]string{"EXT4_", "XFS_", "F2FS_", "OCFS2_"}, func(p string) bool { return strings.HasPrefix(r.C, p) })
}

var widths = map[int64]string{2: "short", 4: "int", 8: "long"}

func layout(s *prog.Struct) (t text) {
	t.line("struct %s {", s.Name)
	at := int64(0)
	pad := func(to int64) {
		if at < to {
			t.line("\tchar pad%d[%d];", at, to-at)
		}
	}
	for _, f := range s.Fields {
		pad(f.At)
		if f.Kind == prog.KindMemory {
			t.line("\tvoid *%s;", f.Name)
		} else {
			t.line("\t%s %s;", widths[f.Width], f.Name)
		}
		at = f.At + f.Width
	}
	pad(s.Size)
	t.line("};")
	return t
}

// includes are the kernel's headers that declare the structs and requests of the code.
func includes(code string) (list []string) {
	for _, s := range prog.Structs {
		if strings.HasPrefix(s.Header, "linux/") && uses(code, s) {
			list = append(list, s.Header)
		}
	}
	if strings.Contains(code, "aio_context_t") {
		list = append(list, "linux/aio_abi.h")
	}
	if strings.Contains(code, "FICLONE,") {
		list = append(list, "linux/fs.h")
	}
	if strings.Contains(code, "BTRFS_IOC_") {
		list = append(list, "linux/btrfs.h")
	}
	for _, r := range prog.Requests {
		switch {
		case !declared(r) || !strings.Contains(code, r.C+","):
		case strings.HasPrefix(r.C, "BTRFS_"): // above
		case strings.Contains(r.C, "_VERITY"):
			list = append(list, "linux/fsverity.h")
		case r.C == "FS_IOC_GETFSMAP":
			list = append(list, "linux/fsmap.h")
		case r.C == "FS_IOC_FIEMAP":
			list = append(list, "linux/fiemap.h", "linux/fs.h")
		default:
			list = append(list, "linux/fs.h")
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// literal is a struct with its fields, as a compound literal.
func (g *writer) literal(s *prog.Step, v prog.Value) string {
	parts := make([]string, len(v.Fields))
	for i, f := range v.Fields {
		parts[i] = "." + f.Name + " = " + g.fieldValue(s, v.Struct, f)
	}
	if len(parts) == 0 {
		parts = []string{"0"}
	}
	return fmt.Sprintf("(%s){%s}", ctype(prog.Structs[v.Struct]), strings.Join(parts, ", "))
}

// numbered are the structs of the kernel's headers in which addresses are numbers.
var numbered = []string{"iocb", "verity_enable", "verity_metadata"}

func (g *writer) fieldValue(s *prog.Step, record string, f prog.FieldValue) string {
	switch of := f.Of.(type) {
	case prog.Name:
		return g.ident(s, string(of))
	case prog.Buf:
		if slices.Contains(numbered, record) {
			return "(long)(" + g.pointer(s, of.Ranges[0]) + ")"
		}
		return "(void *)(" + g.pointer(s, of.Ranges[0]) + ")"
	}
	return size(f.Lo)
}

// put copies a struct into memory.
func (g *writer) put(t *text, s *prog.Step) {
	v := s.Args[1].(prog.Value)
	to, n := g.pointer(s, s.Args[0].(prog.Buf).Ranges[0]), prog.Structs[v.Struct].Size
	if g.dialect.signals {
		t.step(fmt.Sprintf("store(%s, (char *)&%s, %d)", to, g.literal(s, v), n), wanted(s.Want, "ret", "ret >= 0"))
		return
	}
	t.line("memcpy(%s, &%s, %d);", to, g.literal(s, v), n)
}

// look reads one field after the other. Where a signal may come, it reads all at once and compares nothing.
func (g *writer) look(t *text, s *prog.Step) {
	v := s.Args[1].(prog.Value)
	r := s.Args[0].(prog.Buf).Ranges[0]
	if len(s.Want) > 0 || len(v.Fields) == 0 {
		g.sight(t, s)
		return
	}
	for _, f := range v.Fields {
		field := fmt.Sprintf("((%s *)(%s))->%s", ctype(prog.Structs[v.Struct]), g.pointer(s, r), f.Name)
		t.step(field, outcome(prog.Between(f.Lo, f.Hi), "ret", ""))
	}
}

// sight reads a range of memory, and looks at nothing.
func (g *writer) sight(t *text, s *prog.Step) {
	r := s.Args[0].(prog.Buf).Ranges[0]
	n := size(g.length(s, r))
	t.step("load("+g.pointer(s, r)+", "+n+")", wanted(s.Want, "ret", "ret == "+n))
}

// extents demands of every run of data that it is covered.
func (g *writer) extents(t *text, s *prog.Step) {
	if len(s.Args) < 2 {
		g.sight(t, s)
		return
	}
	header := g.pointer(s, s.Args[0].(prog.Buf).Ranges[0])
	var at prog.Size
	for _, run := range s.Args[1].(prog.Alts)[0] {
		end := at.Plus(run.Len)
		kind := run.May[0].Kind
		if len(run.May) == 1 && (kind == prog.Pattern || kind == prog.Fill) {
			t.step(fmt.Sprintf("covered(%s, %s, %s)", header, size(at), size(end)), "ret == 1")
		}
		at = end
	}
}

// entries hands over the names that may be there, each between two bars.
func (g *writer) entries(t *text, s *prog.Step) {
	if len(s.Args) < 2 {
		g.sight(t, s)
		return
	}
	r := s.Args[0].(prog.Buf).Ranges[0]
	list := "|.|..|"
	for _, name := range s.Args[1].(prog.Names) {
		list += name[strings.LastIndexByte(name, '/')+1:] + "|"
	}
	t.step(fmt.Sprintf("entries(%s, %s, %q)", g.pointer(s, r), size(g.length(s, r)), list), "ret >= 1")
}

// ioctl hands over the address of the struct.
func (g *writer) ioctl(t *text, s *prog.Step) {
	request := prog.Requests[s.Args[1].(prog.Words)[0]].C
	address := g.pointer(s, s.Args[2].(prog.Buf).Ranges[0])
	t.step(fmt.Sprintf("ioctl(%s, %s, %s)", g.ident(s, string(s.Args[0].(prog.Name))), request, address), wanted(s.Want, "ret", "ret >= 0"))
}

// structHelpers are the helpers of this file's steps.
var structHelpers = []helper{
	{`\bcovered\(`, `
static int covered(const char *p, long from, long to)
{
	const struct fiemap *map = (void *)p;
	const struct fiemap_extent *e = map->fm_extents;
	for (unsigned i = 0; i < map->fm_mapped_extents; i++, e++)
		if ((long)e->fe_logical <= from && from < (long)(e->fe_logical + e->fe_length))
			from = e->fe_logical + e->fe_length;
	return from >= to || map->fm_mapped_extents >= map->fm_extent_count;
}
`},
	{`\bentries\(`, `
static int entries(const char *p, long n, const char *names)
{
	int found = 0;
	for (long at = 0, len; at + 20 < n && (len = *(unsigned short *)(p + at + 16)) > 0; at += len, found++) {
		char *name;
		if (len < 20 || at + len > n || asprintf(&name, "|%s|", p + at + 19) < 0 || !strstr(names, name))
			return -1;
		free(name);
	}
	return found;
}
`},
}
