// SPDX-License-Identifier: GPL-2.0-only
/*
 * Weak fields: references that the marker does not follow. Once marking is over,
 * and before anything that is not marked is freed, those that refer to it are
 * cleared.
 *
 * Between the rendezvous and that, a thread must not read such a field and take
 * a reference on its own: the marker knows of neither, so what it took may be
 * found dead. marena_control.weak tells it so, and it asks here. The answer is
 * one of two, and col.mark_lock decides which: marking is not over, then the
 * object is marked, and all that it refers to will be; or it is, then the object
 * is as good as gone if it is not marked.
 *
 * @weak is set in the rendezvous, before threads go on that were kept out of their
 * sections or stopped in them. One that reads it as 0 in a section, then the
 * field, and finds the gate as it was before, has its pointer from before the
 * next rendezvous, which finds that. A type that is registered while marking needs
 * none of that: whatever is stored in its objects was held after the rendezvous,
 * and is not found dead.
 */
#include <linux/kthread.h>
#include <linux/nospec.h>
#include <linux/sched.h>

#include "arena.h"
#include "client.h"
#include "generation.h"
#include "mark.h"
#include "region.h"
#include "span.h"
#include "test_point.h"
#include "type.h"
#include "weak.h"

/* Tell all clients, and those that attach later, how to read weak fields. */
void marena_weak_set(struct marena_arena *arena, bool weak)
{
	struct marena_client *client;

	spin_lock(&arena->client_lock);
	arena->weak = weak;
	list_for_each_entry(client, &arena->clients, link) {
		/* Pairs with the load of who reads a field: it is cleared. */
		smp_store_release(&client->control->weak, weak);
	}
	spin_unlock(&arena->client_lock);
}

/* Does a live object start at @offset? Marking is closed, and spans stay. */
static bool marena_weak_is_live(struct marena_arena *arena, u64 offset)
{
	return marena_object_starts(arena, offset) &&
	       marena_mark_test(arena, offset);
}

/* What is freed without a cycle, as it is counted, cannot be referred to weakly. */
static bool marena_weak_may_refer(struct marena_arena *arena, u64 offset)
{
	return marena_object_starts(arena, offset) &&
	       !marena_type_is_counted(marena_span_at(arena, offset)->type);
}

/* The program may store another object meanwhile: then that stays. */
static void marena_weak_clear_field(struct marena_arena *arena, u64 *field)
{
	u64 target = READ_ONCE(*field);
	u64 offset = target - arena->base;

	marena_test_point();
	if (target && !(marena_weak_may_refer(arena, offset) &&
			marena_mark_test(arena, offset)))
		cmpxchg(field, target, 0);
}

/* Clear the fields between @from and @to, on one page, of an array at @start. */
static void marena_weak_clear_bytes(struct marena_arena *arena,
				    const struct marena_type *type, u64 start,
				    u64 from, u64 to)
{
	const u32 *weak = marena_type_weak(type);
	u64 element = from - from % type->object_size;
	u32 i;

	for (; element < to; element += type->object_size) {
		for (i = 0; i < type->nr_weak; i++) {
			u64 at = element + weak[i];
			u64 *field;

			if (at < from || at >= to)
				continue;
			field = marena_heap_at(arena, start + at);
			if (field)
				marena_weak_clear_field(arena, field);
		}
	}
}

/* Clear the fields of the object at @start, on those pages that have memory. */
static void marena_weak_clear_object(struct marena_arena *arena,
				     const struct marena_span *span, u64 start)
{
	u64 from, to;

	for (from = 0; from < span->slot_size; from = to) {
		to = min_t(u64, span->slot_size,
			   round_down(start + from, MARENA_PAGE_SIZE) +
			   MARENA_PAGE_SIZE - start);
		if (marena_heap_at(arena, start + from))
			marena_weak_clear_bytes(arena, span->type, start, from,
						to);
		cond_resched();
		if (kthread_should_stop())
			return;
	}
}

static void marena_weak_clear_span(void *ctx, const struct marena_span *span)
{
	struct marena_arena *arena = ctx;
	u64 start = span->offset;
	u32 slot;

	for (slot = 0; slot < span->nr_slots; slot++, start += span->slot_size)
		if (marena_weak_is_live(arena, start))
			marena_weak_clear_object(arena, span, start);
}

/* Spans that come meanwhile are listed before those seen here. */
static void marena_weak_clear_all(struct marena_arena *arena)
{
	struct marena_span *span;

	mutex_lock(&arena->lock);
	span = list_first_entry(&arena->weak_spans, struct marena_span,
				weak_link);
	mutex_unlock(&arena->lock);
	list_for_each_entry_from(span, &arena->weak_spans, weak_link) {
		marena_weak_clear_span(arena, span);
		cond_resched();
	}
}

static void marena_weak_clear_slot(void *ctx, const struct marena_span *span,
				   u64 start, u64 from, u64 to)
{
	struct marena_arena *arena = ctx;

	if (marena_weak_is_live(arena, start))
		marena_weak_clear_bytes(arena, span->type, start, from, to);
}

static bool marena_weak_clear_page(void *ctx, u64 page)
{
	const struct marena_span *span;

	span = marena_span_at(ctx, page << MARENA_PAGE_SHIFT);
	if (span && marena_type_has_weak(span->type))
		marena_slots_visit(ctx, page, marena_weak_clear_slot, ctx);
	return !kthread_should_stop();
}

/*
 * What a minor cycle finds dead was young. So it is referred to from young
 * objects, or from a page that was written since it came to be.
 */
static void marena_weak_clear_minor(struct marena_arena *arena)
{
	marena_young_spans(arena, marena_type_has_weak, marena_weak_clear_span,
			   arena);
	marena_remembered_visit(arena, marena_weak_clear_page, arena);
}

/*
 * Marking is closed, but arena->marking still holds spans and pages where they
 * are: clear the weak fields of live objects that refer to none. What is stored
 * meanwhile is live.
 */
void marena_weak_clear(struct marena_arena *arena)
{
	if (arena->minor)
		marena_weak_clear_minor(arena);
	else
		marena_weak_clear_all(arena);
	marena_weak_set(arena, false);
}

/* What the field refers to, which stays live for this cycle at least. */
static int marena_weak_look(struct marena_arena *arena,
			    struct marena_weak_get *arg)
{
	u64 offset = arg->field - arena->base, target;
	u64 *field;

	if (arg->flags || arg->field % sizeof(u64) || offset >= arena->size)
		return -EINVAL;
	offset = array_index_nospec(offset, arena->size);

	lockdep_assert_held(&arena->lock);
	field = marena_heap_at(arena, offset);
	target = field ? READ_ONCE(*field) : 0;
	offset = target - arena->base;
	if (!marena_weak_may_refer(arena, offset))
		target = 0;
	if (target && arena->marking) {
		marena_shade(arena, offset);
		if (!marena_mark_test(arena, offset))
			target = 0;
	}
	arg->object = target;
	return 0;
}

/* MARENA_WEAK_GET. @object: where the result is to be. */
int marena_weak_get(struct marena_arena *arena, struct marena_weak_get *arg,
		    u64 __user *object)
{
	unsigned int tries = 0;
	int err;

	do {
		mutex_lock(&arena->lock);
		err = marena_weak_look(arena, arg);
		if (!err)
			err = marena_address_tell(object, arg->object);
		mutex_unlock(&arena->lock);
	} while (marena_address_retry(object, err, &tries));
	return err;
}

#ifdef MARENA_KUNIT
#include "weak_test.c"
#endif
