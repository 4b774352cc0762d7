// example/extents
// FS_IOC_FIEMAP tells where the data is: header and extents stand in memory one behind the other. FIEMAP_FLAG_SYNC (1) writes the data back first.
// needs fiemap
// cc -O1 -o repro repro.c && ./repro DIR
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

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

// An address with nothing accessible on either side of n bytes.
static char *room(long n)
{
	char *p = mmap(NULL, n + (2 << 16), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	STEP(p, ret != -1);
	return p + (1 << 16);
}

static int covered(const char *p, long from, long to)
{
	const struct fiemap *map = (void *)p;
	const struct fiemap_extent *e = map->fm_extents;
	for (unsigned i = 0; i < map->fm_mapped_extents; i++, e++)
		if ((long)e->fe_logical <= from && from < (long)(e->fe_logical + e->fe_length))
			from = e->fe_logical + e->fe_length;
	return from >= to || map->fm_mapped_extents >= map->fm_extent_count;
}

static int fd, d;
static char *b;

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	// file A = pat1*1p + hole*63p + pat1[64p:65p]
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, fill(malloc(P), P, PAT(1), 0), P, 0), ret == P);
	STEP(pwrite(fd, fill(malloc(P), P, PAT(1), 64 * P), P, 64 * P), ret == P);
	close(fd);
	STEP(d = open("A", O_RDONLY), ret >= 0);
	STEP(b = mmap(room(P), P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ret != -1);
	memcpy(b, &(struct fiemap){.fm_length = -1, .fm_flags = 1, .fm_extent_count = 10}, 32);
	STEP(ioctl(d, FS_IOC_FIEMAP, b), ret == 0);
	STEP(((struct fiemap *)(b))->fm_start, ret == 0);
	STEP(((struct fiemap *)(b))->fm_mapped_extents, ret >= 1 && ret <= 10);
	STEP(((struct fiemap *)(b))->fm_extent_count, ret == 10);
	STEP(covered(b, 0, P), ret == 1);
	STEP(covered(b, 64 * P, 65 * P), ret == 1);
	// An array that cannot be written.
	memcpy(b + P - 32, &(struct fiemap){.fm_length = -1, .fm_flags = 1, .fm_extent_count = 1}, 32);
	STEP(ioctl(d, FS_IOC_FIEMAP, b + P - 32), err == EFAULT);
	return 0;
}
