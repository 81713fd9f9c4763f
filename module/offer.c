// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offers: references on their way from one client to another. While one travels
 * it is the kernel's, in the name of the client that offers it: so there is no
 * instruction of either at which the process may die and the reference is lost,
 * or stays for ever.
 *
 * Offers are roots. One that goes while the marker is yet to visit them was there
 * at the rendezvous, so its object is shaded, as with roots.
 */
#include <linux/list.h>
#include <linux/random.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "arena.h"
#include "client.h"
#include "mark.h"
#include "offer.h"
#include "refs.h"
#include "span.h"
#include "type.h"

/* Offers that a client may have. */
#define MARENA_MAX_OFFERS 1024

/**
 * struct marena_offer_entry - an offer
 * @node: in arena->offers
 * @link: in client->offers
 * @client: who has made it
 * @token: what stands for it
 * @offset: where its object is
 * @counted: that is of a counted type
 */
struct marena_offer_entry {
	struct rb_node node;
	struct list_head link;
	struct marena_client *client;
	u64 token;
	u64 offset;
	bool counted;
};

static struct marena_offer_entry *
marena_offer_find(struct marena_arena *arena, u64 token)
{
	struct rb_node *at = arena->offers.rb_node;

	lockdep_assert_held(&arena->offer_lock);
	while (at) {
		struct marena_offer_entry *entry =
			rb_entry(at, struct marena_offer_entry, node);

		if (token == entry->token)
			return entry;
		at = token < entry->token ? at->rb_left : at->rb_right;
	}
	return NULL;
}

static bool marena_offer_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct marena_offer_entry, node)->token <
	       rb_entry(b, struct marena_offer_entry, node)->token;
}

/* Enter it, with a token that nobody has or can guess. */
static void marena_offer_add(struct marena_client *client,
			     struct marena_offer_entry *entry)
{
	struct marena_arena *arena = client->arena;

	do
		entry->token = get_random_u64();
	while (!entry->token || marena_offer_find(arena, entry->token));
	entry->client = client;
	rb_add(&entry->node, &arena->offers, marena_offer_less);
	list_add_tail(&entry->link, &client->offers);
	client->nr_offers++;
	arena->counted_offers += entry->counted;
}

/* The offer was perhaps a root at the rendezvous: the marker is to know it. */
static void marena_offer_remove(struct marena_arena *arena,
				struct marena_offer_entry *entry)
{
	lockdep_assert_held(&arena->offer_lock);
	if (READ_ONCE(arena->offers_pending))
		marena_shade(arena, entry->offset);
	rb_erase(&entry->node, &arena->offers);
	list_del(&entry->link);
	entry->client->nr_offers--;
	arena->counted_offers -= entry->counted;
	kfree(entry);
}

/* MARENA_OFFER */
int marena_offer(struct marena_client *client, struct marena_offer *arg)
{
	struct marena_arena *arena = client->arena;
	const struct marena_type *type;
	struct marena_offer_entry *entry;
	int err = 0;

	if (arg->flags)
		return -EINVAL;
	type = marena_object_type(arena, arg->object);
	if (!type)
		return -EINVAL;
	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	entry->offset = arg->object - arena->base;
	entry->counted = marena_type_is_counted(type);

	mutex_lock(&arena->offer_lock);
	/* One that ends after this has its offers dropped after this. */
	if (READ_ONCE(client->ended))
		err = -ESTALE;
	else if (client->nr_offers == MARENA_MAX_OFFERS)
		err = -ENOSPC;
	else
		marena_offer_add(client, entry);
	arg->token = entry->token;
	mutex_unlock(&arena->offer_lock);
	if (err)
		kfree(entry);
	return err;
}

/* MARENA_ACCEPT: counted where it arrives before it leaves. */
int marena_accept(struct marena_client *client, struct marena_offer *arg)
{
	struct marena_arena *arena = client->arena;
	struct marena_offer_entry *entry;
	int err = -ENOENT;

	if (arg->flags)
		return -EINVAL;
	mutex_lock(&arena->offer_lock);
	entry = marena_offer_find(arena, arg->token);
	if (READ_ONCE(client->ended))
		err = -ESTALE;
	else if (entry)
		err = marena_refs_take(client, entry->offset);
	if (!err) {
		arg->object = arena->base + entry->offset;
		marena_offer_remove(arena, entry);
	}
	mutex_unlock(&arena->offer_lock);
	return err;
}

/* MARENA_WITHDRAW */
int marena_withdraw(struct marena_client *client,
		    const struct marena_offer *arg)
{
	struct marena_arena *arena = client->arena;
	struct marena_offer_entry *entry;
	int err = -ENOENT;

	if (arg->flags)
		return -EINVAL;
	mutex_lock(&arena->offer_lock);
	entry = marena_offer_find(arena, arg->token);
	if (entry && entry->client == client) {
		marena_offer_remove(arena, entry);
		err = 0;
	}
	mutex_unlock(&arena->offer_lock);
	return err;
}

/* The client has ended. */
void marena_offers_drop(struct marena_client *client)
{
	struct marena_arena *arena = client->arena;
	struct marena_offer_entry *entry, *next;

	mutex_lock(&arena->offer_lock);
	list_for_each_entry_safe(entry, next, &client->offers, link)
		marena_offer_remove(arena, entry);
	mutex_unlock(&arena->offer_lock);
}

static void marena_offers_each(struct marena_arena *arena,
			       void (*visit)(void *ctx, u64 offset), void *ctx)
{
	struct rb_node *node;

	lockdep_assert_held(&arena->offer_lock);
	for (node = rb_first(&arena->offers); node; node = rb_next(node)) {
		visit(ctx, rb_entry(node, struct marena_offer_entry,
				    node)->offset);
		cond_resched();
	}
}

/* Visit the objects that travel, without a word to the marker. */
void marena_offers_look(struct marena_arena *arena,
			void (*visit)(void *ctx, u64 offset), void *ctx)
{
	mutex_lock(&arena->offer_lock);
	marena_offers_each(arena, visit, ctx);
	mutex_unlock(&arena->offer_lock);
}

/* The marker visits them. */
void marena_offers_visit(struct marena_arena *arena,
			 void (*visit)(void *ctx, u64 offset), void *ctx)
{
	mutex_lock(&arena->offer_lock);
	marena_offers_each(arena, visit, ctx);
	WRITE_ONCE(arena->offers_pending, false);
	mutex_unlock(&arena->offer_lock);
}

#ifdef MARENA_KUNIT
#include "offer_test.c"
#endif
