package emit

import (
	"fmt"

	"faultline/generators/prog"
)

// typePerformers write calls that only one type of file system has, besides those that are an ioctl(2) and nothing else.
var typePerformers = map[string]func(*writer, *text, *prog.Step){
	"put_path": (*writer).putPath, "uring_cmd": (*writer).uringCommand,
	"btrfs_subvolume": func(g *writer, t *text, s *prog.Step) {
		request := map[string]string{"create": "BTRFS_IOC_SUBVOL_CREATE_V2", "snapshot": "BTRFS_IOC_SNAP_CREATE_V2"}[s.Args[1].(prog.Words)[0]]
		t.step(fmt.Sprintf("ioctl(%s, %s, %s)", g.ident(s, string(s.Args[0].(prog.Name))), request, g.offset(s, 2)), wanted(s.Want, "ret", "ret >= 0"))
	},
	"xfs_open_by_handle": func(g *writer, t *text, s *prog.Step) {
		t.made(g.ident(s, s.Makes), fmt.Sprintf("ioctl(%s, %#x /* XFS_IOC_OPEN_BY_HANDLE */, %s)", g.ident(s, string(s.Args[0].(prog.Name))), prog.XFSOpenByHandle, g.offset(s, 1)), s)
	},
}

// uringCommand has the number of the request where others have the offset.
func (g *writer) uringCommand(t *text, s *prog.Step) {
	request := prog.Requests[s.Args[1].(prog.Words)[0]].C
	t.step(fmt.Sprintf("uring(IORING_OP_URING_CMD, %s, %s, 0, %s)", g.ident(s, string(s.Args[0].(prog.Name))), g.pointer(s, s.Args[2].(prog.Buf).Ranges[0]), request), wanted(s.Want, "ret", "ret >= 0"))
}

// putPath writes a path into memory of our own first, if a signal may come.
func (g *writer) putPath(t *text, s *prog.Step) {
	r := s.Args[0].(prog.Buf).Ranges[0]
	to, n, path := g.pointer(s, r), size(g.length(s, r)), g.path(string(s.Args[1].(prog.Name)))
	if !g.dialect.signals {
		t.line("put_path(%s, %s, %s);", to, n, path)
		return
	}
	t.line("char bytes[%s];", n)
	t.line("put_path(bytes, %s, %s);", n, path)
	t.step(fmt.Sprintf("store(%s, bytes, %s)", to, n), wanted(s.Want, "ret", "ret >= 0"))
	t.block()
}

var pathHelper = helper{`\bput_path\(`, `
// A path that ends where the memory does, with slashes before it.
static void put_path(char *p, long n, const char *path)
{
	long length = strlen(path) + 1;
	memset(p, '/', n);
	*p = *path == '/' ? '/' : '.';
	strcpy(p + n - length, path);
}
`}
