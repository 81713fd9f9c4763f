// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leases: a client has a span for itself, to make objects in its free slots
 * without a call. All under arena->lock.
 *
 * A lease counts one on every page of the span, so that each has memory. It is
 * worth something until the gate has another value than when it was given: a
 * rendezvous ends all leases but those that a stopped thread may be using.
 */
#include <linux/nospec.h>
#include <linux/sched.h>

#include "arena.h"
#include "client.h"
#include "collector.h"
#include "generation.h"
#include "lease.h"
#include "mark.h"
#include "mutation.h"
#include "pace.h"
#include "page.h"
#include "refs.h"
#include "region.h"
#include "space.h"
#include "span.h"
#include "type.h"

/* Cycles that are run for a lease before there is no room for it. */
#define MARENA_LEASE_CYCLES	3

/* Leases that are taken back before others may have the lock. */
#define MARENA_REVOKE_BATCH	256

/* All bytes of free slots are to read 0. Absent pages do so anyway. */
static void marena_span_zero_free(struct marena_arena *arena,
				  struct marena_span *span)
{
	unsigned long *bits = marena_span_alloc_bits(arena, span);
	unsigned int stride = span->slot_size / MARENA_GRANULE;
	u32 slot;

	if (marena_span_is_large(span))
		return;
	for (slot = 0; slot < span->nr_slots; slot++)
		if (!test_bit(slot * stride, bits))
			marena_pages_zero(arena,
					  span->offset + slot * span->slot_size,
					  span->slot_size);
}

/*
 * Objects that come to be in the span while marking are live: mark what is
 * free. The marks of what is not a slot mean nothing.
 */
static void marena_span_blacken(struct marena_arena *arena,
				struct marena_span *span)
{
	unsigned long *mark = marena_span_mark_bits(arena, span);
	unsigned long *alloc = marena_span_alloc_bits(arena, span);
	unsigned int word;

	lockdep_assert_held(&arena->lock);
	if (marena_span_is_large(span)) {
		set_bit(0, mark);
		return;
	}
	for (word = 0; word < marena_span_words(span); word++)
		atomic_long_or(~READ_ONCE(alloc[word]),
			       (atomic_long_t *)&mark[word]);
}

static int marena_span_lease(struct marena_client *client,
			     struct marena_span *span, u32 gate)
{
	struct marena_arena *arena = client->arena;
	bool fresh;
	int err;

	lockdep_assert_held(&arena->lock);
	err = marena_pages_add_ref(arena, span->offset >> MARENA_PAGE_SHIFT,
				   span->nr_pages, &fresh);
	if (err)
		return err;
	if (!fresh && !marena_mutated(MARENA_SKIP_ZERO))
		marena_span_zero_free(arena, span);
	marena_span_forget_free(arena, span);
	if (arena->marking && !marena_mutated(MARENA_SKIP_BLACKEN))
		marena_span_blacken(arena, span);
	else
		span->swept = arena->marked;
	marena_span_set_young(arena, span);
	span->client = client;
	span->gate = gate;
	span->unsettled = false;
	list_add_tail(&span->link, &client->leases);
	list_add_tail(&span->arena_link, &arena->leases);
	arena->nr_leases++;
	return 0;
}

/* The lease ends. What it leaves is settled later, or by who ends it. */
void marena_span_unlease(struct marena_arena *arena, struct marena_span *span)
{
	lockdep_assert_held(&arena->lock);
	span->client = NULL;
	span->kept = false;
	marena_span_unlist(arena, span);
	list_del_init(&span->arena_link);
	arena->nr_leases--;
}

/*
 * Nobody leases the span any more, or, if not @leased, it could not be. Nothing
 * goes while marking: then the sweep settles it. If that has been by already and
 * left it alone, the marks hold.
 */
static void marena_span_release(struct marena_arena *arena,
				struct marena_span *span, bool leased)
{
	struct marena_settled done = {};

	lockdep_assert_held(&arena->lock);
	if (arena->marking) {
		if (!leased && span->class)
			list_move(&span->link, &span->class->partial);
		return;
	}
	/* Nothing is swept by those marks any more, so it may be leased. */
	if (!arena->marks_hold)
		span->swept = arena->marked;
	if (marena_span_is_swept(arena, span)) {
		marena_span_settle(arena, span, &done);
		return;
	}
	marena_span_sweep(arena, span, &done);
	marena_collector_account(&arena->col, &done);
}

