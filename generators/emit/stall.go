package emit

import (
	"fmt"
	"slices"
	"strings"

	"faultline/generators/prog"
)

// Stalls in C: what is known of each lies in shared memory, so that another process can serve it too.

// stallOf is the C name of what is known of the stall that a step names: one of its own process, or the only one of that name in another.
func (g *writer) stallOf(s *prog.Step) string {
	name := s.Args[0].(prog.Buf).Ranges[0].Of
	if o := g.objects[g.ident(s, name)]; o != nil && o.stall != "" {
		return o.stall
	}
	at := slices.IndexFunc(g.order, func(o *object) bool { return o.stall != "" && o.called == name })
	if at < 0 {
		return "NULL" // only in a program that is not valid
	}
	return g.order[at].stall
}

// within is the range of a step on a stall, as two offsets.
func (g *writer) within(s *prog.Step) string {
	r := s.Args[0].(prog.Buf).Ranges[0]
	from, to := r.From, r.To
	if r.Whole {
		stall := g.stallOf(s)
		for _, o := range g.order {
			if o.stall == stall {
				from, to = prog.Size{}, o.length
			}
		}
	}
	return size(from) + ", " + size(to)
}

func (g *writer) stall(t *text, s *prog.Step) {
	name := g.ident(s, s.Makes)
	n := size(g.objects[name].length)
	addr, fixed := g.place(n)
	t.made(name, fmt.Sprintf("stall(%s, mmap(%s, %s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS%s, -1, 0), %s, UFFDIO_REGISTER_MODE_MISSING)",
		g.objects[name].stall, addr, n, fixed, n), s)
}

func (g *writer) guard(t *text, s *prog.Step) {
	g.anon(t, s)
	name := g.ident(s, s.Makes)
	t.step(fmt.Sprintf("stall(%s, %s, %s, UFFDIO_REGISTER_MODE_WP)", g.objects[name].stall, name, size(g.objects[name].length)), "ret != -1")
}

func (g *writer) stalled(t *text, s *prog.Step) {
	t.step(fmt.Sprintf("stalled(%s, %s)", g.stallOf(s), g.within(s)), wanted(s.Want, "ret", "ret >= 0"))
}

// letGo writes the steps that end the wait of whoever is stopped.
func (g *writer) letGo(t *text, s *prog.Step) {
	request := map[string]string{"poison": "UFFDIO_POISON", "unregister": "UFFDIO_UNREGISTER", "serve": "UFFDIO_ZEROPAGE"}[s.Op]
	bytes := "NULL"
	for _, o := range g.order {
		if s.Op == "serve" && o.stall == g.stallOf(s) && o.guard {
			request = "UFFDIO_WRITEPROTECT"
		}
	}
	if len(s.Args) > 1 {
		request, bytes = "UFFDIO_COPY", "bytes"
		data := s.Args[1].(prog.Data)
		t.line("char *bytes = malloc(%s);", size(data.Len()))
		var off prog.Size
		for _, run := range data {
			t.line("%s;", g.bytes(at(bytes, off), run))
			off = off.Plus(run.Len)
		}
	}
	t.step(fmt.Sprintf("let_go(%s, %s, %s, %s)", g.stallOf(s), g.within(s), request, bytes), wanted(s.Want, "ret", "ret == 0"))
	if len(s.Args) > 1 {
		t.block()
	}
}

// serveStruct lays the struct out in memory as long as the stall.
func (g *writer) serveStruct(t *text, s *prog.Step) {
	end := s.Args[0].(prog.Buf).Ranges[0].To
	stall := g.stallOf(s)
	for _, o := range g.order {
		if o.stall == stall {
			end = o.length
		}
	}
	v := s.Args[2].(prog.Value)
	from, _, _ := strings.Cut(g.within(s), ", ")
	t.line("char *bytes = calloc(1, %s);", size(end))
	t.line("memcpy(%s, &%s, %d);", at("bytes", s.Args[1].(prog.Size)), g.literal(s, v), prog.Structs[v.Struct].Size)
	t.step(fmt.Sprintf("let_go(%s, %s, UFFDIO_COPY, bytes + %s)", stall, g.within(s), from), wanted(s.Want, "ret", "ret == 0"))
	t.block()
}

// guardStruct writes zeros and the struct before the memory is guarded.
func (g *writer) guardStruct(t *text, s *prog.Step) {
	name, v := g.ident(s, s.Makes), s.Args[2].(prog.Value)
	n := size(g.objects[name].length)
	addr, fixed := g.place(n)
	t.made(name, fmt.Sprintf("mmap(%s, %s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS%s, -1, 0)", addr, n, fixed), s)
	t.line("memset(%s, 0, %s);", name, n)
	t.line("memcpy(%s, &%s, %d);", at(name, s.Args[1].(prog.Size)), g.literal(s, v), prog.Structs[v.Struct].Size)
	t.step(fmt.Sprintf("stall(%s, %s, %s, UFFDIO_REGISTER_MODE_WP)", g.objects[name].stall, name, n), "ret != -1")
}

