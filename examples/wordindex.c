// SPDX-License-Identifier: GPL-2.0-only
/*
 * wordindex: an index of the words of many files, shared by many processes.
 *
 *	"files" -> file -> file ...	with its path and its document
 *	"words" -> word[] -> word ...	a hash table: lists of words
 *	                      |-> text
 *	                      `-> posting -> posting ...	of a document
 *
 * Any number of processes build it and query it at once, and each may be
 * killed at any instruction. What makes that safe:
 *
 *  - A node is complete before a compare-and-swap links it into a list. What
 *    is loaded in a section is not freed and allocated anew while it lasts, so
 *    a pointer that compares equal is the same node.
 *  - Who makes a document of a file links it to the file (the claim) and holds
 *    a reference to it until all its postings are in the lists. A document
 *    that is being made and that nobody holds is of a process that died: the
 *    next one links its own to the file and does it over.
 *  - A posting counts while its document is ready and linked to its file. So
 *    one store takes out all that a removed file had. Pruning unlinks what
 *    does not count, and the collector gives its memory back.
 */
#include <err.h>
#include <errno.h>
#include <marena.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

#define ARENA_SIZE	(4UL << 30)
#define NR_LISTS	16384
#define RETRY_US	1000

enum state { MAKING, READY, REMOVED };

struct document {
	struct file *file;
	enum state state;
};

struct file {
	struct file *next;
	char *path;
	struct document *document;
};

struct posting {
	struct posting *next;
	struct document *document;
	unsigned long count;
};

struct word {
	struct word *next;
	struct posting *postings;
	char *text;
};

static struct marena *arena;
static struct file *files;	/* the first is none, but begins the list */
static struct word *words;	/* NR_LISTS such beginnings */
static int document_type, file_type, posting_type, word_type;

#define load(field)		__atomic_load_n(field, __ATOMIC_ACQUIRE)
#define store(field, value)	__atomic_store_n(field, value, __ATOMIC_RELEASE)
#define swap(field, old, new)						 \
	__atomic_compare_exchange_n(field, old, new, 0, __ATOMIC_ACQ_REL, \
				    __ATOMIC_ACQUIRE)

/* checked(): what the library returned, unless it failed */
static void *checked(void *p)
{
	if (!p)
		errx(1, "%s", marena_strerror(errno));
	return p;
}

/* share(): links an object that we hold into the heap and lets go of it */
static void share(void *field, void *object)
{
	store((void **)field, object);
	marena_put(arena, object);
}

/* hold(): what a field refers to, with a reference to it taken */
static void *hold(void *field)
{
	void *object;

	marena_enter(arena);
	object = load((void **)field);
	if (object)
		marena_get(arena, object);
	marena_leave(arena);
	return object;
}

/* step(): lets go of a node and holds what one of its fields refers to */
static void *step(void *node, void *field)
{
	void *next = hold(field);

	marena_put(arena, node);
	return next;
}

static char *new_text(const char *text)
{
	size_t bytes = strlen(text) + 1;

	return memcpy(checked(marena_alloc(arena, bytes)), text, bytes);
}

static void register_types(void)
{
	document_type = MARENA_TYPE(arena, struct document, file);
	file_type = MARENA_TYPE(arena, struct file, next, path, document);
	posting_type = MARENA_TYPE(arena, struct posting, next, document);
	word_type = MARENA_TYPE(arena, struct word, next, postings, text);
	if (document_type < 0 || file_type < 0 || posting_type < 0 ||
	    word_type < 0)
		errx(1, "cannot register the types");
}

/* create: makes an index of the files whose paths are read */
static void create(const char *name)
{
	struct marena_options options = MARENA_OPTIONS_INIT;
	char *path;

	options.flags = MARENA_PERSIST;
	arena = checked(marena_create(name, ARENA_SIZE, &options));
	register_types();
	files = checked(marena_new(arena, file_type));
	words = checked(marena_new_array(arena, word_type, NR_LISTS));
	while ((path = text_line())) {
		struct file *file = checked(marena_new(arena, file_type));

		share(&file->path, new_text(path));
		share(&file->next, hold(&files->next));
		share(&files->next, file);
	}
	if (marena_set_root(arena, "files", files) ||
	    marena_set_root(arena, "words", words))
		errx(1, "cannot set the roots");
}

static void open_index(const char *name)
{
	arena = checked(marena_open(name, 0));
	register_types();
	files = checked(marena_root(arena, "files"));
	words = checked(marena_root(arena, "words"));
}

static struct word *list_of(const char *text)
{
	unsigned int hash = 2166136261;

	while (*text)
		hash = (hash ^ (unsigned char)*text++) * 16777619;
	return &words[(hash ^ hash >> 16) % NR_LISTS];
}

/* state_of(): in a section; a document that was done over is removed too */
static enum state state_of(struct document *document)
{
	if (load(&document->file->document) != document)
		return REMOVED;
	return load(&document->state);
}

/* find_word(): in a section */
static struct word *find_word(struct word *word, const char *text)
{
	while (word && strcmp(word->text, text))
		word = word->next;
	return word;
}

/*
 * link_posting(): in a section. Links it to its word, or a fresh word with it
 * to the list; fails where there is neither or another process was faster.
 */
static bool link_posting(struct posting *posting, const char *text,
			 struct word *fresh)
{
	struct word *list = list_of(text);
	struct word *first = load(&list->next);
	struct word *word = find_word(first, text);

