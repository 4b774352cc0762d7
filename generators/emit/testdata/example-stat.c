// example/stat
// stat(2): the size is exact, the number of blocks is the file system's own business.
// cc -O1 -o repro repro.c && ./repro DIR
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define P sysconf(_SC_PAGESIZE)
#define PAT(n) (256 + (n)) // bytes that tell pattern and offset
static __thread struct stat st;

#define STEP(call, ok) do { \
	long ret = (long)(call), err = ret == -1 ? errno : 0; \
	if (!(ok)) \
		errx(1, "line %d: %s = %ld (%s), wanted %s", __LINE__, #call, ret, strerror(err), #ok); \
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

static int fd;

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	// file A = pat1*1p + hole*15p + 'e'
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, fill(malloc(P), P, PAT(1), 0), P, 0), ret == P);
	STEP(pwrite(fd, fill(malloc(1), 1, 'e', 0), 1, 16 * P), ret == 1);
	close(fd);
	STEP(stat("A", &st), ret == 0 && st.st_size == 16 * P + 1);
	STEP(stat("A", &st), ret == 0);
	STEP(unlink("A"), ret >= 0);
	STEP(stat("A", &st), err == ENOENT);
	return 0;
}
