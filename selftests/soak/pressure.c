// SPDX-License-Identifier: GPL-2.0-only
/*
 * Want of memory: a process that takes nearly all there is, caches that are
 * dropped, swapping, and limits of a control group that change all the time.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "soak.h"

/* Large enough for what is swapped out, small enough to be filled up. */
#define SWAP_SIZE	"96M"

/* Of /proc/meminfo, in bytes. */
static unsigned long read_meminfo(const char *name)
{
	char buf[8192], *at;

	mt_assert(mt_read_file("/proc/meminfo", buf, sizeof(buf)) > 0);
	at = strstr(buf, name);
	mt_assert(at);
	return strtoul(at + strlen(name), NULL, 10) * KIB;
}

/* Touches as much memory as there is, more or less, and holds it a little. */
static void eat(void *arg)
{
	struct soak_part *part = arg;
	unsigned long all = read_meminfo("MemAvailable:") +
			    read_meminfo("SwapFree:");
	unsigned long size = all / 100 * (50 + mt_random_below(&part->random, 55));
	unsigned long at;
	char *memory;

	mt_assert_eq(mt_write_file("/proc/self/oom_score_adj", "1000"), 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	mt_assert(memory != MAP_FAILED);
	for (at = 0; at < size && soak_goes_on(); at += MT_PAGE)
		memset(memory + at, at >> 12, MT_PAGE / 2);
	if (soak_goes_on())
		soak_sleep(part, 500);
}

void soak_hog(struct soak_part *part)
{
	while (soak_goes_on()) {
		int status = mt_wait(mt_fork(eat, part));

		/* It is the first to be killed where there is not enough. */
		mt_assert(!status || status == SIGKILL);
		mt_random(&part->random);
		soak_did(part);
		soak_sleep(part, 500);
	}
}

void soak_reclaim(struct soak_part *part)
{
	while (soak_goes_on()) {
		mt_assert_eq(mt_write_file("/proc/sys/vm/drop_caches", "3"), 0);
		mt_assert_eq(mt_write_file("/proc/sys/vm/compact_memory", "1"),
			     0);
		soak_did(part);
		soak_sleep(part, 2000);
	}
}

bool soak_has_swap(void)
{
	return !soak_shell("modprobe -q zram") &&
	       !access("/sys/block/zram0/disksize", W_OK);
}

/* Swapping out comes of the hog; here is swapping in, of all at once. */
void soak_swap(struct soak_part *part)
{
	mt_assert_eq(mt_write_file("/sys/block/zram0/disksize", SWAP_SIZE), 0);
	mt_assert_eq(soak_shell("mkswap /dev/zram0 >/dev/null"), 0);
	while (soak_goes_on()) {
		mt_assert_eq(soak_shell("swapon /dev/zram0"), 0);
		soak_sleep(part, 5000);
		/* It fails, or is killed, where there is no room for it. */
		while (soak_shell("swapoff /dev/zram0 2>/dev/null"))
			soak_sleep(part, 500);
		soak_did(part);
	}
	mt_assert_eq(mt_write_file("/sys/block/zram0/reset", "1"), 0);
}

bool soak_has_limits(void)
{
	return soak_has_groups() &&
	       !access(SOAK_LIMITED "/memory.max", W_OK);
}

static void set_limit(const char *file, unsigned long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", bytes);
	mt_assert_eq(mt_write_file(file, text), 0);
}

/*
 * A client takes 1 to 2 MiB beside its heap. Which of the two limits is the
 * lower one changes as well.
 */
void soak_limits(struct soak_part *part)
{
	while (soak_goes_on()) {
		set_limit(SOAK_LIMITED "/memory.high",
			  (4 + mt_random_below(&part->random, 28)) * MIB);
		set_limit(SOAK_LIMITED "/memory.max",
			  (4 + mt_random_below(&part->random, 28)) * MIB);
		soak_did(part);
		soak_sleep(part, 1000);
	}
	mt_assert_eq(mt_write_file(SOAK_LIMITED "/memory.high", "max"), 0);
	mt_assert_eq(mt_write_file(SOAK_LIMITED "/memory.max", "max"), 0);
}
