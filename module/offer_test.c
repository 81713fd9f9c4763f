// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of offer.c: who may take an offer, what goes with its client, and that
 * the marker misses none.
 */
#include "barrier.h"
#include "collector.h"
#include "rendezvous.h"
#include "sweep.h"
#include "test.h"

/* An object, with nothing that keeps it but what the test does. */
struct marena_test_offers {
	struct marena_arena *arena;
	struct marena_client *sender;
	struct marena_client *receiver;
	u64 object;
	struct list_head clients;
};

static void marena_test_offers_init(struct kunit *test,
				    struct marena_test_offers *o)
{
	struct marena_type *type;

	o->arena = marena_test_arena(test, SZ_4M, 0);
	o->sender = marena_test_client(test, o->arena);
	o->receiver = marena_test_client(test, o->arena);
	type = marena_type_find(o->arena, MARENA_TYPE_CONSERVATIVE);
	o->object = marena_test_lease(test, o->sender, type, 64)->offset;
	marena_test_object(o->arena, o->object);
	INIT_LIST_HEAD(&o->clients);
}

static u64 marena_test_offer(struct kunit *test, struct marena_test_offers *o)
{
	struct marena_offer arg = { .object = o->arena->base + o->object };

	KUNIT_EXPECT_EQ(test, marena_offer(o->sender, &arg), 0);
	KUNIT_EXPECT_NE(test, arg.token, 0);
	return arg.token;
}

static int marena_test_accept(struct kunit *test, struct marena_test_offers *o,
			      u64 token)
{
	struct marena_offer arg = { .token = token };
	int err = marena_accept(o->receiver, &arg);

	if (!err)
		KUNIT_EXPECT_EQ(test, arg.object, o->arena->base + o->object);
	return err;
}

static u64 marena_test_held(struct kunit *test, struct marena_test_offers *o)
{
	struct marena_refs arg = { .object = o->arena->base + o->object };

	KUNIT_EXPECT_EQ(test, marena_refs_count(o->receiver, &arg), 0);
	return arg.refs;
}

static void marena_test_offers_cut(struct kunit *test,
				   struct marena_test_offers *o)
{
	u64 pause;

	marena_regions_clear_marks(o->arena);
	KUNIT_ASSERT_EQ(test, marena_rendezvous(o->arena, &o->clients, &pause),
			0);
	KUNIT_EXPECT_TRUE(test, o->arena->offers_pending);
}

/* Returns whether the object has outlived the cycle. */
static bool marena_test_offers_end(struct kunit *test,
				   struct marena_test_offers *o)
{
	struct marena_cycle_figures figures = {};
	struct marena_settled settled = {};

	KUNIT_EXPECT_TRUE(test, marena_mark(o->arena, &o->clients, &figures));
	KUNIT_EXPECT_FALSE(test, o->arena->offers_pending);
	marena_mark_end(o->arena, &o->clients, true, &figures);
	marena_sweep(o->arena, &settled);
	return marena_span_at(o->arena, o->object) &&
	       marena_alloc_test(o->arena, o->object);
}

static bool marena_test_outlives(struct kunit *test,
				 struct marena_test_offers *o)
{
	marena_test_offers_cut(test, o);
	return marena_test_offers_end(test, o);
}

static void marena_test_accept_once(struct kunit *test)
{
	struct marena_test_offers o;
	u64 token;

	marena_test_offers_init(test, &o);
	token = marena_test_offer(test, &o);
	KUNIT_EXPECT_EQ(test, marena_test_accept(test, &o, token + 1), -ENOENT);
	KUNIT_EXPECT_TRUE(test, marena_test_outlives(test, &o));
	KUNIT_EXPECT_EQ(test, marena_test_accept(test, &o, token), 0);
	KUNIT_EXPECT_EQ(test, marena_test_accept(test, &o, token), -ENOENT);
	KUNIT_EXPECT_EQ(test, marena_test_held(test, &o), 1);
	KUNIT_EXPECT_EQ(test, o.sender->nr_offers, 0);
	KUNIT_EXPECT_TRUE(test, marena_test_outlives(test, &o));
	*marena_test_refs(test, o.receiver, o.object) = 0;
	KUNIT_EXPECT_FALSE(test, marena_test_outlives(test, &o));
}

/* More than a byte holds. */
static void marena_test_accept_many(struct kunit *test)
{
	struct marena_test_offers o;
	unsigned int i;

	marena_test_offers_init(test, &o);
	for (i = 0; i < 600; i++)
		KUNIT_EXPECT_EQ(test,
				marena_test_accept(test, &o,
						   marena_test_offer(test, &o)),
				0);
	KUNIT_EXPECT_EQ(test, marena_test_held(test, &o), 600);
	KUNIT_EXPECT_EQ(test, o.receiver->nr_spills, 1);
}

