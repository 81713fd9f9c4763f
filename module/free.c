// SPDX-License-Identifier: GPL-2.0-only
/*
 * Freeing objects of counted types as soon as nobody holds them.
 *
 * Nothing keeps such an object but the references that clients hold, and offers.
 * So it is dead when all counts are zero at one moment. They are looked at one
 * after the other here, and that is enough: with arena->offer_lock held, a count
 * that is zero stays so. It could only rise by an offer that is accepted, which
 * waits for the lock; or by a reference that is taken to what somebody in the same
 * client holds, whose count is not zero then. Nothing in the heap leads to the
 * object, and no root; and when it was made, its count came before its alloc bit,
 * which was looked at first. Counts on their way between the map and the kernel
 * are waited for (client->spill_lock).
 *
 * User space names the objects, and may be wrong in any way: what is freed follows
 * from the counts alone.
 */
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "client.h"
#include "collector.h"
#include "event.h"
#include "free.h"
#include "generation.h"
#include "lease.h"
#include "page.h"
#include "refs.h"
#include "span.h"
#include "type.h"

/**
 * struct marena_batch - objects that are perhaps to be freed
 * @offsets: where they are
 * @nr: how many are left
 */
struct marena_batch {
	u64 offsets[MARENA_FREE_MAX];
	unsigned int nr;
};

static void marena_batch_remove(struct marena_batch *batch, unsigned int i)
{
	batch->offsets[i] = batch->offsets[--batch->nr];
}

/*
 * Where a span is leased, a thread may be writing the very word of the alloc map
 * that is to be changed, and undo it. Then the object dies in the next cycle,
 * again; so one whose death is told is left to that at once. The sweep goes
 * through a large object that is not leased in pieces, and finds it as it was.
 */
static bool marena_span_may_change(struct marena_arena *arena,
				   const struct marena_span *span)
{
	if (span->client)
		return marena_span_is_large(span) ||
		       !(span->type->flags & MARENA_TYPE_F_EVENTS);
	return !marena_span_is_large(span) ||
	       READ_ONCE(arena->col.phase) != MARENA_PHASE_SWEEP;
}

static bool marena_may_free(struct marena_arena *arena, u64 offset)
{
	const struct marena_span *span;

	if (!marena_object_starts(arena, offset))
		return false;
	span = marena_span_at(arena, offset);
	return marena_type_is_counted(span->type) &&
	       marena_span_may_change(arena, span);
}

/* Is the offset with that number one of those before? */
static bool marena_batch_has(const struct marena_batch *batch, unsigned int i)
{
	unsigned int j;

	for (j = 0; j < i; j++)
		if (batch->offsets[j] == batch->offsets[i])
			return true;
	return false;
}

/*
 * Leave out what is not to be freed here, whoever holds it; and what is named twice:
 * once it is free, the next object there may have been made.
 */
static void marena_batch_check(struct marena_arena *arena,
			       struct marena_batch *batch)
{
	unsigned int i = 0;

	while (i < batch->nr) {
		u64 *offset = &batch->offsets[i];

		if (*offset < arena->size)
			*offset = array_index_nospec(*offset, arena->size);
		if (marena_may_free(arena, *offset) &&
		    !marena_batch_has(batch, i))
			i++;
		else
			marena_batch_remove(batch, i);
	}
	/* Orders the alloc bits before the counts. */
	smp_rmb();
}

/* Leave out what the client holds. */
static void marena_batch_ask(struct marena_client *client,
			     struct marena_batch *batch)
{
	unsigned int i = 0;

	mutex_lock(&client->spill_lock);
	while (i < batch->nr) {
		if (marena_refs_any(client, batch->offsets[i]))
			marena_batch_remove(batch, i);
		else
			i++;
	}
	mutex_unlock(&client->spill_lock);
}

/* The next client, or the first. With arena->lock held none leaves the list. */
static struct marena_client *marena_client_next(struct marena_arena *arena,
						struct marena_client *client)
{
	struct list_head *next;

