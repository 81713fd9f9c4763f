// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event files: deaths that programs want to know of. Whoever sweeps a span puts
 * them into the queue of each event file of the arena, under arena->lock, and
 * waits for nobody: a queue is of fixed size, and what does not fit is counted.
 *
 * An event file is one of the arena's inode, so it keeps the arena; it is
 * nobody's client, and does not care who dies.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "event.h"
#include "fs.h"
#include "region.h"
#include "span.h"
#include "type.h"

#define MARENA_MAX_EVENT_FILES	16

/**
 * struct marena_event_file - a queue of deaths
 * @arena: of which arena (invariant); the file holds its inode
 * @link: in arena->event_files (arena->lock)
 * @wait: those who wait for a death
 * @capacity: entries of @queue (invariant)
 * @read_lock: who holds it takes from the queue
 * @lock: protects what follows
 * @lost: deaths that did not fit, and of which nobody has been told
 * @head: how many were ever put into the queue
 * @tail: how many were ever taken
 * @queue: the deaths, by their number modulo @capacity
 */
struct marena_event_file {
	struct marena_arena *arena;
	struct list_head link;
	wait_queue_head_t wait;
	u32 capacity;
	/* Held while a death is copied to who reads it. */
	struct mutex read_lock;
	/* Protects the fields that follow. */
	spinlock_t lock;
	u64 lost;
	u64 head;
	u64 tail;
	struct marena_death queue[];
};

/* ---- putting in ---------------------------------------------------------- */

static void marena_event_put(struct marena_event_file *events,
			     struct marena_death death)
{
	spin_lock(&events->lock);
	if (events->head - events->tail == events->capacity) {
		events->lost++;
	} else {
		death.lost = events->lost;
		events->lost = 0;
		events->queue[events->head++ % events->capacity] = death;
	}
	spin_unlock(&events->lock);
}

static void marena_event_tell(struct marena_arena *arena,
			      const struct marena_span *span, u64 offset)
{
	const u64 *cookie = marena_heap_at(arena, offset);
	const struct marena_death death = {
		.arena = arena->id,
		.object = arena->base + offset,
		.cookie = cookie ? READ_ONCE(*cookie) : 0,
		.type = span->type->id,
	};
	struct marena_event_file *events;

	list_for_each_entry(events, &arena->event_files, link)
		marena_event_put(events, death);
}

/*
 * Objects of the span have died: those whose bits in the given word of its alloc
 * map are set in @dead.
 */
void marena_events_tell(struct marena_arena *arena,
			const struct marena_span *span, unsigned int word,
			unsigned long dead)
{
	struct marena_event_file *events;

	lockdep_assert_held(&arena->lock);
	if (list_empty(&arena->event_files))
		return;
	for (; dead; dead &= dead - 1) {
		u64 start = ((u64)word * BITS_PER_LONG + __ffs(dead)) *
			    MARENA_GRANULE;

		if (marena_object_starts(arena, span->offset + start))
			marena_event_tell(arena, span, span->offset + start);
	}
	list_for_each_entry(events, &arena->event_files, link)
		wake_up_interruptible_poll(&events->wait, EPOLLIN | EPOLLRDNORM);
}

/* ---- taking out ---------------------------------------------------------- */

/*
 * The next death, which stays in the queue until it is told; or, where there is
 * none, what was lost after the last one, which the next death does not tell then.
 * Returns false if there is neither.
 */
static bool marena_event_next(struct marena_event_file *events,
			      struct marena_death *death)
{
	bool any = true;

	spin_lock(&events->lock);
	if (events->head != events->tail)
		*death = events->queue[events->tail % events->capacity];
	else if (events->lost)
		*death = (struct marena_death){
			.arena = events->arena->id,
			.lost = xchg(&events->lost, 0),
		};
	else
		any = false;
	spin_unlock(&events->lock);
	return any;
}

/* Has that been told, or could it not be? */
static void marena_event_done(struct marena_event_file *events,
			      const struct marena_death *death, bool told)
{
	spin_lock(&events->lock);
	if (death->object)
		events->tail += told;
	else if (!told)
		events->lost += death->lost;
	spin_unlock(&events->lock);
}

