package emit

import (
	"regexp"
	"slices"
	"strings"

	"faultline/generators/prog"
)

// dialect is what a program asks of the C code around it. Short programs ask for little.
type dialect struct {
	// patterns: bytes of patterns are written or compared; otherwise every run is one byte repeated.
	patterns bool
	// compares: bytes are.
	compares bool
	// signals: a load or a store may end in one.
	signals bool
	// apart: mappings lie apart, with nothing accessible between them.
	apart bool
	// threads and processes: there are actors of the kind.
	threads, processes bool
	libraries          string
}

func dialectOf(p *prog.Prog) (d dialect) {
	data := func(all ...prog.Data) {
		for _, one := range all {
			for _, r := range one {
				d.patterns = d.patterns || len(r.May) > 1 || r.May[0].Kind == prog.Pattern
			}
		}
	}
	for _, f := range p.Files {
		data(f.Data)
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		d.processes = d.processes || s.Process()
		d.threads = d.threads || s.Actor != "" && !s.Process()
		d.signals = d.signals || slices.ContainsFunc(s.Want, func(o prog.Outcome) bool { return isSignal(o.Err) })
		for _, a := range s.Args {
			switch a := a.(type) {
			case prog.Data:
				data(a)
			case prog.Alts:
				data(a...)
				d.compares = true
			case prog.Buf:
				d.apart = d.apart || slices.ContainsFunc(a.Ranges, func(r prog.Range) bool { return r.Faults && r.Of != prog.Bad })
			}
		}
	}
	if d.threads || d.processes {
		d.libraries = " -lpthread"
	}
	return d
}

func isSignal(name string) bool { return strings.HasPrefix(name, "SIG") }

// headers are included when the code has one of the marks, or always.
var headers = []struct {
	name  string
	marks []string
}{
	{"err.h", nil},
	{"dirent.h", []string{"getdents64("}},
	{"elf.h", []string{"Elf64_"}},
	{"errno.h", nil},
	{"fcntl.h", nil},
	{"linux/userfaultfd.h", []string{"UFFD"}},
	{"pthread.h", []string{"pthread_"}},
	{"semaphore.h", []string{"sem_"}},
	{"setjmp.h", []string{"sigjmp_buf"}},
	{"signal.h", []string{"signal(", "SIGKILL", "-SIG"}},
	{"stdio.h", []string{"printf(", "FILE"}},
	{"stdlib.h", nil},
	{"string.h", nil},
	{"sys/ioctl.h", []string{"ioctl("}},
	{"sys/sendfile.h", []string{"sendfile("}},
	{"sys/xattr.h", []string{"xattr("}},
	{"sys/mman.h", []string{"mmap(", "MAP_FAILED", "memfd_create("}},
	{"linux/futex.h", []string{"FUTEX_"}},
	{"sys/mount.h", []string{"umount2(", "(mount("}},
	{"sys/prctl.h", []string{"prctl("}},
	{"sys/ptrace.h", []string{"ptrace("}},
	{"sys/resource.h", []string{"rlimit"}},
	{"sys/stat.h", []string{"struct stat", "mkdir(", "statx(", "fstat("}},
	{"sys/statfs.h", []string{"statfs"}},
	{"sys/syscall.h", []string{"syscall("}},
	{"linux/io_uring.h", []string{"io_uring_"}},
	{"sys/uio.h", []string{"struct iovec"}},
	{"sys/wait.h", []string{"waitpid(", "WEXITSTATUS"}},
	{"time.h", []string{"struct timespec"}},
	{"unistd.h", nil},
}

// helper is a piece of C that is written when something behind it matches the mark, a regular expression.
type helper struct{ mark, code string }