/*
 * One try. -EAGAIN: the gate is closed, and the caller waits for it, or there
 * is more to be done. A caller inside a section does not wait, as the gate may
 * wait for it in turn.
 */
static int marena_lease_try(struct marena_client *client,
			    struct marena_type *type, struct marena_lease *arg)
{
	struct marena_arena *arena = client->arena;
	struct marena_span *span;
	int err;

	lockdep_assert_held(&arena->lock);
	if (client->ended)
		return -ESTALE;
	if (!marena_gate_is_open(arena) && !(arg->flags & MARENA_LEASE_NOWAIT))
		return -EAGAIN;

	arg->gate = READ_ONCE(arena->gate) & ~1U;
	span = marena_span_get(arena, type, arg->bytes);
	if (IS_ERR(span))
		return PTR_ERR(span);
	err = marena_span_lease(client, span, arg->gate);
	if (err) {
		marena_span_release(arena, span, false);
		return err;
	}
	arg->bytes = span->slot_size;
	arg->base = arena->base + span->offset;
	arg->nr_slots = span->nr_slots;
	marena_pace_leased(arena);
	return 0;
}

static int marena_lease_at_open_gate(struct marena_client *client,
				     struct marena_type *type,
				     struct marena_lease *arg)
{
	struct marena_arena *arena = client->arena;
	int err;

	for (;;) {
		if (mutex_lock_killable(&arena->lock))
			return -EINTR;
		err = marena_lease_try(client, type, arg);
		mutex_unlock(&arena->lock);
		if (err != -EAGAIN)
			return err;
		if (arg->flags & MARENA_LEASE_NOWAIT)
			continue;
		err = marena_gate_wait(arena);
		if (err)
			return err;
	}
}

static int marena_lease_or_collect(struct marena_client *client,
				   struct marena_type *type,
				   struct marena_lease *arg)
{
	struct marena_arena *arena = client->arena;
	unsigned int cycles, reason;
	u64 cycle;
	int err;

	for (cycles = 0;; cycles++) {
		err = marena_lease_at_open_gate(client, type, arg);
		if (err != -ENOSPC && err != -EDQUOT && err != -ENOMEM)
			return err;
		/* Others may have taken what the last cycle freed. */
		if (cycles == MARENA_LEASE_CYCLES)
			return err;
		reason = err == -ENOMEM ? MARENA_REASON_PRESSURE :
					  MARENA_REASON_LIMIT;
		if (arg->flags & MARENA_LEASE_NOWAIT) {
			marena_collector_request(arena, reason, true);
			return err;
		}
		if (marena_collector_run(arena, reason, true, &cycle) == -EINTR)
			return -EINTR;
	}
}

/* The span that the client has leased, by what it says of it, or NULL. */
static struct marena_span *marena_span_leased(struct marena_client *client,
					      const struct marena_lease *arg)
{
	struct marena_arena *arena = client->arena;
	u64 offset = arg->base - arena->base;
	struct marena_span *span;

	lockdep_assert_held(&arena->lock);
	if (offset >= arena->size)
		return NULL;
	offset = array_index_nospec(offset, arena->size);
	span = marena_span_at(arena, offset);
	if (span && span->client == client && span->offset == offset &&
	    arg->gate == span->gate &&
	    arg->gate == (READ_ONCE(arena->gate) & ~1U))
		return span;
	return NULL;
}

/*
 * A lease is used up, and its holder wants another: as at a rendezvous, it is over,
 * and the counts of its pages are left for the sweep. So a thread that stays in a
 * section keeps no more than it may be using.
 */
static void marena_lease_replace(struct marena_client *client,
				 const struct marena_lease *arg)
{
	struct marena_arena *arena = client->arena;
	struct marena_span *span;

	mutex_lock(&arena->lock);
	span = marena_span_leased(client, arg);
	if (span) {
		marena_span_unlease(arena, span);
		span->unsettled = true;
	}
	mutex_unlock(&arena->lock);
}

