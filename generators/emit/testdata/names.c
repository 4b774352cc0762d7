// golden/names
// Names that mean something in C, and a comment that goes on
// cc -O1 -o repro repro.c && ./repro DIR
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define P sysconf(_SC_PAGESIZE)

#define STEP(call, ok) do { \
	long ret = (long)(call), err = ret == -1 ? errno : 0; \
	if (!(ok)) \
		errx(1, "line %d: %s = %ld (%s), wanted %s", __LINE__, #call, ret, strerror(err), #ok); \
} while (0)

// An address with nothing accessible on either side of n bytes.
static char *room(long n)
{
	char *p = mmap(NULL, n + (2 << 16), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	STEP(p, ret != -1);
	return p + (1 << 16);
}

static int fd, if_;
static char *read_, *y1_, *i;

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	// file A = '\''*1p + '\\'*5 + '\x00'*3 + 'ÿ'*2p-8
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, memset(malloc(P), 39, P), P, 0), ret == P);
	STEP(pwrite(fd, memset(malloc(5), 92, 5), 5, P), ret == 5);
	STEP(pwrite(fd, memset(malloc(3), 0, 3), 3, P + 5), ret == 3);
	STEP(pwrite(fd, memset(malloc(2 * P - 8), 255, 2 * P - 8), 2 * P - 8, P + 8), ret == 2 * P - 8);
	close(fd);
	STEP(if_ = open("A", O_RDONLY), ret >= 0);
	STEP(read_ = mmap(room(3 * P), 3 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, if_, 0), ret != -1);
	STEP(y1_ = mmap(room(P), P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ret != -1);
	memset(y1_, 0, P);
	STEP(i = mmap(room(P + 12), P + 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ret != -1);
	i += 12;
	memset(i, 'i', P);
	struct iovec iov5[104], *viov5 = iov5;
	*viov5++ = (struct iovec){read_, 10};
	for (long piece = 0; piece < 3; piece++)
		*viov5++ = (struct iovec){y1_ + piece * (P - 1), 1};
	for (long piece = 0; piece < 100; piece++)
		*viov5++ = (struct iovec){i + piece * (2), 1};
	STEP(readv(if_, iov5, 104), (ret >= 1 && ret <= 113) || err == EFAULT);
	// The end.
	return 0;
}
