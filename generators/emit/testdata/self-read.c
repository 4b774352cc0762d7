// golden/self-read
// A page of data is read into the hole before it.
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
static __thread char why[64];
static __thread char *file;

#define STEP(call, ok) do { \
	*why = 0; \
	long ret = (long)(call), err = ret == -1 ? errno : 0; \
	if (!(ok)) \
		errx(1, "line %d: %s = %ld (%s), wanted %s%s", __LINE__, #call, ret, strerror(err), #ok, why); \
} while (0)

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

static int fd, d;
static char *m;

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	// file A = hole*1p + 'b'*1p
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, memset(malloc(P), 'b', P), P, P), ret == P);
	close(fd);
	STEP(d = open("A", O_RDWR), ret >= 0);
	STEP(m = mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, d, 0), ret != -1);
	STEP(pread(d, m, P, P), ret == P);
	STEP(is(m, P, 'b'), ret == 1);
	STEP(slurp("A", 2 * P + 1), ret == 2 * P && is(file, P, 0) && is(file + P, P, 'b'));
	return 0;
}
