/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All commands, for uapi.c: what is known of each, a call of it that succeeds, and
 * how that is taken back. The fixture that they are variants of.
 */
#ifndef UAPI_COMMANDS_H
#define UAPI_COMMANDS_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

enum kind { DEVICE, ARENA, CLIENT, NR_KINDS };

#define MAX_RESERVED	2

struct uapi {
	struct mt_world world;
	const char *name;
	int fd[NR_KINDS];
	int rdonly[NR_KINDS];
	void *object;
	char *page;		/* the page after it cannot be accessed */
	struct marena_page_info info[4];
	__u32 refs[1];
	const char *victim;
	int victim_fd;
	struct marena_slot_op slot;
	struct marena_lease lease;
	struct marena_offer offer;
};

struct command {
	unsigned long cmd;
	size_t size;
	size_t first;			/* bytes when first published, if less */
	enum kind kind;
	__u32 flags;			/* those that are known */
	bool writes;			/* needs the right to write */
	bool results;			/* something is copied back */
	size_t reserved[MAX_RESERVED];	/* offsets of reserved __u32, or 0 */
	void (*fill)(struct uapi *u, void *arg);	/* in: a call that succeeds */
	void (*undo)(struct uapi *u, void *arg);	/* after it has */
};

FIXTURE(uapi)
{
	struct uapi u;
};

FIXTURE_VARIANT(uapi)
{
	struct command c;
};

/* --------------------------------------------- a valid call of each command */

static void set_name(__u8 *field, const char *name)
{
	snprintf((char *)field, MARENA_NAME_LEN, "%s", name);
}

static void fill_create(struct uapi *u, void *arg)
{
	mt_init_create(arg, mt_name("new"), MT_REGION);
}

static void undo_create(struct uapi *u, void *arg)
{
	struct marena_create *create = arg;

	mt_assert_eq(close(create->fd), 0);
}

static void fill_open(struct uapi *u, void *arg)
{
	struct marena_open *open = arg;

	set_name(open->name, u->name);
}

static void undo_open(struct uapi *u, void *arg)
{
	struct marena_open *open = arg;

	mt_assert_eq(close(open->fd), 0);
}

/* There is something to be unlinked until a call has succeeded. */
static void fill_unlink(struct uapi *u, void *arg)
{
	struct marena_unlink *unlink = arg;

	if (u->victim_fd < 0) {
		u->victim = mt_name("victim");
		u->victim_fd = mt_create(u->victim, MT_REGION, 0, 0);
		mt_assert_ge(u->victim_fd, 0);
	}
	set_name(unlink->name, u->victim);
}

static void undo_unlink(struct uapi *u, void *arg)
{
	mt_assert_eq(close(u->victim_fd), 0);
	u->victim_fd = -1;
}

static void undo_attach(struct uapi *u, void *arg)
{
	struct marena_attach *attach = arg;

	mt_assert_eq(close(attach->fd), 0);
}

static void fill_type(struct uapi *u, void *arg)
{
	struct marena_type_desc *type = arg;

	type->object_size = 16;
	type->refs = (unsigned long)u->refs;
	type->nrefs = 1;
	set_name(type->name, mt_name("type"));
}

static void fill_root_set(struct uapi *u, void *arg)
{
	struct marena_root *root = arg;

	root->object = (unsigned long)u->object;
	set_name(root->name, "new");
}

static void undo_root_set(struct uapi *u, void *arg)
{
	mt_assert_eq(mt_set_root(u->fd[ARENA], "new", NULL), 0);
}

static void fill_root_get(struct uapi *u, void *arg)
{
	struct marena_root *root = arg;

	set_name(root->name, "there");
}

static void fill_pages(struct uapi *u, void *arg)
{
	struct marena_pages *pages = arg;

	pages->buf = (unsigned long)u->info;
	pages->count = ARRAY_SIZE(u->info);
}

static void fill_refs(struct uapi *u, void *arg)
{
	struct marena_refs *refs = arg;

	refs->object = (unsigned long)u->object;
}

static void fill_settings(struct uapi *u, void *arg)
{
	struct marena_ioc_settings *settings = arg;

	settings->mask = MARENA_SET_GC_PERCENT;
	settings->gc_percent = MARENA_GC_OFF;
}

static void undo_events(struct uapi *u, void *arg)
{
	struct marena_events *events = arg;

	mt_assert_eq(close(events->fd), 0);
}

static void undo_slot_acquire(struct uapi *u, void *arg)
{
	struct marena_slot_op *slot = arg;

	mt_assert_eq(mt_slot_release(u->fd[CLIENT], slot->slot), 0);
}

/* There is a slot to be released until a call has succeeded. */
static void fill_slot_release(struct uapi *u, void *arg)
{
	if (!u->slot.size) {
		u->slot.size = sizeof(u->slot);
		mt_assert_eq(mt_slot_acquire(u->fd[CLIENT],
					     &u->slot.slot), 0);
	}
	memcpy(arg, &u->slot, sizeof(u->slot));
}

