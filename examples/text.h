/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading text: all that wordindex does that has nothing to do with an arena.
 * Whoever gets memory from here may free() it; no memory ends the program.
 */
#ifndef EXAMPLES_TEXT_H
#define EXAMPLES_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A word is as many ASCII letters as stand together, in lower case. */
struct text_word {
	char *text;
	unsigned long count;
};

/*
 * text_words(): the different words of a file in *words, each with how often
 * it occurs; returns how many, or -1 with errno where it cannot be read.
 */
long text_words(const char *path, struct text_word **words);

/* text_free_words(): frees what text_words() gave, also if that was -1. */
void text_free_words(struct text_word *words, long nr);

/* text_line(): the next line of the standard input, valid until the next. */
char *text_line(void);

struct text_lines {
	char **line;
	size_t nr;
};

/* text_read_lines(): all lines of the standard input, for text_has_line(). */
void text_read_lines(struct text_lines *lines);

bool text_has_line(const struct text_lines *lines, const char *line);

#endif /* EXAMPLES_TEXT_H */
