package emit

import (
	"fmt"

	"faultline/generators/prog"
)

// twinPerformers write calls on a copy of the process, on memory that the kernel writes by itself, and on the device of FUSE.
var twinPerformers = map[string]func(*writer, *text, *prog.Step){
	"ptrace_peek": (*writer).twin, "ptrace_poke": (*writer).poke, "coredump": (*writer).twin, "rseq": (*writer).twin, "fuse_read": (*writer).twin, "fuse_notify": (*writer).twin,
}

func (g *writer) twin(t *text, s *prog.Step) {
	var call string
	switch s.Op {
	case "ptrace_peek":
		call = fmt.Sprintf("traced(PTRACE_PEEKDATA, %s, %s)", g.offset(s, 1), g.offset(s, 0))
	case "coredump":
		call = fmt.Sprintf("dumped(%s, %s, %s)", g.offset(s, 0), g.offset(s, 1), size(g.length(s, s.Args[0].(prog.Buf).Ranges[0])))
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
	{`\bdumped\(`, `
// Let a copy of this process die with a core in a directory of its own, and read what the core has of n bytes of memory.
static long dumped(void *to, const char *remote, long n)
{
	char dir[] = "core-XXXXXX", name[64], uses_pid[2] = "";
	Elf64_Ehdr head = {0};
	Elf64_Phdr part;
	long ret = -1;
	pid_t pid = mkdtemp(dir) ? fork() : -1;
	if (pid == 0) {
		int filter = open("/proc/self/coredump_filter", O_WRONLY);
		setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
		if (chdir(dir) == 0 && write(filter, "0xff", 4) == 4)
			abort();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	int setting = open("/proc/sys/kernel/core_uses_pid", O_RDONLY);
	if (read(setting, uses_pid, 1) == 1 && *uses_pid == '1')
		sprintf(name, "%s/core.%d", dir, pid);
	else
		sprintf(name, "%s/core", dir);
	close(setting);
	int core = open(name, O_RDONLY);
	unlink(name);
	rmdir(dir);
	if (pread(core, &head, sizeof head, 0) == sizeof head)
		for (int i = 0; i < head.e_phnum && pread(core, &part, sizeof part, head.e_phoff + i * sizeof part) == sizeof part; i++)
			if (part.p_type == PT_LOAD && part.p_vaddr <= (unsigned long)remote && (unsigned long)remote + n <= part.p_vaddr + part.p_filesz)
				ret = pread(core, to, n, part.p_offset + (unsigned long)remote - part.p_vaddr);
	int saved = errno;
	close(core);
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
