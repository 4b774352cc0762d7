// golden/elsewhere
// needs other
// cc -O1 -o repro repro.c && ./repro DIR DIR-ON-ANOTHER-FILE-SYSTEM
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

static char *elsewhere(const char *dir, const char *name)
{
	char *path;
	STEP(asprintf(&path, "%s/repro-%d-%s", realpath(dir, NULL), getpid(), name), ret > 0);
	return path;
}

static int fd, d;
static char *m;
static char *path_S;

int main(int argc, char **argv)
{
	if (argc != 3 || !(path_S = elsewhere(argv[2], "S")) || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR DIR-ON-ANOTHER-FILE-SYSTEM");
	// file A = pat1*2p
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, fill(malloc(2 * P), 2 * P, PAT(1), 0), 2 * P, 0), ret == 2 * P);
	close(fd);
	// file S on other = unwritten*1p + 'x'
	STEP(fd = open(path_S, O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(fallocate(fd, 0, 0, P), ret == 0);
	STEP(pwrite(fd, fill(malloc(1), 1, 'x', 0), 1, P), ret == 1);
	close(fd);
	STEP(d = open(path_S, O_RDWR | O_DIRECT), ret >= 0);
	STEP(m = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, d, 0), ret != -1);
	STEP(pwrite(d, m, P, 0), ret == P || err == EINVAL);
	STEP(unlink(path_S), ret >= 0);
	STEP(open(path_S, O_RDONLY), err == ENOENT);
	return 0;
}
