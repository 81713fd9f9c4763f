// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * What a process has once: the list of its handles and the lock of it.
 *
 * Lock order: the process lock is the only lock of the library. No call that
 * may wait for a cycle is made under it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "handle.h"
#include "thread.h"

/**
 * struct process - the page that the kernel clears in the child of a fork
 * @lock: a mutex that was initialised by clearing it, which is what glibc's
 *        PTHREAD_MUTEX_INITIALIZER does
 * @handles: those that live
 */
struct process {
	pthread_mutex_t lock;
	struct marena *handles;
};

static struct process *process;
static size_t page_size;
static int init_error;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Outside the page that is cleared, so that no key comes twice. */
static uint64_t last_key;

static void process_init_once(void)
{
	void *page;

	page_size = (size_t)sysconf(_SC_PAGESIZE);
	page = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		init_error = -ENOMEM;
		return;
	}
	if (madvise(page, page_size, MADV_WIPEONFORK)) {
		init_error = -errno;
		munmap(page, page_size);
		return;
	}
	process = page;
	init_error = marena_thread_init();
}

int marena_process_init(void)
{
	pthread_once(&once, process_init_once);
	return init_error;
}

size_t marena_page_size(void)
{
	return page_size;
}

void marena_process_lock(void)
{
	pthread_mutex_lock(&process->lock);
}

void marena_process_unlock(void)
{
	pthread_mutex_unlock(&process->lock);
}

static bool index_taken(uint32_t index)
{
	const struct marena *a;

	for (a = process->handles; a; a = a->next)
		if (a->index == index)
			return true;
	return false;
}

/* Caller holds the process lock. From here on the handle can be used. */
void marena_process_add(struct marena *a)
{
	a->index = 0;
	while (index_taken(a->index))
		a->index++;
	a->next = process->handles;
	process->handles = a;
	a->key = ++last_key;
}

/* Caller holds the process lock. */
void marena_process_remove(struct marena *a)
{
	struct marena **link = &process->handles;

	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
}

/* Caller holds the process lock. */
struct marena *marena_process_find(uint64_t key)
{
	struct marena *a;

	for (a = process->handles; a; a = a->next)
		if (a->key == key)
			return a;
	return NULL;
}

/* Caller holds the process lock. */
struct marena *marena_process_find_arena(uint64_t id)
{
	struct marena *a;

	for (a = process->handles; a; a = a->next)
		if (a->id == id)
			return a;
	return NULL;
}
