// example/check
// check compares a range of memory, or a whole file with its size. Beside other actors there may be alternatives, and bytes that may be one
// thing or another.
// cc -O1 -o repro repro.c -lpthread && ./repro DIR
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define P sysconf(_SC_PAGESIZE)
#define PAT(n) (256 + (n)) // bytes that tell pattern and offset
static __thread char why[64];
static __thread char *file;

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

static int mix(const char *p, long n, int k, const long *may)
{
	for (long i = 0, m; i < n; i++) {
		for (m = 0; m < k && byte(may[2 * m], may[2 * m + 1] + i) != (p[i] & 255); m++)
			;
		if (m == k)
			return sprintf(why, ": byte %ld of %ld is 0x%02x", i, n, p[i] & 255), 0;
	}
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

static struct actor *start_process(void *(*steps)(void *))
{
	struct actor *a = new_actor();
	pid_t pid;
	STEP(pid = fork(), ret >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		steps(a);
	}
	return a;
}

static void failed(int sig)
{
	_exit(sig ? 1 : 0);
}

static int fd, d;
static char *b;
static struct actor *t1, *p1;

static void *t1_steps(void *self)
{
	struct actor *me = self;
	sem_wait(&me->go);
	STEP(pwrite(d, b, 100, 0), ret == 100);
	sem_post(&me->done);
	return NULL;
}

static void *p1_steps(void *self)
{
	struct actor *me = self;
	sem_wait(&me->go);
	STEP(truncate("A", 2 * P), ret >= 0);
	sem_post(&me->done);
	pause();
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))
		err(2, "usage: repro DIR");
	signal(SIGCHLD, failed);
	p1 = start_process(p1_steps);
	t1 = start_thread(t1_steps);
	// file A = pat1*1p
	STEP(fd = open("A", O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);
	STEP(pwrite(fd, fill(malloc(P), P, PAT(1), 0), P, 0), ret == P);
	close(fd);
	STEP(d = open("A", O_RDWR), ret >= 0);
	STEP(b = mmap(NULL, 100, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ret != -1);
	fill(b, 100, 'b', 0);
	STEP(is(b + 1, 4, 'b', 0), ret == 1);
	sem_post(&t1->go);
	sem_post(&p1->go);
	STEP(slurp("A", 2 * P + 1), (ret == P
		&& mix(file, 100, 2, (long[]){'b', 0, PAT(1), 0})
		&& is(file + 100, P - 100, PAT(1), 100))
		|| (ret == 2 * P
		&& mix(file, 100, 2, (long[]){'b', 0, PAT(1), 0})
		&& is(file + 100, P - 100, PAT(1), 100)
		&& is(file + P, P, 0, 0)));
	sem_wait(&t1->done);
	sem_wait(&p1->done);
	return 0;
}