	posting->next = word ? load(&word->postings) : NULL;
	while (word)
		if (swap(&word->postings, &posting->next, posting))
			return true;
	if (!fresh)
		return false;
	fresh->postings = posting;
	fresh->next = first;
	return swap(&list->next, &first, fresh);
}

/* Allocates outside of sections: it may wait for a cycle, and that for them */
static void add_posting(struct document *document, struct text_word *word)
{
	struct posting *posting = checked(marena_new(arena, posting_type));
	struct word *fresh = NULL;
	bool linked = false;

	posting->document = document;
	posting->count = word->count;
	while (!linked) {
		marena_enter(arena);
		linked = link_posting(posting, word->text, fresh);
		marena_leave(arena);
		if (!linked && !fresh) {
			fresh = checked(marena_new(arena, word_type));
			share(&fresh->text, new_text(word->text));
		}
	}
	marena_put(arena, posting);
	marena_put(arena, fresh);
}

/* add_file(): makes the document that we have claimed the file with */
static void add_file(struct file *file, struct document *document)
{
	char *path = hold(&file->path);
	struct text_word *found = NULL;
	long nr = text_words(path, &found);

	if (nr < 0)
		warn("%s", path);
	for (long i = 0; i < nr; i++)
		add_posting(document, &found[i]);
	store(&document->state, READY);
	printf("%s\n", path);
	text_free_words(found, nr);
	marena_put(arena, path);
}

/*
 * claim(): true if the file is ours to do. A builder lets go of a document when
 * it is ready: one that is not ready after nobody was seen to hold it never is.
 */
static bool claim(struct file *file, struct document *document, bool *busy)
{
	struct document *old;
	bool mine = false;

	document->file = file;
	marena_enter(arena);
	old = load(&file->document);
	if (!old || (load(&old->state) == MAKING &&
		     !marena_refs_all(arena, old) &&
		     load(&old->state) == MAKING))
		mine = swap(&file->document, &old, document);
	*busy |= !mine && load(&old->state) == MAKING;
	marena_leave(arena);
	if (mine && old)
		printf("taken over: ");
	return mine;
}

/* build: makes a document of each file that nobody has made one of */
static void build(void)
{
	struct document *document = checked(marena_new(arena, document_type));
	struct file *file;
	bool busy;

	setlinebuf(stdout);
	do {
		busy = false;
		for (file = hold(&files->next); file;
		     file = step(file, &file->next)) {
			if (!claim(file, document, &busy))
				continue;
			add_file(file, document);
			marena_put(arena, document);
			document = checked(marena_new(arena, document_type));
		}
	} while (busy && !usleep(RETRY_US));
}

/* prune(): unlinks the postings of a word that will never count again */
static void prune(struct word *word)
{
	struct posting **link = &word->postings, *posting;

	marena_enter(arena);
	while ((posting = load(link))) {
		if (state_of(posting->document) != REMOVED)
			link = &posting->next;
		else
			swap(link, &posting, load(&posting->next));
	}
	marena_leave(arena);
}

/* visit_words(): calls a function with words that it holds meanwhile */
static void visit_words(void (*function)(struct word *word))
{
	struct word *word;
	size_t i;

	for (i = 0; i < NR_LISTS; i++)
		for (word = hold(&words[i].next); word;
		     word = step(word, &word->next))
			function(word);
}

/* remove: takes files whose paths are read out; one process may at a time */
static void remove_files(void)
{
	struct text_lines paths;
	struct file *file;

	text_read_lines(&paths);
	for (file = hold(&files->next); file; file = step(file, &file->next)) {
		struct document *document = hold(&file->document);
		char *path = hold(&file->path);

		if (document && load(&document->state) == READY &&
		    text_has_line(&paths, path))
			store(&document->state, REMOVED);
		marena_put(arena, document);
		marena_put(arena, path);
	}
	visit_words(prune);
}

/* print_word(): how often it occurs, and in how many files */
static void print_word(struct word *word)
{
	unsigned long count = 0, nr_files = 0;
	char *text = hold(&word->text);
	struct posting *posting;

	marena_enter(arena);
	for (posting = load(&word->postings); posting;
	     posting = load(&posting->next)) {
		if (state_of(posting->document) != READY)
			continue;
		count += posting->count;
		nr_files++;
	}
	marena_leave(arena);
	if (nr_files)
		printf("%s %lu %lu\n", text, count, nr_files);
	marena_put(arena, text);
}

/* query: looks up the words that are read */
static void query(void)
{
	struct word *word;
	char *text;

	while ((text = text_line())) {
		marena_enter(arena);
		word = find_word(load(&list_of(text)->next), text);
		if (word)
			marena_get(arena, word);
		marena_leave(arena);
		if (word)
			print_word(word);
		marena_put(arena, word);
	}
}

int main(int argc, char **argv)
{
	const char *command = argc == 3 ? argv[1] : "";

	if (!strcmp(command, "create"))
		create(argv[2]);
	else if (argc == 3)
		open_index(argv[2]);
	if (!strcmp(command, "build"))
		build();
	else if (!strcmp(command, "query"))
		query();
	else if (!strcmp(command, "list"))
		visit_words(print_word);
	else if (!strcmp(command, "remove"))
		remove_files();
	else if (strcmp(command, "create"))
		errx(2, "usage: wordindex create|build|query|list|remove ARENA");
	return 0;
}