static void undo_slot_release(struct uapi *u, void *arg)
{
	u->slot.size = 0;
}

static void fill_lease(struct uapi *u, void *arg)
{
	struct marena_lease *lease = arg;

	lease->bytes = 16;
}

static void undo_lease(struct uapi *u, void *arg)
{
	mt_assert_eq(mt_ioctl(u->fd[CLIENT], MARENA_UNLEASE, arg), 0);
}

/* There is a lease to be given back until a call has succeeded. */
static void fill_unlease(struct uapi *u, void *arg)
{
	struct marena_lease *lease = arg;

	if (!u->lease.base)
		mt_assert_eq(mt_lease(u->fd[CLIENT], MARENA_TYPE_OPAQUE, 16,
				      &u->lease), 0);
	lease->base = u->lease.base;
}

static void undo_unlease(struct uapi *u, void *arg)
{
	u->lease.base = 0;
}

static void fill_spill(struct uapi *u, void *arg)
{
	struct marena_spill *spill = arg;

	spill->object = (unsigned long)u->object;
	spill->op = MARENA_SPILL_OUT;
}

/* The gate has not this value, so there is nothing to wait for. */
static void fill_wait(struct uapi *u, void *arg)
{
	struct marena_wait *wait = arg;

	wait->gate = u->world.client.control->gate + 1;
}

static void fill_weak_get(struct uapi *u, void *arg)
{
	struct marena_weak_get *get = arg;

	get->field = (unsigned long)u->object;
}

static void fill_offer(struct uapi *u, void *arg)
{
	struct marena_offer *offer = arg;

	offer->object = (unsigned long)u->object;
}

static void undo_offer(struct uapi *u, void *arg)
{
	mt_assert_eq(mt_ioctl(u->fd[CLIENT], MARENA_WITHDRAW, arg), 0);
}

/* There is an offer to be taken until a call has succeeded. */
static void fill_token(struct uapi *u, void *arg)
{
	struct marena_offer *offer = arg;

	if (!u->offer.token) {
		u->offer.size = sizeof(u->offer);
		fill_offer(u, &u->offer);
		mt_assert_eq(mt_ioctl(u->fd[CLIENT], MARENA_OFFER, &u->offer),
			     0);
	}
	offer->token = u->offer.token;
}

static void undo_token(struct uapi *u, void *arg)
{
	u->offer.token = 0;
}

static void fill_free(struct uapi *u, void *arg)
{
	struct marena_free *free = arg;

	free->objects = (unsigned long)&u->object;
	free->nr = 1;
}

static void fill_nothing(struct uapi *u, void *arg)
{
}

#define COMMAND(name_, cmd_, struct_, kind_)				\
	.cmd = MARENA_##cmd_, .size = sizeof(struct struct_),		\
	.kind = kind_, .fill = fill_##name_

