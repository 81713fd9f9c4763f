// SPDX-License-Identifier: GPL-2.0-only
/* marenactl: looks at arenas of /dev/marena and manages them. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <marena.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "marenactl.h"

/* Running a cycle needs the right to write. */
static int collect(const char *name, const struct format *format)
{
	struct marena_collect collect = { .size = sizeof(collect) };
	int fd = arena_open(name, 0);
	int error = 0;

	(void)format;
	if (fd < 0)
		return -fd;
	if (ioctl(fd, MARENA_COLLECT, &collect))
		error = errno;
	close(fd);
	return error;
}

static int unlink_name(const char *name, const struct format *format)
{
	(void)format;
	return -marena_unlink(name);
}

static const struct command collect_command = {
	.name = "collect",
	.argument = "NAME...",
	.help = "run a cycle of the collector and wait until it is over",
	.run = collect,
};

static const struct command unlink_command = {
	.name = "unlink",
	.argument = "NAME...",
	.help = "remove an arena's name; it lives on while it is open",
	.run = unlink_name,
};

static const struct command *const commands[] = {
	&list_command, &stats_command, &pages_command, &map_command,
	&events_command, &settings_command, &set_command,
	&collect_command, &verify_command, &unlink_command,
};

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "json", no_argument, NULL, 'J' },
	{ "raw", no_argument, NULL, 'r' },
	{ "noheadings", no_argument, NULL, 'n' },
	{ "bytes", no_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static void print_command(const struct command *command)
{
	char usage[48];

	snprintf(usage, sizeof(usage), "%s %s", command->name,
		 command->argument ? command->argument : "");
	printf("  %-20s %s\n", usage, command->help);
}

static int print_help(const struct command *command)
{
	size_t i;

	puts("Usage: marenactl [OPTIONS] COMMAND [NAME...]\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!command || commands[i] == command)
			print_command(commands[i]);
	puts("\nOptions:\n"
	     "  -o, --output LIST  columns to print; +LIST: these too\n"
	     "  -J, --json         as JSON\n"
	     "  -r, --raw          columns apart by one space\n"
	     "  -n, --noheadings   no headings\n"
	     "  -b, --bytes        numbers not scaled to larger units\n"
	     "  -h, --help         this help; after a command, its columns too\n"
	     "  -V, --version      the version");
	if (command && command->nr_columns)
		table_help(command->columns, command->nr_columns);
	return EXIT_DONE;
}

static int print_version(void)
{
	struct marena_features features = { .size = sizeof(features) };
	int device = device_open();

	puts("marenactl " VERSION);
	if (device < 0)
		return EXIT_DONE;
	if (!ioctl(device, MARENA_FEATURES, &features))
		printf("module: ABI version %u\n", features.abi_version);
	close(device);
	return EXIT_DONE;
}

static int usage_error(const char *what)
{
	warnx("%s; try \"marenactl --help\"", what);
	return EXIT_USAGE;
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (name && !strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

/* report(): how the program ends if a command for @name did so with @error */
static int report(const char *name, int error)
{
	if (!error)
		return EXIT_DONE;
	warnx("%s%s%s", name ? name : "", name ? ": " : "",
	      marena_strerror(error));
	return EXIT_FAILED;
}

/* run(): the command for each of the names */
static int run(const struct command *command, char **names,
	       const struct format *format)
{
	int status = EXIT_DONE;

	if (command->change)
		return report(*names, command->change(*names, names + 1));
	do {
		if (report(*names, command->run(*names, format)))
			status = EXIT_FAILED;
	} while (*names && *++names);
	return status;
}

/* check_names(): what is wrong with the arguments of a command, or NULL */
static const char *check_names(const struct command *command, int nr)
{
	if (!command->argument)
		return nr ? "this command takes no name" : NULL;
	if (!nr)
		return "the name of an arena is missing";
	if (nr > 1 && !strstr(command->argument, "..."))
		return "this command takes one name";
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct format format = { 0 };
	bool help = false;
	const char *wrong;
	int option;

	setlocale(LC_ALL, "");
	while ((option = getopt_long(argc, argv, "o:JrnbhV", options,
				     NULL)) >= 0) {
		switch (option) {
		case 'o':
			format.columns = optarg;
			break;
		case 'J':
			format.json = true;
			break;
		case 'r':
			format.raw = true;
			break;
		case 'n':
			format.noheadings = true;
			break;
		case 'b':
			format.exact = true;
			break;
		case 'h':
			help = true;
			break;
		case 'V':
			return print_version();
		default:
			return usage_error("wrong option");
		}
	}
	command = find_command(argv[optind]);
	if (help)
		return print_help(command);
	if (!command)
		return usage_error(argv[optind] ? "there is no such command" :
				   "a command is missing");
	argv += optind + 1;
	wrong = check_names(command, argc - optind - 1);
	return wrong ? usage_error(wrong) : run(command, argv, &format);
}
