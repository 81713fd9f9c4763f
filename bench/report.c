// SPDX-License-Identifier: GPL-2.0-only
/*
 * Printing the figures: a table, and JSON if a file for it was named:
 *
 *	{ "schema": 1, "kernel": RELEASE, "clock": NAME, "cpus": N, "rounds": N,
 *	  "objects": N, "mib": N, "turn_ms": N,
 *	  "workloads": { WORKLOAD: {
 *	      "values": { CONTESTANT: { METRIC: {
 *	          "unit": UNIT, "median": X, "low": X, "high": X,
 *	          "rounds": [ X, ... ] } } },
 *	      "ratios": [ { "title": TEXT,
 *	          "of": [ CONTESTANT, METRIC ], "to": [ CONTESTANT, METRIC ],
 *	          "value": X, "at_most": X, "at_least": X, "reached": BOOL } ] } } }
 *
 * Of a ratio without a goal the last three are not there, and of one that has
 * one, one of the bounds. A goal for a value by itself is among them, without "to",
 * and with the value's "unit". Contestants that the options left out are not there,
 * nor are ratios of them. What comes to it later leaves these as they are.
 */
#include <err.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

static FILE *json;
static bool first_workload = true;

unsigned int nr_metrics(const struct workload *workload)
{
	unsigned int n = 0;

	while (workload->metrics[n].key)
		n++;
	return n;
}

/* clock_name(): what the kernel takes the time from */
static void clock_name(char name[32])
{
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource",
			"r");

	strcpy(name, "unknown");
	if (!f)
		return;
	if (fgets(name, 32, f))
		name[strcspn(name, "\n")] = '\0';
	fclose(f);
}

void report_begin(const struct options *options)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname system;
	char clock[32];

	uname(&system);
	clock_name(clock);
	printf("Linux %s, %ld CPUs, clock: %s; medians of %u rounds, and how far these spread\n",
	       system.release, cpus, clock, options->rounds);
	if (!options->json)
		return;
	json = fopen(options->json, "w");
	if (!json)
		err(1, "%s", options->json);
	fputs("{\n\t\"schema\": 1,\n", json);
	fprintf(json, "\t\"kernel\": \"%s\",\n", system.release);
	fprintf(json, "\t\"clock\": \"%s\",\n\t\"cpus\": %ld,\n", clock, cpus);
	fprintf(json, "\t\"rounds\": %u,\n\t\"objects\": %lu,\n",
		options->rounds, options->objects);
	fprintf(json, "\t\"mib\": %lu,\n\t\"turn_ms\": %u,\n",
		options->mib, options->turn_ms);
	fputs("\t\"workloads\": {", json);
}

/* ---- values --------------------------------------------------------------- */

static void value_row(const struct metric *metric, const struct contestant *c,
		      const struct series *s)
{
	printf("  %-30s %-27s %11.4g %-6s %.4g .. %.4g\n", c->title,
	       metric->title, s->median, metric->unit, s->low, s->high);
}

static void value_json(const struct metric *metric, const struct series *s,
		       unsigned int rounds, bool first)
{
	unsigned int i;

	fprintf(json, "%s\n\t\t\t\t\t\"%s\": {\n", first ? "" : ",",
		metric->key);
	fprintf(json, "\t\t\t\t\t\t\"unit\": \"%s\", \"median\": %.6g,\n",
		metric->unit, s->median);
	fprintf(json, "\t\t\t\t\t\t\"low\": %.6g, \"high\": %.6g,\n",
		s->low, s->high);
	fputs("\t\t\t\t\t\t\"rounds\": [", json);
	for (i = 0; i < rounds; i++)
		fprintf(json, "%s%.6g", i ? ", " : " ", s->values[i]);
	fputs(" ] }", json);
}

static void report_contestant(const struct workload *workload,
			      const struct contestant *c,
			      const struct series *series,
			      const struct options *options)
{
	bool first = true;
	unsigned int i;

	for (i = 0; i < nr_metrics(workload); i++) {
		if (isnan(series[i].median))
			continue;
		value_row(&workload->metrics[i], c, &series[i]);
		if (json)
			value_json(&workload->metrics[i], &series[i],
				   options->rounds, first);
		first = false;
	}
}

