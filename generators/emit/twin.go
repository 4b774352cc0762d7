package emit

import (
	"fmt"

	"faultline/generators/prog"
)

// twinPerformers write calls on a copy of the process, on memory that the kernel writes by itself, and on the device of FUSE.
var twinPerformers = map[string]func(*writer, *text, *prog.Step){
	"ptrace_peek": (*writer).twin, "ptrace_poke": (*writer).poke, "rseq": (*writer).twin, "fuse_read": (*writer).twin, "fuse_notify": (*writer).twin,
}

func (g *writer) twin(t *text, s *prog.Step) {
	var call string
	switch s.Op {
	case "ptrace_peek":
		call = fmt.Sprintf("traced(PTRACE_PEEKDATA, %s, %s)", g.offset(s, 1), g.offset(s, 0))
	case "rseq":
		call = fmt.Sprintf("register_rseq(%s)", g.offset(s, 0))
	case "fuse_read":
		iov := g.memory(t, s, len(*t), s.Args[0].(prog.Buf))
		call = fmt.Sprintf("on_fuse(0, %s, %s)", iov[0], iov[1])
	case "fuse_notify":
		r := s.Args[0].(prog.Buf).Ranges[0]
		call = fmt.Sprintf("on_fuse(1, &(struct iovec){%s, %s}, 1)", g.pointer(s, r), size(g.length(s, r)))
	}
	t.step(call, wanted(s.Want, "ret", "ret >= 0"))
}

// poke hands over a word.
func (g *writer) poke(t *text, s *prog.Step) {
	t.line("void *word;")
	var off prog.Size
	for _, run := range s.Args[1].(prog.Data) {
		t.line("%s;", g.bytes(at("(char *)&word", off), run))
		off = off.Plus(run.Len)
	}
	t.step(fmt.Sprintf("traced(PTRACE_POKEDATA, %s, word)", g.offset(s, 0)), wanted(s.Want, "ret", "ret >= 0"))
	t.block()
}

var twinHelpers = []helper{
	{`\btraced\(`, `
// A request of ptrace(2) to a copy of this process that is stopped. The call of the kernel's own has an address for what it reads.
static long traced(int request, void *remote, void *data)
{
	pid_t pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, WUNTRACED);
	long ret = syscall(SYS_ptrace, request, pid, remote, data), saved = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	errno = saved;
	return ret;
}
`},
	{`\bregister_rseq\(`, `
// The C library has registered memory for this thread; who shares our memory after vfork(2) has none.
static long register_rseq(void *p)
{
	int status = 0;
	if (vfork() == 0)
		_exit(syscall(SYS_rseq, p, 32, 0, 1) || syscall(SYS_rseq, p, 32, 1, 1) ? errno : 0);
	wait(&status);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
	return errno ? -1 : 0;
}
`},
	{`\bon_fuse\(`, `
// Read from or write to the device of a FUSE file system that nobody mounts. Before it takes a notification its first request is answered.
static long on_fuse(int writes, const struct iovec *iov, int n)
{
	int dev = open("/dev/fuse", O_RDWR | O_NONBLOCK), fs = syscall(SYS_fsopen, "fuse", 0);
	char number[16];
	sprintf(number, "%d", dev);
	const char *options[][2] = {{"fd", number}, {"rootmode", "40000"}, {"user_id", "0"}, {"group_id", "0"}};
	for (int i = 0; i < 4; i++)
		syscall(SYS_fsconfig, fs, 1, options[i][0], options[i][1], 0);
	syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0); // FSCONFIG_CMD_CREATE
	if (writes) {
		static char request[8192], answer[80] = {[0] = sizeof answer, [16] = 7, [20] = 31};
		if (read(dev, request, sizeof request) > 16)
			memcpy(answer + 8, request + 8, 8);
		if (write(dev, answer, sizeof answer) != sizeof answer)
			err(2, "FUSE_INIT");
	}
	long ret = writes ? writev(dev, iov, n) : readv(dev, iov, n), saved = errno;
	close(fs);
	close(dev);
	errno = saved;
	return ret;
}
`},
}
