// example/put
// put writes a struct into memory, such as the argument of a later call. What it refers to is written as a number: a descriptor, an address.
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
#include <linux/fs.h>

struct loff {
	long offset;
};
struct pointer {
	void *to;
};

#define P sysconf(_SC_PAGESIZE)
#define PAT(n) (256 + (n)) // bytes that tell pattern and offset
#define bad ((char *)0x100000000000) // nothing is ever mapped here
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

static int is(const char *p, long n, int what, long from)
{
	for (long i = 0; i < n; i++)
		if ((p[i] & 255) != byte(what, from + i))
			return sprintf(why, ": byte %ld of %ld is 0x%02x", i, n, p[i] & 255), 0;
	return 1;
}

static int fd, d;
static char *m, *b;

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	signal(SIGBUS, trap);
	signal(SIGSEGV, trap);
	// file A = pat1*1p
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, fill(malloc(P), P, PAT(1), 0), P, 0), ret == P);
	close(fd);
	STEP(d = open("A", O_RDWR), ret >= 0);
	STEP(m = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, d, 0), ret != -1);
	STEP(b = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ret != -1);
	fill(b, P, 'b', 0);
	STEP(store(b + 100, (char *)&(struct file_clone_range){.src_fd = d, .src_length = P}, 32), ret == 32);
	STEP(((struct file_clone_range *)(b + 100))->src_offset, ret == 0);
	STEP(((struct file_clone_range *)(b + 100))->src_length, ret == P);
	STEP(((struct file_clone_range *)(b + 100))->dest_offset, ret == 0);
	STEP(store(b, (char *)&(struct pointer){.to = (void *)(m + 10)}, 8), ret == 8);
	STEP(is(b + 8, 92, 'b', 0) && is(b + 132, P - 132, 'b', 0), ret == 1);
	STEP(store(bad, (char *)&(struct loff){0}, 8), ret == -SIGSEGV);
	return 0;
}
