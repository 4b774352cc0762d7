package emit

import (
	"fmt"

	"faultline/generators/prog"
)

// metadataPerformers write calls on metadata. Those that C libraries do not have yet are made by their numbers.
var metadataPerformers = map[string]func(*writer, *text, *prog.Step){
	"statx": (*writer).metadata, "fstat": (*writer).metadata, "fstatfs": (*writer).metadata, "getcwd": (*writer).metadata,
	"name_to_handle_at": (*writer).metadata, "file_getattr": (*writer).metadata, "file_setattr": (*writer).metadata,
	"statmount": (*writer).metadata, "listmount": (*writer).metadata, "quotactl": (*writer).metadata,
	"open_by_handle_at": func(g *writer, t *text, s *prog.Step) {
		t.made(g.ident(s, s.Makes), fmt.Sprintf("open_by_handle_at(%s, %s, %s)", g.ident(s, string(s.Args[0].(prog.Name))), g.offset(s, 1), constant(s.Op, s.Args[2].(prog.Words))), s)
	},
}

// quotaCommands are the arguments of quotactl(2) for users (linux/quota.h: QCMD).
var quotaCommands = map[string]string{"getquota": "0x80000700 /* Q_GETQUOTA, USRQUOTA */", "setquota": "0x80000800 /* Q_SETQUOTA, USRQUOTA */"}

// metadata is a call that returns a number.
func (g *writer) metadata(t *text, s *prog.Step) {
	named := func() string { return g.path(string(s.Args[0].(prog.Name))) }
	fd := func() string { return g.ident(s, string(s.Args[0].(prog.Name))) }
	length := func(k int) string { return size(g.length(s, s.Args[k].(prog.Buf).Ranges[0])) }
	var call string
	switch s.Op {
	case "statx":
		call = fmt.Sprintf("statx(AT_FDCWD, %s, 0, STATX_BASIC_STATS | STATX_MNT_ID_UNIQUE, %s)", named(), g.offset(s, 1))
	case "fstat", "fstatfs":
		call = fmt.Sprintf("%s(%s, %s)", s.Op, fd(), g.offset(s, 1))
	case "getcwd":
		call = fmt.Sprintf("syscall(SYS_getcwd, %s, %s)", g.offset(s, 0), length(0))
	case "name_to_handle_at":
		call = fmt.Sprintf("name_to_handle_at(AT_FDCWD, %s, %s, %s, AT_SYMLINK_FOLLOW)", named(), g.offset(s, 1), g.offset(s, 2))
	case "file_getattr", "file_setattr":
		call = fmt.Sprintf("syscall(SYS_%s, AT_FDCWD, %s, %s, %d, 0)", s.Op, named(), g.offset(s, 1), prog.Structs["file_attr"].Size)
	case "statmount":
		call = fmt.Sprintf("syscall(SYS_statmount, %s, %s, %s, 0)", g.offset(s, 0), g.offset(s, 1), length(1))
	case "listmount":
		call = fmt.Sprintf("syscall(SYS_listmount, %s, %s, (%s) / 8, 0)", g.offset(s, 0), g.offset(s, 1), length(1))
	case "quotactl":
		call = fmt.Sprintf("syscall(SYS_quotactl_fd, %s, %s, geteuid(), %s)", fd(), quotaCommands[s.Args[1].(prog.Words)[0]], g.offset(s, 2))
	}
	t.step(call, wanted(s.Want, "ret", "ret >= 0"))
}
