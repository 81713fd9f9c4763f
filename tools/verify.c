// SPDX-License-Identifier: GPL-2.0-only
/* marenactl verify: a cycle of an arena's collector, checked by the kernel. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "marenactl.h"

static bool print_finding(const char *name, __u64 count, const char *what)
{
	if (count)
		printf("%s: %" PRIu64 " %s\n", name, (uint64_t)count, what);
	return count;
}

/* Prints what is wrong. Returns whether anything is. */
static bool print_findings(const char *name, const struct marena_verify *found)
{
	bool wrong = false;

	wrong |= print_finding(name, found->unmarked,
			       "objects are live and not marked");
	wrong |= print_finding(name, found->dangling,
			       "references are to free memory");
	wrong |= print_finding(name, found->miscounted,
			       "pages have a wrong count");
	wrong |= print_finding(name, found->misaccounted,
			       "figures are not the sums of the pages");
	if (found->first)
		printf("%s: the first at %#" PRIx64 "\n", name,
		       (uint64_t)found->first);
	if (!wrong)
		printf("%s: %" PRIu64 " objects, %" PRIu64 " pages\n", name,
		       (uint64_t)found->objects, (uint64_t)found->pages);
	return wrong;
}

/* EIO: it was done, and something is wrong. */
static int verify(const char *name, const struct format *format)
{
	struct marena_verify found = { .size = sizeof(found) };
	int fd = arena_open(name, 0);
	int error = 0;

	(void)format;
	if (fd < 0)
		return -fd;
	if (ioctl(fd, MARENA_VERIFY, &found))
		error = errno;
	else if (print_findings(name, &found))
		error = EIO;
	close(fd);
	return error;
}

const struct command verify_command = {
	.name = "verify",
	.argument = "NAME...",
	.help = "run a cycle of the collector and check what it did",
	.run = verify,
};
