// SPDX-License-Identifier: GPL-2.0-only
/* marenactl events: a line for each death, until the program is ended. */
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "marenactl.h"

#define BATCH	64

static void print_deaths(const struct marena_death *death, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (death[i].lost)
			printf("lost %llu\n", death[i].lost);
		if (death[i].object)
			printf("%#llx %u %#llx\n", death[i].object,
			       death[i].type, death[i].cookie);
	}
	fflush(stdout);
}

static int follow(int fd)
{
	struct marena_death deaths[BATCH];
	ssize_t len;

	for (;;) {
		len = read(fd, deaths, sizeof(deaths));
		if (len < 0)
			return errno;
		print_deaths(deaths, len / sizeof(deaths[0]));
	}
}

static int run(const char *name, const struct format *format)
{
	struct marena_events events = { .size = sizeof(events) };
	int fd = arena_open(name, MARENA_OPEN_RDONLY);
	int error;

	(void)format;
	if (fd < 0)
		return -fd;
	error = ioctl(fd, MARENA_EVENTS, &events) ? errno : 0;
	close(fd);
	if (error)
		return error;
	error = follow(events.fd);
	close(events.fd);
	return error;
}

const struct command events_command = {
	.name = "events",
	.argument = "NAME",
	.help = "print deaths as they come: address, type id, first 8 bytes",
	.run = run,
};
