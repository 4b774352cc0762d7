// example/store
// The processor writes, page by page upwards. A store that meets a signal leaves the pages before it written.
// needs shared-mmap
// cc -O1 -o repro repro.c && ./repro DIR
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define P sysconf(_SC_PAGESIZE)
static __thread char why[64];
static __thread char *file;

#define STEP(call, ok) do { \
	*why = 0; \
	long ret = (long)(call), err = ret == -1 ? errno : 0; \
	if (!(ok)) \
		errx(1, "line %d: %s = %ld (%s), wanted %s%s", __LINE__, #call, ret, strerror(err), #ok, why); \
} while (0)

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

static int is(const char *p, long n, int what)
{
	for (long i = 0; i < n; i++)
		if ((p[i] & 255) != what)
			return sprintf(why, ": byte %ld of %ld is 0x%02x", i, n, p[i] & 255), 0;
	return 1;
}

static long slurp(const char *name, long n)
{
	int fd = open(name, O_RDONLY);
	file = realloc(file, n);
	n = pread(fd, file, n, 0);
	close(fd);
	return n;
}

// An address with nothing accessible on either side of n bytes.
static char *room(long n)
{
	char *p = mmap(NULL, n + (2 << 16), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	STEP(p, ret != -1);
	return p + (1 << 16);
}

static int fd, d;
static char *m, *r;

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	signal(SIGBUS, trap);
	signal(SIGSEGV, trap);
	// file A = hole*2p
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(ftruncate(fd, 2 * P), ret == 0);
	close(fd);
	STEP(d = open("A", O_RDWR), ret >= 0);
	STEP(m = mmap(room(3 * P), 3 * P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, d, 0), ret != -1);
	{
		char *bytes = malloc(10);
		memset(bytes, 's', 10);
		STEP(store(m + 10, bytes, 10), ret == 10);
	}
	{
		char *bytes = malloc(2 * P);
		memset(bytes, 't', 2 * P);
		STEP(store(m + P, bytes, 2 * P), ret == -SIGBUS);
	}
	STEP(slurp("A", 2 * P + 1), ret == 2 * P
		&& is(file, 10, 0)
		&& is(file + 10, 10, 's')
		&& is(file + 20, P - 20, 0)
		&& is(file + P, P, 't'));
	STEP(r = mmap(room(P), P, PROT_READ, MAP_SHARED | MAP_FIXED, d, 0), ret != -1);
	{
		char *bytes = malloc(1);
		memset(bytes, 'x', 1);
		STEP(store(r, bytes, 1), ret == -SIGSEGV);
	}
	return 0;
}