// munmap wakes those who were stopped in what is gone.
func (g *writer) munmap(t *text, s *prog.Step) {
	r := s.Args[0].(prog.Buf).Ranges[0]
	t.step(fmt.Sprintf("munmap(%s, %s)", g.pointer(s, r), size(g.length(s, r))), wanted(s.Want, "ret", "ret >= 0"))
	if o := g.objects[g.ident(s, r.Of)]; o != nil && o.stall != "" {
		t.line("let_go(%s, %s, UFFDIO_WAKE, NULL);", o.stall, g.within(s))
	}
}

// proceeds waits a second for all that an actor was released to do, and leaves the semaphore as it is.
func (g *writer) proceeds(t *text, s *prog.Step) {
	actor := string(s.Args[0].(prog.Name))
	t.step(fmt.Sprintf("proceeds(%s, %d)", actor, g.unjoined[actor]), wanted(s.Want, "ret", "ret == 0"))
}

// stalls makes what is known of stalls, before there are other processes.
func (g *writer) stalls() (t text) {
	for _, o := range g.order {
		if o.stall != "" {
			t.line("%s = mmap(NULL, sizeof(struct stall), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);", o.stall)
		}
	}
	return t
}

var stallHelpers = []helper{
	{`\bUFFDIO_POISON\b`, "#ifndef UFFDIO_POISON\n#define UFFDIO_POISON _IOWR(UFFDIO, 8, __u64[4]) // Linux 6.6\n#endif\n"},
	{`\bstruct stall\b`, `
struct stall { char *volatile at; int fd, pid; volatile unsigned long seen; };

// A descriptor of the userfaultfd, whichever process has it.
static int uffd_of(struct stall *s)
{
	int fd = s->fd;
	if (s->pid == getpid())
		return dup(fd);
	int pid = syscall(SYS_pidfd_open, s->pid, 0);
	fd = syscall(SYS_pidfd_getfd, pid, fd, 0);
	close(pid);
	return fd;
}
`},
	{`\bstall\(`, `
// Whoever touches the memory first (or writes to it, with UFFDIO_REGISTER_MODE_WP) is stopped.
static char *stall(struct stall *s, char *p, long n, int mode)
{
	int wp = mode == UFFDIO_REGISTER_MODE_WP;
	struct uffdio_api api = {.api = UFFD_API, .features = wp ? UFFD_FEATURE_PAGEFAULT_FLAG_WP : 0};
	struct uffdio_register all = {.range = {(long)p, n}, .mode = mode};
	struct uffdio_writeprotect protect = {.range = all.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
	if (p == MAP_FAILED)
		return p;
	s->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (s->fd < 0 || ioctl(s->fd, UFFDIO_API, &api))
		err(2, "cannot stop system calls: needs userfaultfd(2), as root or with vm.unprivileged_userfaultfd=1");
	if (ioctl(s->fd, UFFDIO_REGISTER, &all) || (wp && ioctl(s->fd, UFFDIO_WRITEPROTECT, &protect)))
		return MAP_FAILED;
	s->pid = getpid();
	s->at = p;
	return p;
}
`},
	{`\bstalled\(`, `
// Wait until somebody is stopped in the range, ten seconds at most.
static long stalled(struct stall *s, long from, long to)
{
	struct uffd_msg m;
	for (int tries = 0; tries < 10000; tries++, usleep(1000)) {
		if (!s->at)
			continue;
		int fd = uffd_of(s);
		while (read(fd, &m, sizeof m) == sizeof m)
			s->seen |= 1ul << (m.arg.pagefault.address - (long)s->at) / P;
		close(fd);
		for (long i = from / P; i < to / P; i++)
			if (s->seen >> i & 1)
				return i * P;
	}
	errno = ESRCH;
	return -1;
}
`},
	{`\blet_go\(`, `
static long let_go(struct stall *s, long from, long to, unsigned long request, const char *bytes)
{
	while (!s->at)
		usleep(100);
	unsigned long range[5] = {(long)s->at + from, to - from}, copy[5] = {range[0], (long)bytes, range[1]};
	int fd = uffd_of(s);
	for (long i = from / P; i < to / P; i++)
		s->seen &= ~(1ul << i);
	long ret = ioctl(fd, request, bytes ? copy : range);
	ioctl(fd, UFFDIO_WAKE, (unsigned long[]){range[0], range[1]});
	close(fd);
	return ret;
}
`},
	{`\bproceeds\(`, `
static int proceeds(struct actor *a, int steps)
{
	for (int tries = 0, done; tries < 1000; tries++, usleep(1000))
		if (sem_getvalue(&a->done, &done) == 0 && done >= steps)
			return 0;
	errno = EAGAIN;
	return -1;
}
`},
}

func init() { helpers = append(helpers, stallHelpers...) }
