package emit

import (
	"fmt"

	"faultline/generators/prog"
)

// taskPerformers write calls that copy memory and are about no file.
var taskPerformers = map[string]func(*writer, *text, *prog.Step){
	"process_vm_readv": (*writer).processVM, "process_vm_writev": (*writer).processVM,
	"mem_read": (*writer).task, "mem_write": (*writer).task, "futex_wait": (*writer).task, "futex_wake": (*writer).task,
	"mount": (*writer).task, "fsconfig": (*writer).task, "execve": (*writer).task,
}

// processVM hands over our own number, and the remote memory as a vector of one piece.
func (g *writer) processVM(t *text, s *prog.Step) {
	local := g.memory(t, s, len(*t), s.Args[0].(prog.Buf))
	r := s.Args[1].(prog.Buf).Ranges[0]
	remote := fmt.Sprintf("&(struct iovec){%s, %s}", g.pointer(s, r), size(g.length(s, r)))
	t.step(fmt.Sprintf("%s(getpid(), %s, %s, %s, 1, 0)", s.Op, local[0], local[1], remote), wanted(s.Want, "ret", "ret >= 0"))
}

// task is a call that returns a number.
func (g *writer) task(t *text, s *prog.Step) {
	var call string
	switch s.Op {
	case "mem_read", "mem_write":
		mode := map[string]string{"mem_read": "O_RDONLY", "mem_write": "O_WRONLY"}[s.Op]
		call = fmt.Sprintf("through_mem(%s, %s, %s, %s)", mode, g.offset(s, 0), size(g.length(s, s.Args[0].(prog.Buf).Ranges[0])), g.offset(s, 1))
	case "futex_wait":
		flag := map[bool]string{true: " | FUTEX_PRIVATE_FLAG"}[s.Args[2].(prog.Words).Has("private")]
		call = fmt.Sprintf("syscall(SYS_futex, %s, FUTEX_WAIT%s, %s, &(struct timespec){0, 10000000})", g.offset(s, 0), flag, size(s.Args[1].(prog.Size)))
	case "futex_wake":
		call = fmt.Sprintf("syscall(SYS_futex, %s, FUTEX_WAKE, 1)", g.offset(s, 0))
	case "mount":
		call = fmt.Sprintf("mount(%s, \"\", %s, 0, %s)", g.offset(s, 0), g.offset(s, 1), g.offset(s, 2))
	case "fsconfig":
		call = fmt.Sprintf("set_tmpfs(%s, %s)", g.offset(s, 0), g.offset(s, 1))
	case "execve":
		call = fmt.Sprintf("execute_text(%s)", g.offset(s, 0))
	}
	t.step(call, wanted(s.Want, "ret", "ret >= 0"))
}

var taskHelpers = []helper{
	{`\bthrough_mem\(`, `
static long through_mem(int mode, void *p, long n, void *remote)
{
	int mem = open("/proc/self/mem", mode);
	long ret = mode == O_RDONLY ? pread(mem, p, n, (long)remote) : pwrite(mem, p, n, (long)remote), saved = errno;
	close(mem);
	errno = saved;
	return ret;
}
`},
	{`\bset_tmpfs\(`, `
// FSCONFIG_SET_STRING of a tmpfs that is never made.
static long set_tmpfs(void *key, void *value)
{
	int fs = syscall(SYS_fsopen, "tmpfs", 0);
	long ret = syscall(SYS_fsconfig, fs, 1, key, value, 0), saved = errno;
	close(fs);
	errno = saved;
	return ret;
}
`},
	{`\bexecute_text\(`, `
// Execute a file that is no program. What is open for writing is not executed, so it is opened once more.
static long execute_text(char **argv)
{
	char path[32];
	int made = memfd_create("text", 0), text = -1;
	sprintf(path, "/proc/self/fd/%d", made);
	if (write(made, "This file is no program.", 24) == 24)
		text = open(path, O_RDONLY);
	close(made);
	sprintf(path, "/proc/self/fd/%d", text);
	long ret = execve(path, argv, NULL), saved = errno;
	close(text);
	errno = saved;
	return ret;
}
`},
}