static bool marena_events_any(struct marena_event_file *events)
{
	bool any;

	spin_lock(&events->lock);
	any = events->head != events->tail || events->lost;
	spin_unlock(&events->lock);
	return any;
}

/* Copy what is there and fits: bytes, or an error if that was nothing. */
static ssize_t marena_events_copy(struct marena_event_file *events,
				  char __user *buf, size_t count)
{
	struct marena_death death;
	ssize_t done = 0;
	bool told = true;

	if (mutex_lock_interruptible(&events->read_lock))
		return -ERESTARTSYS;
	while (told && count - done >= sizeof(death) &&
	       marena_event_next(events, &death)) {
		told = !copy_to_user(buf + done, &death, sizeof(death));
		marena_event_done(events, &death, told);
		if (told)
			done += sizeof(death);
		cond_resched();
	}
	mutex_unlock(&events->read_lock);
	return told || done ? done : -EFAULT;
}

static ssize_t marena_events_read(struct file *file, char __user *buf,
				  size_t count, loff_t *pos)
{
	struct marena_event_file *events = file->private_data;
	ssize_t done;

	if (count < sizeof(struct marena_death))
		return -EINVAL;
	for (;;) {
		done = marena_events_copy(events, buf, count);
		if (done)
			return done;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(events->wait,
					     marena_events_any(events)))
			return -ERESTARTSYS;
	}
}

static __poll_t marena_events_poll(struct file *file, poll_table *wait)
{
	struct marena_event_file *events = file->private_data;

	poll_wait(file, &events->wait, wait);
	return marena_events_any(events) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* ---- coming and going ---------------------------------------------------- */

static int marena_events_enlist(struct marena_event_file *events)
{
	struct marena_arena *arena = events->arena;
	int err = -ENOSPC;

	mutex_lock(&arena->lock);
	if (arena->nr_event_files < MARENA_MAX_EVENT_FILES) {
		list_add_tail(&events->link, &arena->event_files);
		arena->nr_event_files++;
		err = 0;
	}
	mutex_unlock(&arena->lock);
	return err;
}

static void marena_events_delist(struct marena_event_file *events)
{
	struct marena_arena *arena = events->arena;

	mutex_lock(&arena->lock);
	list_del(&events->link);
	arena->nr_event_files--;
	mutex_unlock(&arena->lock);
}

static int marena_events_release(struct inode *inode, struct file *file)
{
	struct marena_event_file *events = file->private_data;

	marena_events_delist(events);
	kvfree(events);
	return marena_file_release(inode, file);
}

static const struct file_operations marena_events_fops = {
	.owner = THIS_MODULE,
	.read = marena_events_read,
	.poll = marena_events_poll,
	.release = marena_events_release,
};

static struct marena_event_file *
marena_events_alloc(struct marena_arena *arena, u32 capacity)
{
	struct marena_event_file *events;

	events = kvzalloc(struct_size(events, queue, capacity),
			  GFP_KERNEL_ACCOUNT);
	if (!events)
		return NULL;
	events->arena = arena;
	events->capacity = capacity;
	init_waitqueue_head(&events->wait);
	mutex_init(&events->read_lock);
	spin_lock_init(&events->lock);
	return events;
}

/* MARENA_EVENTS: returns the event file. The caller has a file of the arena. */
struct file *marena_events_open(struct marena_arena *arena, u32 *capacity)
{
	struct marena_event_file *events;
	struct file *file;
	int err;

	if (!*capacity)
		*capacity = MARENA_EVENTS_DEFAULT;
	if (*capacity > MARENA_EVENTS_MAX)
		return ERR_PTR(-EINVAL);
	events = marena_events_alloc(arena, *capacity);
	if (!events)
		return ERR_PTR(-ENOMEM);
	err = marena_events_enlist(events);
	if (err)
		goto err_free;

	ihold(arena->inode);
	file = marena_file_new(arena->inode, "marena-events", O_RDONLY,
			       &marena_events_fops);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_iput;
	}
	file->private_data = events;
	return file;

err_iput:
	iput(arena->inode);
	marena_events_delist(events);
err_free:
	kvfree(events);
	return ERR_PTR(err);
}

#ifdef MARENA_KUNIT
#include "event_test.c"
#endif
