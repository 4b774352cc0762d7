// example/anon
// Anonymous memory: of any alignment, with pages that were never touched. Such pages fault when the kernel first writes to them.
// cc -O1 -o repro repro.c && ./repro DIR
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
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

static int is(const char *p, long n, int what, long from)
{
	for (long i = 0; i < n; i++)
		if ((p[i] & 255) != byte(what, from + i))
			return sprintf(why, ": byte %ld of %ld is 0x%02x", i, n, p[i] & 255), 0;
	return 1;
}

static int fd, d;
static char *b, *c;

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	// file A = pat1*4p
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, fill(malloc(4 * P), 4 * P, PAT(1), 0), 4 * P, 0), ret == 4 * P);
	close(fd);
	STEP(d = open("A", O_RDONLY), ret >= 0);
	STEP(b = mmap(NULL, 3 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ret != -1);
	fill(b, P, 'b', 0);
	STEP(c = mmap(NULL, P + 512, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ret != -1);
	c += 512;
	fill(c, P, 0, 0);
	STEP(pread(d, b + P, 2 * P, 2 * P), ret == 2 * P);
	STEP(is(b, P, 'b', 0) && is(b + P, 2 * P, PAT(1), 2 * P), ret == 1);
	STEP(pread(d, c, P, 1), ret == P);
	STEP(is(c, P, PAT(1), 1), ret == 1);
	return 0;
}