/* MARENA_LEASE */
int marena_lease(struct marena_client *client, struct marena_lease *arg)
{
	struct marena_arena *arena = client->arena;
	struct marena_type *type;
	int err;

	if (arg->flags & ~(MARENA_LEASE_NOWAIT | MARENA_LEASE_REPLACE))
		return -EINVAL;
	type = marena_type_find(arena, arg->type);
	if (!type || !arg->bytes || arg->bytes > MARENA_SPACE_LARGEST ||
	    arg->bytes % type->object_size)
		return -EINVAL;
	if (arg->bytes > arena->size)
		return -ENOSPC;

	if (arg->flags & MARENA_LEASE_REPLACE)
		marena_lease_replace(client, arg);
	err = marena_lease_or_collect(client, type, arg);
	if (!err && !(arg->flags & MARENA_LEASE_NOWAIT))
		marena_assist(arena, DIV_ROUND_UP_ULL(arg->nr_slots * arg->bytes,
						      MARENA_PAGE_SIZE));
	return err;
}

/* MARENA_UNLEASE */
int marena_unlease(struct marena_client *client,
		   const struct marena_lease *arg)
{
	struct marena_arena *arena = client->arena;
	struct marena_span *span;

	if (arg->flags)
		return -EINVAL;
	mutex_lock(&arena->lock);
	span = marena_span_leased(client, arg);
	if (span) {
		marena_span_unlease(arena, span);
		marena_span_release(arena, span, true);
	}
	mutex_unlock(&arena->lock);
	return span ? 0 : -ENOENT;
}

/* The client has ended: end its leases. */
void marena_leases_drop(struct marena_client *client)
{
	struct marena_arena *arena = client->arena;
	struct marena_span *span, *next;

	lockdep_assert_held(&arena->lock);
	list_for_each_entry_safe(span, next, &client->leases, link) {
		marena_span_unlease(arena, span);
		marena_span_release(arena, span, true);
		cond_resched();
	}
}

/*
 * Is there no slot left to be used? A small lease's holder says that, as it asks for
 * another; who has made a large object asks for nothing more.
 */
static bool marena_lease_is_used_up(struct marena_arena *arena,
				    struct marena_span *span)
{
	return marena_span_is_large(span) &&
	       test_bit(0, marena_span_alloc_bits(arena, span));
}

/*
 * The rendezvous has succeeded, but a stopped thread of the client may be using
 * leases of before. @gate: which, as its slot says.
 */
void marena_leases_keep(struct marena_client *client, u32 gate)
{
	struct marena_arena *arena = client->arena;
	struct marena_span *span;

	mutex_lock(&arena->lock);
	list_for_each_entry(span, &client->leases, link)
		if (span->gate != arena->gate &&
		    (!gate || span->gate == gate - 1) &&
		    !marena_lease_is_used_up(arena, span))
			span->kept = true;
	mutex_unlock(&arena->lock);
}

/*
 * The lease goes on. What comes to be in the span is live, and so is what is
 * there: of an object that has just been made, the thread may have nothing yet
 * by which to know it.
 */
static void marena_span_keep(struct marena_arena *arena,
			     struct marena_span *span)
{
	unsigned int stride = span->slot_size / MARENA_GRANULE;
	unsigned long *bits = marena_span_alloc_bits(arena, span);
	u32 slot;

	lockdep_assert_held(&arena->lock);
	span->kept = false;
	list_move_tail(&span->arena_link, &arena->leases);
	for (slot = 0; slot < span->nr_slots; slot++)
		if (test_bit(slot * stride, bits))
			marena_shade(arena, span->offset +
					    slot * span->slot_size);
	marena_span_blacken(arena, span);
	marena_refs_keep(span->client, span);
}

/*
 * The rendezvous has succeeded, and leases of before are worth nothing, but for
 * those that are kept: take them out of the tables. The counts of their pages
 * are left for the sweep to settle.
 */
void marena_leases_revoke(struct marena_arena *arena)
{
	struct marena_span *span;
	unsigned int n = 0;

	mutex_lock(&arena->lock);
	while (!list_empty(&arena->revoked)) {
		span = list_first_entry(&arena->revoked, struct marena_span,
					arena_link);
		n++;
		if (span->kept) {
			/* That looks at each of its objects. */
			marena_span_keep(arena, span);
			n = MARENA_REVOKE_BATCH;
		} else {
			marena_span_unlease(arena, span);
		}
		if (n < MARENA_REVOKE_BATCH)
			continue;
		n = 0;
		mutex_unlock(&arena->lock);
		cond_resched();
		mutex_lock(&arena->lock);
	}
	mutex_unlock(&arena->lock);
}

#ifdef MARENA_KUNIT
#include "lease_test.c"
#endif
