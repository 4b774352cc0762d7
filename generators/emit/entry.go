package emit

import (
	"fmt"
	"strings"

	"faultline/generators/prog"
)

// entryPerformers write calls on attributes, links and pairs of files.
var entryPerformers = map[string]func(*writer, *text, *prog.Step){
	"setxattr": (*writer).attribute, "getxattr": (*writer).attribute, "listxattr": (*writer).attribute, "removexattr": (*writer).attribute,
	"symlink": (*writer).plainEntry, "readlink": (*writer).plainEntry, "ficlone": (*writer).ficlone,
	"copy_file_range": (*writer).copyRange, "sendfile": (*writer).sendfile,
}

// attribute passes a name by its address alone.
func (g *writer) attribute(t *text, s *prog.Step) {
	args := g.args(t, s, 0)
	if s.Op != "listxattr" {
		args = append(args[:2], args[3:]...)
	}
	t.step("f"+s.Op+"("+strings.Join(args, ", ")+")", wanted(s.Want, "ret", "ret >= 0"))
}

func (g *writer) plainEntry(t *text, s *prog.Step) {
	t.step(s.Op+"("+strings.Join(g.args(t, s, 0), ", ")+")", wanted(s.Want, "ret", "ret >= 0"))
}

func (g *writer) ficlone(t *text, s *prog.Step) {
	args := g.args(t, s, 0)
	t.step(fmt.Sprintf("ioctl(%s, FICLONE, %s)", args[0], args[1]), wanted(s.Want, "ret", "ret >= 0"))
}

// offset is the address of an offset in memory.
func (g *writer) offset(s *prog.Step, arg int) string {
	return "(void *)(" + g.pointer(s, s.Args[arg].(prog.Buf).Ranges[0]) + ")"
}

func (g *writer) copyRange(t *text, s *prog.Step) {
	in, out := g.ident(s, string(s.Args[0].(prog.Name))), g.ident(s, string(s.Args[2].(prog.Name)))
	t.step(fmt.Sprintf("copy_file_range(%s, %s, %s, %s, %s, 0)", in, g.offset(s, 1), out, g.offset(s, 3), size(s.Args[4].(prog.Size))), wanted(s.Want, "ret", "ret >= 0"))
}

func (g *writer) sendfile(t *text, s *prog.Step) {
	out, in := g.ident(s, string(s.Args[0].(prog.Name))), g.ident(s, string(s.Args[1].(prog.Name)))
	t.step(fmt.Sprintf("sendfile(%s, %s, %s, %s)", out, in, g.offset(s, 2), size(s.Args[3].(prog.Size))), wanted(s.Want, "ret", "ret >= 0"))
}
