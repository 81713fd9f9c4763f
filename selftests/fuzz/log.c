// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs that were begun last: a file for each worker, with room for
 * FZ_KEPT of them, of which the oldest gives way to the next. A program is
 * written before it begins, and past the page cache if that is possible, as the
 * machine may not survive it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "runtime.h"

#define FZ_KEPT		128
#define FZ_ROOM		(20 << 10)

static char fz_record[FZ_ROOM] __attribute__((aligned(4096)));
static uint64_t fz_written;

static void fz_log_path(char *path, size_t size, const char *dir,
			unsigned int worker)
{
	snprintf(path, size, "%s/programs.%u", dir, worker);
}

bool fz_log_open(const char *dir, unsigned int worker)
{
	const int flags = O_RDWR | O_CREAT | O_CLOEXEC;
	char path[PATH_MAX];
	int fd;

	fz_log_path(path, sizeof(path), dir, worker);
	fd = open(path, flags | O_DIRECT, 0644);
	if (fd < 0)
		fd = open(path, flags, 0644);
	if (fd < 0 || dup2(fd, FZ_FD_LOG) < 0) {
		perror(path);
		return false;
	}
	close(fd);
	/* What those before us wrote last is the latest there is. */
	fz_written = fz_shared->worker[worker].nr;
	return true;
}

void fz_log(const struct fz_program *p, uint64_t number)
{
	size_t len;

	if (fcntl(FZ_FD_LOG, F_GETFD) < 0)
		return;
	len = snprintf(fz_record, FZ_ROOM, "# %llu\n",
		       (unsigned long long)number);
	len += fz_format(fz_record + len, FZ_ROOM - len, p);
	memset(fz_record + len, '\n', FZ_ROOM - len);
	if (pwrite(FZ_FD_LOG, fz_record, FZ_ROOM,
		   fz_written++ % FZ_KEPT * FZ_ROOM) < 0)
		perror("log");
}

struct fz_logged {
	unsigned long long number;
	struct fz_program program;
};

static int fz_by_number(const void *a, const void *b)
{
	const struct fz_logged *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static unsigned int fz_log_read_one(const char *path, struct fz_logged *found,
				    unsigned int max)
{
	FILE *file = fopen(path, "r");
	unsigned int n = 0;
	long at = 0;

	while (file && n < max) {
		if (fseek(file, at, SEEK_SET) ||
		    fscanf(file, "# %llu\n", &found[n].number) != 1 ||
		    !fz_read(file, &found[n].program))
			break;
		at += FZ_ROOM;
		n++;
	}
	if (file)
		fclose(file);
	return n;
}

/* The last @max programs that a directory has, in the order they began in. */
unsigned int fz_log_read(const char *dir, struct fz_program *p,
			 unsigned int max)
{
	const unsigned int all = FZ_WORKERS * FZ_KEPT;
	struct fz_logged *found = calloc(all, sizeof(*found));
	unsigned int worker, i, n = 0, first;
	char path[PATH_MAX];

	if (!found)
		return 0;
	for (worker = 0; worker < FZ_WORKERS; worker++) {
		fz_log_path(path, sizeof(path), dir, worker);
		n += fz_log_read_one(path, found + n, all - n);
	}
	qsort(found, n, sizeof(*found), fz_by_number);
	first = n > max ? n - max : 0;
	for (i = first; i < n; i++)
		p[i - first] = found[i].program;
	free(found);
	return n - first;
}
