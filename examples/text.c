// SPDX-License-Identifier: GPL-2.0-only
/* Words of files, lines of the standard input: see text.h. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static void append(struct text_lines *lines, char *line)
{
	size_t nr = lines->nr++;

	/* There is room for as many as the next power of two. */
	if (!(nr & (nr - 1))) {
		lines->line = reallocarray(lines->line, nr ? nr * 2 : 1,
					   sizeof(line));
		if (!lines->line)
			err(1, "no memory");
	}
	lines->line[nr] = line;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char **)a, *(char **)b);
}

static void sort(struct text_lines *lines)
{
	if (lines->nr)
		qsort(lines->line, lines->nr, sizeof(*lines->line), compare);
}

static void read_words(FILE *file, struct text_lines *words)
{
	char *word;

	while (fscanf(file, "%*[^A-Za-z]") != EOF &&
	       fscanf(file, "%m[A-Za-z]", &word) == 1) {
		for (char *c = word; *c; c++)
			*c |= 'a' - 'A';
		append(words, word);
	}
}

/* merge(): sorted words to different ones with counts; frees the doubles */
static long merge(struct text_lines *sorted, struct text_word *words)
{
	long nr = 0;

	for (size_t i = 0; i < sorted->nr; i++) {
		char *word = sorted->line[i];

		if (nr && !strcmp(words[nr - 1].text, word)) {
			words[nr - 1].count++;
			free(word);
		} else {
			words[nr++] = (struct text_word){ word, 1 };
		}
	}
	return nr;
}

long text_words(const char *path, struct text_word **words)
{
	struct text_lines all = { 0 };
	FILE *file = fopen(path, "r");
	long nr;

	if (!file)
		return -1;
	read_words(file, &all);
	fclose(file);
	sort(&all);
	*words = calloc(all.nr + 1, sizeof(**words));
	if (!*words)
		err(1, "no memory");
	nr = merge(&all, *words);
	free(all.line);
	return nr;
}

void text_free_words(struct text_word *words, long nr)
{
	for (long i = 0; i < nr; i++)
		free(words[i].text);
	free(words);
}

char *text_line(void)
{
	static char *line;
	static size_t room;

	if (getline(&line, &room, stdin) < 0)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return line;
}

void text_read_lines(struct text_lines *lines)
{
	char *line;

	*lines = (struct text_lines){ 0 };
	while ((line = text_line())) {
		line = strdup(line);
		if (!line)
			err(1, "no memory");
		append(lines, line);
	}
	sort(lines);
}

bool text_has_line(const struct text_lines *lines, const char *line)
{
	return lines->nr && bsearch(&line, lines->line, lines->nr,
				    sizeof(*lines->line), compare);
}