	lockdep_assert_held(&arena->lock);
	spin_lock(&arena->client_lock);
	next = client ? client->link.next : arena->clients.next;
	spin_unlock(&arena->client_lock);
	return next == &arena->clients ? NULL :
	       list_entry(next, struct marena_client, link);
}

/*
 * Free the object at @offset, for the client, which finds that nothing keeps it.
 * The slot may be used again at once where it is leased; so it is zeroed. A large
 * object's lease ends, if it is the client's.
 */
static void marena_free_object(struct marena_client *client, u64 offset,
			       struct marena_settled *done)
{
	struct marena_arena *arena = client->arena;
	struct marena_span *span = marena_span_at(arena, offset);
	u64 bit = (offset - span->offset) / MARENA_GRANULE;
	unsigned long *bits = marena_span_alloc_bits(arena, span);

	lockdep_assert_held(&arena->lock);
	if (span->type->flags & MARENA_TYPE_F_EVENTS)
		marena_events_tell(arena, span, bit / BITS_PER_LONG,
				   BIT(bit % BITS_PER_LONG));
	marena_slot_forget(arena, span, offset);
	if (marena_span_is_large(span)) {
		if (span->client == client)
			marena_span_unlease(arena, span);
	} else if (span->client) {
		marena_pages_zero(arena, offset, span->slot_size);
	}
	/* Whoever sees the slot free sees the zeroes. */
	smp_mb__before_atomic();
	clear_bit(bit, bits);
	done->freed++;
	if (span->client)
		return;
	/* While marking nothing goes; a minor cycle settles young spans alone. */
	if (arena->marking)
		marena_span_set_young(arena, span);
	else
		span->unsettled = true;
}

/* Settle each span on which something was freed, once; not while marking. */
static void marena_batch_settle(struct marena_arena *arena,
				const struct marena_batch *batch,
				struct marena_settled *done)
{
	unsigned int i;

	if (arena->marking)
		return;
	for (i = 0; i < batch->nr; i++) {
		struct marena_span *span =
			marena_span_at(arena, batch->offsets[i]);

		/* It may be gone, with all that was on it. */
		if (span && span->unsettled)
			marena_span_settle(arena, span, done);
	}
}

static void marena_batch_free(struct marena_client *client,
			      struct marena_batch *batch)
{
	struct marena_arena *arena = client->arena;
	struct marena_settled done = {};
	struct marena_client *other = NULL;
	unsigned int i;

	lockdep_assert_held(&arena->offer_lock);
	marena_batch_check(arena, batch);
	while (batch->nr && (other = marena_client_next(arena, other)))
		marena_batch_ask(other, batch);
	for (i = 0; i < batch->nr; i++)
		/* User space may have cleared the bit. */
		if (marena_may_free(arena, batch->offsets[i]))
			marena_free_object(client, batch->offsets[i], &done);
	marena_batch_settle(arena, batch, &done);
	batch->nr = done.freed;
	marena_collector_account(&arena->col, &done);
}

/* MARENA_FREE */
int marena_free(struct marena_client *client, struct marena_free *arg)
{
	struct marena_arena *arena = client->arena;
	struct marena_batch batch;
	unsigned int i;

	if (arg->flags || !arg->nr || arg->nr > MARENA_FREE_MAX)
		return -EINVAL;
	batch.nr = arg->nr;
	if (copy_from_user(batch.offsets, u64_to_user_ptr(arg->objects),
			   batch.nr * sizeof(batch.offsets[0])))
		return -EFAULT;
	for (i = 0; i < batch.nr; i++)
		batch.offsets[i] -= arena->base;

	arg->freed = 0;
	mutex_lock(&arena->lock);
	/* An offer that is being accepted may wait for memory: not for that. */
	if (mutex_trylock(&arena->offer_lock)) {
		if (!arena->counted_offers && !client->ended) {
			marena_batch_free(client, &batch);
			arg->freed = batch.nr;
		}
		mutex_unlock(&arena->offer_lock);
	}
	mutex_unlock(&arena->lock);
	return 0;
}

#ifdef MARENA_KUNIT
#include "free_test.c"
#endif
