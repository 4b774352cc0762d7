// golden/threads
// cc -O1 -o repro repro.c -lpthread && ./repro DIR
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define P sysconf(_SC_PAGESIZE)
#define PAT(n) (256 + (n)) // bytes that tell pattern and offset
#define AWAIT(object, unset) while (*(__typeof__(object) volatile *)&object == unset) usleep(100)
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

struct actor { sem_t go, done; };

static struct actor *new_actor(void)
{
	struct actor *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sem_init(&a->go, 1, 0);
	sem_init(&a->done, 1, 0);
	return a;
}

static struct actor *start_thread(void *(*steps)(void *))
{
	struct actor *a = new_actor();
	pthread_t thread;
	STEP(pthread_create(&thread, NULL, steps, a), ret == 0);
	return a;
}

static int fd, d = -1;
static char *m = NULL;
static struct actor *t1, *t2;

static void *t1_steps(void *self)
{
	struct actor *me = self;
	sem_wait(&me->go);
	STEP(d = open("A", O_RDONLY), ret >= 0);
	sem_post(&me->done);
	sem_wait(&me->go);
	STEP(close(d), ret >= 0);
	sem_post(&me->done);
	return NULL;
}

static void *t2_steps(void *self)
{
	struct actor *me = self;
	sem_wait(&me->go);
	AWAIT(d, -1);
	STEP(m = mmap(NULL, 2 * P, PROT_READ, MAP_PRIVATE, d, 0), ret != -1);
	sem_post(&me->done);
	sem_wait(&me->go);
	STEP(munmap(m, 2 * P), ret >= 0);
	sem_post(&me->done);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	t1 = start_thread(t1_steps);
	t2 = start_thread(t2_steps);
	// file A = pat1*2p
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, fill(malloc(2 * P), 2 * P, PAT(1), 0), 2 * P, 0), ret == 2 * P);
	close(fd);
	sem_post(&t1->go);
	sem_post(&t2->go);
	AWAIT(m, NULL);
	STEP(is(m, 2 * P, PAT(1), 0), ret == 1);
	sem_post(&t1->go);
	sem_wait(&t2->done);
	sem_post(&t2->go);
	sem_wait(&t1->done);
	sem_wait(&t1->done);
	sem_wait(&t2->done);
	return 0;
}
