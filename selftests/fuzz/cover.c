// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which code of the module the operations ran through, from the kernel's KCOV.
 * Only the module is compiled for it, and that is smaller than FZ_POINTS bytes:
 * the low bits of an address tell which it is. What leads on is not only a
 * point that is new, but also one that was reached from another than before.
 *
 * The figures are shared by all workers.
 */
#include <fcntl.h>
#include <unistd.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "op.h"
#include "runtime.h"

#define FZ_POINTS	(1 << 21)
#define FZ_EDGES	(1 << 20)
#define FZ_BUFFER_WORDS	(64 << 10)

#define FZ_KCOV		"/sys/kernel/debug/kcov"

struct fz_cover {
	unsigned int points;
	uint8_t point[FZ_POINTS / 8];
	uint8_t edge[FZ_EDGES / 8];
};

static uint64_t *fz_buffer;
static bool fz_found;

struct fz_cover *fz_cover_new(void)
{
	void *cover = mmap(NULL, sizeof(struct fz_cover),
			   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);

	return cover == MAP_FAILED ? NULL : cover;
}

/* From now on this thread's ways are recorded. Returns false where they aren't. */
bool fz_cover_start(void)
{
	int fd = open(FZ_KCOV, O_RDWR | O_CLOEXEC);
	void *buffer;

	if (fd < 0)
		return false;
	if (ioctl(fd, KCOV_INIT_TRACE, FZ_BUFFER_WORDS))
		return false;
	buffer = mmap(NULL, FZ_BUFFER_WORDS * sizeof(uint64_t),
		      PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (buffer == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		return false;
	/* Out of reach of the programs. */
	if (dup2(fd, FZ_FD_KCOV) < 0)
		return false;
	close(fd);
	fz_buffer = buffer;
	return true;
}

void fz_cover_begin(void)
{
	if (fz_buffer)
		__atomic_store_n(fz_buffer, 0, __ATOMIC_RELAXED);
	fz_found = false;
}

/* Sets a bit. Returns whether it was clear. */
static bool fz_first(uint8_t *map, unsigned int bit)
{
	uint8_t mask = 1 << (bit % 8);

	if (map[bit / 8] & mask)
		return false;
	return !(__atomic_fetch_or(&map[bit / 8], mask, __ATOMIC_RELAXED) &
		 mask);
}

/* Takes what was recorded since the last time. */
void fz_cover_take(struct fz_cover *cover)
{
	uint64_t i, n, at, last = 0;

	if (!fz_buffer)
		return;
	n = __atomic_load_n(fz_buffer, __ATOMIC_RELAXED);
	for (i = 1; i <= n; i++) {
		at = fz_buffer[i] % FZ_POINTS;
		if (fz_first(cover->point, at)) {
			__atomic_fetch_add(&cover->points, 1, __ATOMIC_RELAXED);
			fz_found = true;
		}
		if (fz_first(cover->edge, (last * 31 + at) % FZ_EDGES))
			fz_found = true;
		last = at;
	}
	__atomic_store_n(fz_buffer, 0, __ATOMIC_RELAXED);
}

/* Was there anything new since fz_cover_begin()? */
bool fz_cover_news(void)
{
	return fz_found;
}

unsigned int fz_cover_points(const struct fz_cover *cover)
{
	return cover->points;
}
