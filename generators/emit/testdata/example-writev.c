// example/writev
// writev(2) of 1024 pieces, each a byte of another page that was never touched: it writes them all.
// cc -O1 -o repro repro.c && ./repro DIR
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
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
static char *b;

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	// file A = empty
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	close(fd);
	STEP(d = open("A", O_WRONLY), ret >= 0);
	STEP(b = mmap(NULL, 1024 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ret != -1);
	madvise(b, 1024 * P, MADV_NOHUGEPAGE);
	struct iovec iov3[1024], *viov3 = iov3;
	for (long piece = 0; piece < 1024; piece++)
		*viov3++ = (struct iovec){b + piece * (P), 1};
	STEP(writev(d, iov3, 1024), ret == 1024);
	STEP(slurp("A", 1025), ret == 1024 && is(file, 1024, 0));
	// One piece more than the kernel takes (IOV_MAX).
	struct iovec iov5[1025], *viov5 = iov5;
	for (long piece = 0; piece < 1025; piece++)
		*viov5++ = (struct iovec){b + piece * (1), 1};
	STEP(writev(d, iov5, 1025), err == EINVAL);
	return 0;
}
