// SPDX-License-Identifier: GPL-2.0-only
/* Printing the figures, as a table or as JSON. */
#include <stdio.h>
#include <sys/utsname.h>

#include "bench.h"

static bool json;
static int nr_results;

void report_begin(const struct options *options)
{
	struct utsname system;

	json = options->json;
	uname(&system);
	if (json) {
		printf("{\n\t\"kernel\": \"%s\",\n\t\"objects\": %lu,\n"
		       "\t\"results\": {", system.release, options->objects);
		return;
	}
	printf("Linux %s; medians of %d rounds; cycles and crash with %lu objects\n\n",
	       system.release, ROUNDS, options->objects);
	printf("%-44s %13s %17s %9s\n", "", "", "x malloc", "x atomics");
}

static void report_json(const struct result *result)
{
	printf("%s\n\t\t\"%s\": { \"value\": %.6g, \"unit\": \"%s\"",
	       nr_results ? "," : "", result->key, result->value,
	       result->unit);
	if (result->vs_malloc)
		printf(", \"vs_malloc\": %.4g, \"vs_atomics\": %.4g",
		       result->vs_malloc, result->vs_atomics);
	printf(" }");
}

static void report_row(const struct result *result)
{
	printf("%-44s %10.2f %s", result->name, result->value, result->unit);
	if (result->vs_malloc)
		printf("%*.2f %9.2f", 18, result->vs_malloc,
		       result->vs_atomics);
	putchar('\n');
}

void report(const struct result *result)
{
	if (json)
		report_json(result);
	else
		report_row(result);
	nr_results++;
	fflush(stdout);
}

void report_end(void)
{
	if (json)
		puts("\n\t}\n}");
}
