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
	"uring_read": (*writer).uring, "uring_write": (*writer).uring, "uring_readv": (*writer).uring, "uring_writev": (*writer).uring,
	"uring_read_fixed": (*writer).uring, "uring_write_fixed": (*writer).uring,
	"io_setup": (*writer).aio, "io_submit": (*writer).aio, "io_getevents": (*writer).aio,
	"pipe": (*writer).pipe, "vmsplice": (*writer).plainSplice, "tee": (*writer).plainSplice, "splice_from": (*writer).splice, "splice_to": (*writer).splice,
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

// uring hands opcode and arguments to a helper, whose errors are those of the request.
func (g *writer) uring(t *text, s *prog.Step) {
	args := g.args(t, s, 0)
	op := "IORING_OP_" + strings.ToUpper(strings.TrimPrefix(s.Op, "uring_"))
	t.step("uring("+op+", "+strings.Join(args, ", ")+")", wanted(s.Want, "ret", "ret >= 0"))
}

// uringHelper sets up a ring for every request: that is slow, and short.
var uringHelper = helper{`\buring\(`, `
static long uring(int op, int fd, const void *p, long n, long off)
{
	struct io_uring_params q = {0};
	int ring = syscall(SYS_io_uring_setup, 4, &q);
	char *m = mmap(NULL, q.cq_off.cqes + q.cq_entries * 16 + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
	struct io_uring_sqe *e = mmap(NULL, 4 * sizeof *e, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	struct iovec fixed = {(void *)p, n};
	long ret = -1;
	if (ring < 0 || m == MAP_FAILED || (void *)e == MAP_FAILED)
		err(2, "io_uring");
	*e = (struct io_uring_sqe){.opcode = op, .fd = fd, .addr = (long)p, .len = n, .off = off};
	*(unsigned *)(m + q.sq_off.array) = 0;
	*(unsigned *)(m + q.sq_off.tail) = 1;
	if ((op != IORING_OP_READ_FIXED && op != IORING_OP_WRITE_FIXED) || syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &fixed, 1) == 0)
		if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1)
			ret = ((struct io_uring_cqe *)(m + q.cq_off.cqes))->res;
	if (ret < -1 || (ret == -1 && *(unsigned *)(m + q.cq_off.tail) == 1)) {
		errno = -ret;
		ret = -1;
	}
	int saved = errno;
	close(ring);
	errno = saved;
	return ret;
}
`}

// aio hands memory to a helper with a context of its own for every thread.
func (g *writer) aio(t *text, s *prog.Step) {
	r := s.Args[0].(prog.Buf).Ranges[0]
	n := size(g.length(s, r))
	p := "(void *)(" + g.pointer(s, r) + ")"
	call := map[string]string{
		"io_setup":     "aio_setup(" + p + ")",
		"io_submit":    "syscall(SYS_io_submit, *aio_context(), (" + n + ") / 8, " + p + ")",
		"io_getevents": "syscall(SYS_io_getevents, *aio_context(), 1, (" + n + ") / 32, " + p + ", NULL)",
	}[s.Op]
	t.step(call, wanted(s.Want, "ret", "ret >= 0"))
}

var aioHelpers = []helper{
	{`\baio_setup\(`, `
static long aio_setup(aio_context_t *p)
{
	long ret = syscall(SYS_io_setup, 8, p);
	return ret < 0 ? ret : syscall(SYS_io_destroy, *p);
}
`},
	{`\baio_context\(`, `
static aio_context_t *aio_context(void)
{
	static __thread aio_context_t context;
	if (!context)
		STEP(syscall(SYS_io_setup, 8, &context), ret == 0);
	return &context;
}
`},
}

func (g *writer) pipe(t *text, s *prog.Step) { t.made(g.ident(s, s.Makes), "new_pipe()", s) }

func (g *writer) plainSplice(t *text, s *prog.Step) {
	t.step(s.Op+"("+strings.Join(g.args(t, s, len(*t)), ", ")+", SPLICE_F_NONBLOCK)", wanted(s.Want, "ret", "ret >= 0"))
}

// splice has an offset for the file only.
func (g *writer) splice(t *text, s *prog.Step) {
	out, offset, where := 2, 1, "%s, %s, %s, NULL"
	if s.Op == "splice_to" {
		out, offset, where = 1, 2, "%s, NULL, %[3]s, %[2]s"
	}
	ends := fmt.Sprintf(where, g.ident(s, string(s.Args[0].(prog.Name))), g.offset(s, offset), g.ident(s, string(s.Args[out].(prog.Name))))
	t.step(fmt.Sprintf("splice(%s, %s, SPLICE_F_NONBLOCK)", ends, size(s.Args[3].(prog.Size))), wanted(s.Want, "ret", "ret >= 0"))
}

var pipeHelper = helper{`\bnew_pipe\(`, `
// One descriptor for both ends of a pipe that does not block.
static int new_pipe(void)
{
	int ends[2], fd = -1;
	char *path;
	if (pipe(ends) == 0 && asprintf(&path, "/proc/self/fd/%d", ends[0]) > 0)
		fd = open(path, O_RDWR | O_NONBLOCK);
	close(ends[0]);
	close(ends[1]);
	return fd;
}
`}