// helpers writes those that the code uses, and those that they use. An earlier one may be used by later ones.
func (d dialect) helpers(code string) string {
	all := ""
	for _, h := range slices.Backward(slices.Concat(helpers, structHelpers, []helper{uringHelper, pipeHelper, pathHelper}, aioHelpers, taskHelpers, twinHelpers)) {
		if regexp.MustCompile(h.mark).MatchString(all + code) {
			all = d.adapt(h.code) + all
		}
	}
	return all
}

// adapt leaves out of a helper what the program does not ask for.
func (d dialect) adapt(code string) string {
	leave := []string{"\tTRAP\n", "", "\tTRAPPED\n", ""}
	if d.signals {
		leave = []string{"\tTRAP\n", "\tif (sigsetjmp(jump, 1))\n\t\treturn -trapped;\n\tarmed = 1;\n", "\tTRAPPED\n", "\tarmed = 0;\n"}
	}
	if !d.patterns {
		leave = append(leave, ", long from)", ")", "byte(what, from + i)", "what")
	}
	if !d.compares {
		leave = append(leave, "\t*why = 0; \\\n", "", "wanted %s%s", "wanted %s", "#ok, why", "#ok")
	}
	return strings.NewReplacer(leave...).Replace(code)
}

var helpers = []helper{
	{`\bP\b`, "#define P sysconf(_SC_PAGESIZE)\n"},
	{`\bPAT\(`, "#define PAT(n) (256 + (n)) // bytes that tell pattern and offset\n"},
	{`\bbad\b`, "#define bad ((char *)0x100000000000) // nothing is ever mapped here\n"},
	{`\bAWAIT\(`, "#define AWAIT(object, unset) while (*(__typeof__(object) volatile *)&object == unset) usleep(100)\n"},
	{`\bwhy\b`, "static __thread char why[64];\n"},
	{`\bslurp\(`, "static __thread char *file;\n"},
	{`&st\b`, "static __thread struct stat st;\n"},
	{`\bSTEP\(`, `
#define STEP(call, ok) do { \
	*why = 0; \
	long ret = (long)(call), err = ret == -1 ? errno : 0; \
	if (!(ok)) \
		errx(1, "line %d: %s = %ld (%s), wanted %s%s", __LINE__, #call, ret, strerror(err), #ok, why); \
} while (0)
`},
	{`\b(trap|jump)\b`, `
static __thread sigjmp_buf jump;
static __thread volatile int armed, trapped;

static void trap(int sig)
{
	if (armed) {
		armed = 0;
		trapped = sig;
		siglongjmp(jump, 1);
	}
	signal(sig, SIG_DFL);
}
`},
	{`\bbyte\(`, `
static int byte(int what, long i)
{
	unsigned long z = (i / 8) * 0x9e3779b97f4a7c15 + (what - 256) * 0xd1342543de82ef95 + 1;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	z = (z ^ z >> 31) >> 8 * (i % 8) & 255;
	return what < 256 ? what : z ? (int)z : 1;
}
`},
	{`\bfill\(`, `
static char *fill(char *p, long n, int what, long from)
{
	for (long i = 0; i < n; i++)
		p[i] = byte(what, from + i);
	return p;
}
`},
	{`\bstore\(`, `
static long store(volatile char *p, const char *from, long n)
{
	if (sigsetjmp(jump, 1))
		return -trapped;
	armed = 1;
	for (long i = 0; i < n; i++)
		p[i] = from[i];
	armed = 0;
	return n;
}
`},
	{`\bload\(`, `
static long load(const volatile char *p, long n)
{
	TRAP
	for (long i = 0; i < n; i++)
		(void)p[i];
	TRAPPED
	return n;
}
`},
	{`\bis\(`, `
static int is(const char *p, long n, int what, long from)
{
	for (long i = 0; i < n; i++)
		if ((p[i] & 255) != byte(what, from + i))
			return sprintf(why, ": byte %ld of %ld is 0x%02x", i, n, p[i] & 255), 0;
	return 1;
}
`},
	{`\bmix\(`, `
static int mix(const char *p, long n, int k, const long *may)
{
	for (long i = 0, m; i < n; i++) {
		for (m = 0; m < k && byte(may[2 * m], may[2 * m + 1] + i) != (p[i] & 255); m++)
			;
		if (m == k)
			return sprintf(why, ": byte %ld of %ld is 0x%02x", i, n, p[i] & 255), 0;
	}
	return 1;
}
`},
	{`\bslurp\(`, `
static long slurp(const char *name, long n)
{
	int fd = open(name, O_RDONLY);
	file = realloc(file, n);
	n = pread(fd, file, n, 0);
	close(fd);
	return n;
}
`},
	{`\bdrop_caches\(`, `
static int drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	sync();
	return fd < 0 || write(fd, "3", 1) != 1 || close(fd) ? -1 : 0;
}
`},
	{`\bsync_all\(`, `
static int sync_all(void)
{
	sync();
	return 0;
}
`},
	{`\bfreeze\(`, `
// FIFREEZE and FITHAW of linux/fs.h, which does not go with sys/mount.h. A child thaws if we end in between.
static int freeze(int fd)
{
	int p[2], ret = pipe(p);
	char c;
	if (ret == 0 && fork() == 0) {
		setsid();
		close(p[1]);
		if (read(p[0], &c, 1) < 1)
			ioctl(fd, _IOWR('X', 120, int), 0);
		_exit(0);
	}
	ret = ioctl(fd, _IOWR('X', 119, int), 0);
	if (ret == 0)
		ret = ioctl(fd, _IOWR('X', 120, int), 0);
	if (write(p[1], "", 1) == 1)
		close(p[1]);
	close(p[0]);
	return ret;
}
`},
	{`\bumount_busy\(`, `
// Unmount what fd is on. /proc tells where that is without a touch of the file system.
static int umount_busy(int fd)
{
	char line[4096], point[4096] = "", name[64];
	int mount = -1, n;
	FILE *f;
	sprintf(name, "/proc/self/fdinfo/%d", fd);
	for (f = fopen(name, "r"); f && fgets(line, sizeof line, f);)
		sscanf(line, "mnt_id: %d", &mount);
	if (f)
		fclose(f);
	for (f = fopen("/proc/self/mountinfo", "r"); f && fgets(line, sizeof line, f);)
		if (sscanf(line, "%d %*s %*s %*s %4095s", &n, point) == 2 && n == mount)
			break;
	if (f)
		fclose(f);
	return umount2(point, UMOUNT_NOFOLLOW);
}
`},
	{`\belsewhere\(`, `
static char *elsewhere(const char *dir, const char *name)
{
	char *path;
	STEP(asprintf(&path, "%s/repro-%d-%s", realpath(dir, NULL), getpid(), name), ret > 0);
	return path;
}
`},
	{`\broom\(`, `
// An address with nothing accessible on either side of n bytes.
static char *room(long n)
{
	char *p = mmap(NULL, n + (2 << 16), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	STEP(p, ret != -1);
	return p + (1 << 16);
}
`},
	{`\bstruct actor\b`, `
struct actor { sem_t go, done; };

static struct actor *new_actor(void)
{
	struct actor *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sem_init(&a->go, 1, 0);
	sem_init(&a->done, 1, 0);
	return a;
}
`},
	{`\bstart_thread\(`, `
static struct actor *start_thread(void *(*steps)(void *))
{
	struct actor *a = new_actor();
	pthread_t thread;
	STEP(pthread_create(&thread, NULL, steps, a), ret == 0);
	return a;
}
`},
	{`\bstart_process\(`, `
static struct actor *start_process(void *(*steps)(void *))
{
	struct actor *a = new_actor();
	pid_t pid;
	STEP(pid = fork(), ret >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		steps(a);
	}
	return a;
}
`},
	{`\bfailed\b`, `
static void failed(int sig)
{
	_exit(sig ? 1 : 0);
}
`},
}
