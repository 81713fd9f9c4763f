/* SPDX-License-Identifier: GPL-2.0-only */
/* The main() of examples/wordindex.c: over an arena, and over plain/marena.h. */
#ifndef BENCH_WORDINDEX_H
#define BENCH_WORDINDEX_H

int wordindex_marena(int argc, char **argv);
int wordindex_malloc(int argc, char **argv);

#endif /* BENCH_WORDINDEX_H */