static void marena_test_withdraw(struct kunit *test)
{
	struct marena_offer arg = {};
	struct marena_test_offers o;

	marena_test_offers_init(test, &o);
	arg.token = marena_test_offer(test, &o);
	KUNIT_EXPECT_EQ(test, marena_withdraw(o.receiver, &arg), -ENOENT);
	KUNIT_EXPECT_EQ(test, marena_withdraw(o.sender, &arg), 0);
	KUNIT_EXPECT_EQ(test, marena_withdraw(o.sender, &arg), -ENOENT);
	KUNIT_EXPECT_EQ(test, marena_test_accept(test, &o, arg.token), -ENOENT);
	KUNIT_EXPECT_FALSE(test, marena_test_outlives(test, &o));
}

static void marena_test_sender_ends(struct kunit *test)
{
	struct marena_offer arg = {};
	struct marena_test_offers o;
	u64 token;

	marena_test_offers_init(test, &o);
	token = marena_test_offer(test, &o);
	marena_client_end(o.sender);
	KUNIT_EXPECT_EQ(test, marena_test_accept(test, &o, token), -ENOENT);
	arg.object = o.arena->base + o.object;
	KUNIT_EXPECT_EQ(test, marena_offer(o.sender, &arg), -ESTALE);
	KUNIT_EXPECT_FALSE(test, marena_test_outlives(test, &o));
}

/* Between the rendezvous and the marker's visit. */
static void marena_test_accept_marking(struct kunit *test)
{
	struct marena_test_offers o;
	u64 token;

	marena_test_offers_init(test, &o);
	token = marena_test_offer(test, &o);
	marena_test_offers_cut(test, &o);
	KUNIT_EXPECT_EQ(test, marena_test_accept(test, &o, token), 0);
	KUNIT_EXPECT_TRUE(test, marena_test_offers_end(test, &o));
}

/* The receiver counted, and it has passed by where the marker has not been. */
static void marena_test_passed_on_marking(struct kunit *test)
{
	struct marena_test_offers o;
	u64 token;

	marena_test_offers_init(test, &o);
	token = marena_test_offer(test, &o);
	marena_test_offers_cut(test, &o);
	KUNIT_EXPECT_EQ(test, marena_test_accept(test, &o, token), 0);
	*marena_test_refs(test, o.receiver, o.object) = 0;
	KUNIT_EXPECT_TRUE(test, marena_test_offers_end(test, &o));
	KUNIT_EXPECT_FALSE(test, marena_test_outlives(test, &o));
}

/* Nothing is counted in a map that is gone, and the offer is for another. */
static void marena_test_receiver_ended(struct kunit *test)
{
	struct marena_test_offers o;
	u64 token;

	marena_test_offers_init(test, &o);
	token = marena_test_offer(test, &o);
	marena_client_end(o.receiver);
	KUNIT_EXPECT_EQ(test, marena_test_accept(test, &o, token), -ESTALE);
	KUNIT_EXPECT_TRUE(test, xa_empty(&o.receiver->pages));
	KUNIT_EXPECT_EQ(test, o.sender->nr_offers, 1);
	o.receiver = marena_test_client(test, o.arena);
	KUNIT_EXPECT_EQ(test, marena_test_accept(test, &o, token), 0);
}

/*
 * Nobody finds a token from others: next to each other they differ in each bit, now
 * and then, as few of those do that are counted.
 */
static void marena_test_tokens(struct kunit *test)
{
	struct marena_test_offers o;
	u64 token, last, changed = 0, same = 0;
	unsigned int i;

	marena_test_offers_init(test, &o);
	last = marena_test_offer(test, &o);
	for (i = 1; i < MARENA_MAX_OFFERS; i++) {
		token = marena_test_offer(test, &o);
		changed |= token ^ last;
		same |= ~(token ^ last);
		last = token;
	}
	KUNIT_EXPECT_EQ(test, changed, ~0ULL);
	KUNIT_EXPECT_EQ(test, same, ~0ULL);
}

static void marena_test_offer_limits(struct kunit *test)
{
	struct marena_offer arg = {};
	struct marena_test_offers o;
	unsigned int i;

	marena_test_offers_init(test, &o);
	KUNIT_EXPECT_EQ(test, marena_offer(o.sender, &arg), -EINVAL);
	arg.object = o.arena->base + o.object + 16;
	KUNIT_EXPECT_EQ(test, marena_offer(o.sender, &arg), -EINVAL);
	for (i = 0; i < MARENA_MAX_OFFERS; i++)
		marena_test_offer(test, &o);
	arg.object = o.arena->base + o.object;
	KUNIT_EXPECT_EQ(test, marena_offer(o.sender, &arg), -ENOSPC);
	marena_client_end(o.sender);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&o.arena->offers));
}

static struct kunit_case marena_offer_cases[] = {
	KUNIT_CASE(marena_test_accept_once),
	KUNIT_CASE(marena_test_accept_many),
	KUNIT_CASE(marena_test_withdraw),
	KUNIT_CASE(marena_test_sender_ends),
	KUNIT_CASE(marena_test_accept_marking),
	KUNIT_CASE(marena_test_passed_on_marking),
	KUNIT_CASE(marena_test_receiver_ended),
	KUNIT_CASE(marena_test_tokens),
	KUNIT_CASE(marena_test_offer_limits),
	{}
};

static struct kunit_suite marena_offer_suite = {
	.name = "marena-offer",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_offer_cases,
};

kunit_test_suite(marena_offer_suite);