static void report_values(const struct workload *workload,
			  const struct options *options,
			  const struct results *results)
{
	const struct contestant *all = workload->contestants;
	bool first = true;
	unsigned int i;

	for (i = 0; all[i].key; i++) {
		if (!results->taken_part[i])
			continue;
		if (json)
			fprintf(json, "%s\n\t\t\t\t\"%s\": {", first ? "" : ",",
				all[i].key);
		report_contestant(workload, &all[i], results->series[i], options);
		if (json)
			fputs("\n\t\t\t\t}", json);
		first = false;
	}
}

/* ---- ratios --------------------------------------------------------------- */

static const struct metric *find_metric(const struct workload *workload,
					const char *key)
{
	const struct metric *metric = workload->metrics;

	while (strcmp(metric->key, key))
		metric++;
	return metric;
}

/* find_value(): a median, NAN if there is none */
static double find_value(const struct workload *workload,
			 const struct results *results, struct value value)
{
	long m = find_metric(workload, value.metric) - workload->metrics;
	unsigned int c;

	for (c = 0; strcmp(workload->contestants[c].key, value.contestant); c++)
		;
	return results->taken_part[c] ? results->series[c][m].median : NAN;
}

static bool has_goal(const struct ratio *ratio)
{
	if (ratio->natively && is_emulated())
		return false;
	return ratio->at_most || ratio->at_least;
}

static bool is_reached(const struct ratio *ratio, double value)
{
	return ratio->at_most ? value <= ratio->at_most :
				value >= ratio->at_least;
}

/* unit_of(): "x" where it is a ratio indeed */
static const char *unit_of(const struct workload *workload,
			   const struct ratio *ratio)
{
	return ratio->to.contestant ? "x" :
				      find_metric(workload, ratio->of.metric)->unit;
}

static void ratio_row(const struct ratio *ratio, double value, const char *unit)
{
	double goal = ratio->at_most ? ratio->at_most : ratio->at_least;

	printf("  %-58s %11.3g ", ratio->title, value);
	if (has_goal(ratio))
		printf("%-6s goal: %s %.4g: %s", unit,
		       ratio->at_most ? "<=" : ">=", goal,
		       is_reached(ratio, value) ? "reached" : "MISSED");
	else
		fputs(unit, stdout);
	putchar('\n');
}

static void ratio_json(const struct ratio *ratio, double value,
		       const char *unit, bool first)
{
	fprintf(json, "%s\n\t\t\t\t{ \"title\": \"%s\",\n",
		first ? "" : ",", ratio->title);
	fprintf(json, "\t\t\t\t\t\"of\": [ \"%s\", \"%s\" ],",
		ratio->of.contestant, ratio->of.metric);
	if (ratio->to.contestant)
		fprintf(json, " \"to\": [ \"%s\", \"%s\" ],\n",
			ratio->to.contestant, ratio->to.metric);
	else
		fprintf(json, " \"unit\": \"%s\",\n", unit);
	fprintf(json, "\t\t\t\t\t\"value\": %.6g", value);
	if (has_goal(ratio)) {
		if (ratio->at_most)
			fprintf(json, ", \"at_most\": %g", ratio->at_most);
		if (ratio->at_least)
			fprintf(json, ", \"at_least\": %g", ratio->at_least);
		fprintf(json, ", \"reached\": %s",
			is_reached(ratio, value) ? "true" : "false");
	}
	fputs(" }", json);
}

static void report_ratios(const struct workload *workload,
			  const struct results *results)
{
	const struct ratio *ratio = workload->ratios;
	const char *unit;
	bool first = true;
	double value;

	for (; ratio->title; ratio++) {
		value = find_value(workload, results, ratio->of);
		if (ratio->to.contestant)
			value /= find_value(workload, results, ratio->to);
		if (!isfinite(value))
			continue;
		unit = unit_of(workload, ratio);
		ratio_row(ratio, value, unit);
		if (json)
			ratio_json(ratio, value, unit, first);
		first = false;
	}
}

void report(const struct workload *workload, const struct options *options,
	    const struct results *results)
{
	printf("\n%s: %s\n", workload->key, workload->title);
	if (json)
		fprintf(json, "%s\n\t\t\"%s\": {\n\t\t\t\"values\": {",
			first_workload ? "" : ",", workload->key);
	report_values(workload, options, results);
	if (json)
		fputs("\n\t\t\t},\n\t\t\t\"ratios\": [", json);
	report_ratios(workload, results);
	if (json)
		fputs("\n\t\t\t]\n\t\t}", json);
	first_workload = false;
	fflush(stdout);
}

void report_end(void)
{
	if (!json)
		return;
	fputs("\n\t}\n}\n", json);
	if (fclose(json))
		err(1, "JSON");
}
