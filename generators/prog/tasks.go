package prog

import "fmt"

// taskOps are the operations that copy memory and are about no file: of the memory of tasks, of words that tasks wait for, and of the strings of new
// mounts and programs. They are rows of the table Ops.
var taskOps = []Op{
	{Name: "process_vm_readv", Counts: true, Params: []Param{iov(), memory("remote")}, Doc: "process_vm_readv(2) of our own address space, whose remote memory is faulted in as another task's"},
	{Name: "process_vm_writev", Counts: true, Params: []Param{iov(), memory("remote")}, Doc: "process_vm_writev(2) to our own address space, whose remote memory is faulted in as another task's"},
	{Name: "mem_read", Counts: true, Params: []Param{buf(), memory("remote")}, Doc: "pread(2) from /proc/self/mem at the address of the second range, which is as long"},
	{Name: "mem_write", Counts: true, Params: []Param{buf(), memory("remote")}, Doc: "pwrite(2) to /proc/self/mem at the address of the second range, which is as long"},
	{Name: "futex_wait", Params: []Param{buf(), size("value"), words("scope", "shared", "private")}, Doc: "futex(2) FUTEX_WAIT on 4 bytes in memory: EAGAIN when they are another value, ETIMEDOUT, after a moment, when they are that one"},
	{Name: "futex_wake", Counts: true, Params: []Param{buf()}, Doc: "futex(2) FUTEX_WAKE of 4 bytes that processes share, whose page the kernel looks up; returns how many it has woken"},
	{Name: "mount", Params: []Param{memory("source"), memory("type"), memory("data")}, Doc: "mount(2) on the empty name, which is nowhere: ENOENT once the strings and the page of options have been copied"},
	{Name: "fsconfig", Params: []Param{memory("key"), memory("value")}, Doc: "fsconfig(2) FSCONFIG_SET_STRING of a tmpfs that is never made"},
	{Name: "execve", Params: []Param{memory("argv")}, Doc: "execve(2) of a file that is no program: ENOEXEC once the pointers in memory and the strings that they point to have been copied"},
	{Name: "ptrace_peek", Params: []Param{buf(), memory("remote")}, Doc: "ptrace(2) PTRACE_PEEKDATA of 8 bytes of a forked copy of ourselves"},
	{Name: "ptrace_poke", Params: []Param{memory("remote"), datum()}, Doc: "ptrace(2) PTRACE_POKEDATA of 8 bytes of a forked copy of ourselves, which has its own pages of what is private"},
	{Name: "coredump", Counts: true, Params: []Param{buf(), memory("remote")}, Doc: "let a forked copy of ourselves die with a core in the program's directory, core(5), and read into a buffer what the core has of a mapping, which is as long"},
	{Name: "rseq", Params: []Param{buf()}, Doc: "rseq(2): register 32 bytes of zeros, to which the kernel writes when it returns to the thread, and give them up; memory that goes bad meanwhile ends the process"},
	{Name: "fuse_read", Counts: true, Params: []Param{iov()}, Doc: "readv(2) from /dev/fuse: the first request, FUSE_INIT, of a file system that nobody mounts"},
	{Name: "fuse_notify", Params: []Param{buf()}, Doc: "write(2) to /dev/fuse: a notification of an inode that the file system, which nobody mounts, does not have: ENOENT"},
}

// taskStructs are the structs of these operations.
var taskStructs = []Struct{
	{"futex", "", "", 8, []Field{number("value", 4, 4)}},
	{"rseq", "", "", 32, []Field{number("cpu_id_start", 0, 4), number("cpu_id", 4, 4), number("rseq_cs", 8, 8), number("flags", 16, 4)}},
	{"fuse_in", "struct fuse_in_header", "linux/fuse.h", 40, []Field{number("len", 0, 4), number("opcode", 4, 4), number("unique", 8, 8)}},
	{"fuse_inval", "", "", 40, []Field{number("len", 0, 4), number("code", 4, 4), number("unique", 8, 8), number("ino", 16, 8), number("off", 24, 8), number("length", 32, 8)}},
	{"argv", "", "", 16, []Field{address("arg0", 0)}},
}

// pokeRule demands the 8 bytes of a word.
func pokeRule(v *validator, s *Step) error {
	if data := s.Args[1].(Data); data.Len() != Bytes(8) {
		return fmt.Errorf("found %v of data, wanted 8 bytes", data.Len())
	}
	return storeRule(v, s)
}