FIXTURE_VARIANT_ADD(uapi, features) {
	.c = {
		COMMAND(nothing, FEATURES, marena_features, DEVICE),
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, create) {
	.c = {
		COMMAND(create, CREATE, marena_create, DEVICE),
		.first = offsetof(struct marena_create, snapshot_limit),
		.flags = MARENA_CREATE_PERSIST,
		.results = true,
		.reserved = { offsetof(struct marena_create, reserved) },
		.undo = undo_create,
	},
};

FIXTURE_VARIANT_ADD(uapi, open) {
	.c = {
		COMMAND(open, OPEN, marena_open, DEVICE),
		.flags = MARENA_OPEN_RDONLY,
		.results = true,
		.reserved = { offsetof(struct marena_open, reserved) },
		.undo = undo_open,
	},
};

FIXTURE_VARIANT_ADD(uapi, unlink) {
	.c = {
		COMMAND(unlink, UNLINK, marena_unlink, DEVICE),
		.undo = undo_unlink,
	},
};

FIXTURE_VARIANT_ADD(uapi, list) {
	.c = {
		COMMAND(nothing, LIST, marena_list, DEVICE),
		.results = true,
		.reserved = { offsetof(struct marena_list, reserved) },
	},
};

FIXTURE_VARIANT_ADD(uapi, info) {
	.c = {
		COMMAND(nothing, INFO, marena_info, ARENA),
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, attach) {
	.c = {
		COMMAND(nothing, ATTACH, marena_attach, ARENA),
		.results = true,
		.reserved = { offsetof(struct marena_attach, reserved),
			      offsetof(struct marena_attach, reserved) + 4 },
		.undo = undo_attach,
	},
};

FIXTURE_VARIANT_ADD(uapi, type) {
	.c = {
		COMMAND(type, TYPE_REGISTER, marena_type_desc, ARENA),
		.flags = MARENA_TYPE_F_CONSERVATIVE | MARENA_TYPE_F_EVENTS |
			 MARENA_TYPE_F_COUNTED | MARENA_TYPE_F_PERMANENT,
		.writes = true,
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, root_set) {
	.c = {
		COMMAND(root_set, ROOT_SET, marena_root, ARENA),
		.writes = true,
		.undo = undo_root_set,
	},
};

FIXTURE_VARIANT_ADD(uapi, root_get) {
	.c = {
		COMMAND(root_get, ROOT_GET, marena_root, ARENA),
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, collect) {
	.c = {
		COMMAND(nothing, COLLECT, marena_collect, ARENA),
		.flags = MARENA_COLLECT_NOWAIT | MARENA_COLLECT_MINOR,
		.writes = true,
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, stats) {
	.c = {
		COMMAND(nothing, STATS, marena_ioc_stats, ARENA),
		.first = offsetof(struct marena_ioc_stats, phase),
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, settings) {
	.c = {
		COMMAND(settings, SETTINGS, marena_ioc_settings, ARENA),
		.writes = true,
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, pages) {
	.c = {
		COMMAND(pages, PAGES, marena_pages, ARENA),
		.results = true,
		.reserved = { offsetof(struct marena_pages, reserved) },
	},
};

FIXTURE_VARIANT_ADD(uapi, refs_all) {
	.c = {
		COMMAND(refs, REFS_ALL, marena_refs, ARENA),
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, events) {
	.c = {
		COMMAND(nothing, EVENTS, marena_events, ARENA),
		.results = true,
		.undo = undo_events,
	},
};

FIXTURE_VARIANT_ADD(uapi, verify) {
	.c = {
		COMMAND(nothing, VERIFY, marena_verify, ARENA),
		.flags = MARENA_VERIFY_MINOR,
		.writes = true,
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, slot_acquire) {
	.c = {
		COMMAND(nothing, SLOT_ACQUIRE, marena_slot_op, CLIENT),
		.first = offsetof(struct marena_slot_op, stack_end),
		.results = true,
		.reserved = { offsetof(struct marena_slot_op, reserved) },
		.undo = undo_slot_acquire,
	},
};

FIXTURE_VARIANT_ADD(uapi, slot_release) {
	.c = {
		COMMAND(slot_release, SLOT_RELEASE, marena_slot_op, CLIENT),
		.first = offsetof(struct marena_slot_op, stack_end),
		.reserved = { offsetof(struct marena_slot_op, reserved) },
		.undo = undo_slot_release,
	},
};

FIXTURE_VARIANT_ADD(uapi, lease) {
	.c = {
		COMMAND(lease, LEASE, marena_lease, CLIENT),
		.flags = MARENA_LEASE_NOWAIT | MARENA_LEASE_REPLACE,
		.writes = true,
		.results = true,
		.reserved = { offsetof(struct marena_lease, reserved) },
		.undo = undo_lease,
	},
};

FIXTURE_VARIANT_ADD(uapi, unlease) {
	.c = {
		COMMAND(unlease, UNLEASE, marena_lease, CLIENT),
		.reserved = { offsetof(struct marena_lease, reserved) },
		.undo = undo_unlease,
	},
};

FIXTURE_VARIANT_ADD(uapi, spill) {
	.c = {
		COMMAND(spill, SPILL, marena_spill, CLIENT),
		.reserved = { offsetof(struct marena_spill, reserved) },
	},
};

FIXTURE_VARIANT_ADD(uapi, wait) {
	.c = {
		COMMAND(wait, WAIT, marena_wait, CLIENT),
		.reserved = { offsetof(struct marena_wait, reserved) },
	},
};

FIXTURE_VARIANT_ADD(uapi, refs) {
	.c = {
		COMMAND(refs, REFS, marena_refs, CLIENT),
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, offer) {
	.c = {
		COMMAND(offer, OFFER, marena_offer, CLIENT),
		.results = true,
		.undo = undo_offer,
	},
};

FIXTURE_VARIANT_ADD(uapi, accept) {
	.c = {
		COMMAND(token, ACCEPT, marena_offer, CLIENT),
		.results = true,
		.undo = undo_token,
	},
};

FIXTURE_VARIANT_ADD(uapi, withdraw) {
	.c = {
		COMMAND(token, WITHDRAW, marena_offer, CLIENT),
		.undo = undo_token,
	},
};

FIXTURE_VARIANT_ADD(uapi, free) {
	.c = {
		COMMAND(free, FREE, marena_free, CLIENT),
		.writes = true,
		.results = true,
	},
};

FIXTURE_VARIANT_ADD(uapi, weak_get) {
	.c = {
		COMMAND(weak_get, WEAK_GET, marena_weak_get, CLIENT),
		.results = true,
	},
};

#endif /* UAPI_COMMANDS_H */
