// example/mprotect
// mprotect(2): a page without permission is like one that is not mapped, until the permission comes back.
// needs prot-none
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
#define PAT(n) (256 + (n)) // bytes that tell pattern and offset
static __thread char why[64];

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

static int byte(int what, long i)
{
	unsigned long z = (i / 8) * 0x9e3779b97f4a7c15 + (what - 256) * 0xd1342543de82ef95 + 1;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	z = (z ^ z >> 31) >> 8 * (i % 8) & 255;
	return what < 256 ? what : z ? (int)z : 1;
}

static char *fill(char *p, long n, int what, long from)
{
	for (long i = 0; i < n; i++)
		p[i] = byte(what, from + i);
	return p;
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

static long load(const volatile char *p, long n)
{
	if (sigsetjmp(jump, 1))
		return -trapped;
	armed = 1;
	for (long i = 0; i < n; i++)
		(void)p[i];
	armed = 0;
	return n;
}

static int is(const char *p, long n, int what, long from)
{
	for (long i = 0; i < n; i++)
		if ((p[i] & 255) != byte(what, from + i))
			return sprintf(why, ": byte %ld of %ld is 0x%02x", i, n, p[i] & 255), 0;
	return 1;
}

// An address with nothing accessible on either side of n bytes.
static char *room(long n)
{
	char *p = mmap(NULL, n + (2 << 16), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	STEP(p, ret != -1);
	return p + (1 << 16);
}

static int fd, d;
static char *b;

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	signal(SIGBUS, trap);
	signal(SIGSEGV, trap);
	// file A = pat1*2p
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, fill(malloc(2 * P), 2 * P, PAT(1), 0), 2 * P, 0), ret == 2 * P);
	close(fd);
	STEP(d = open("A", O_RDONLY), ret >= 0);
	STEP(b = mmap(room(2 * P), 2 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ret != -1);
	fill(b, 2 * P, 'b', 0);
	STEP(mprotect(b + P, P, PROT_NONE), ret >= 0);
	STEP(load(b + P, P), ret == -SIGSEGV);
	STEP(pread(d, b + P, P, 0), err == EFAULT);
	STEP(mprotect(b + P, P, PROT_READ), ret >= 0);
	STEP(load(b, 2 * P), ret == 2 * P);
	// The kernel cannot write here either.
	{
		char *bytes = malloc(1);
		fill(bytes, 1, 'x', 0);
		STEP(store(b + P, bytes, 1), ret == -SIGSEGV);
	}
	STEP(pread(d, b + P, P, 0), err == EFAULT);
	STEP(mprotect(b + P, P, PROT_READ | PROT_WRITE), ret >= 0);
	STEP(pread(d, b + P, P, 0), ret == P);
	STEP(is(b, P, 'b', 0) && is(b + P, P, PAT(1), 0), ret == 1);
	return 0;
}
