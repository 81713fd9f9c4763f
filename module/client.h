/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_CLIENT_H
#define MARENA_CLIENT_H

#include <linux/kref.h>

#include "arena.h"

struct marena_stop;
struct mm_struct;
struct pid;

#define MARENA_CLIENT_MAPPED	0

/* The client's mapping: the control page, the slots, the reference map. */
#define MARENA_SLOTS_PER_PAGE	(MARENA_PAGE_SIZE / sizeof(struct marena_slot))
#define MARENA_SLOT_PAGES	32
#define MARENA_NR_SLOTS		(MARENA_SLOT_PAGES * MARENA_SLOTS_PER_PAGE)
#define MARENA_SLOTS_PAGE	1
#define MARENA_REFS_PAGE	(MARENA_SLOTS_PAGE + MARENA_SLOT_PAGES)

/* Clients of an arena; and those of them that belong to one process. */
#define MARENA_MAX_CLIENTS	4096
#define MARENA_MAX_PROCESS_CLIENTS 64

/**
 * struct marena_slot_page - a page of thread slots
 * @slots: what user space writes
 * @owners: the thread that acquired a slot, or NULL; a reference is held
 * @stops: to stop the owner; NULL where there is none
 */
struct marena_slot_page {
	struct marena_slot *slots;
	struct pid *owners[MARENA_SLOTS_PER_PAGE];
	struct marena_stop *stops[MARENA_SLOTS_PER_PAGE];
};

/**
 * struct marena_client - one process's view of an arena
 *
 * Belongs to an inode of its own. The collector takes references of its own
 * (@kref), so that a client may end, and its inode go, while it looks.
 *
 * A client ends (marena_client_end) when its mapping goes or its file is
 * released: its leases and references are gone then. If the marker is still to
 * go through its map, its references count until the end of marking: an object
 * that it held may just have been stored where the marker has been. What the
 * collector may still look at without a lock, the control page and the slots,
 * is freed with the last reference.
 *
 * @kref: one of the inode, others of the collector
 * @arena: which arena (invariant); a reference to its inode is held
 * @inode: our inode, until it is evicted
 * @mm: whose it is (invariant); held by mmgrab()
 * @process: who attached it (invariant)
 * @rdonly: it may not write the heap (invariant)
 * @link: in arena->clients (arena->client_lock)
 * @cycle_link: in the collector's list of the clients of a cycle
 * @ended: written under arena->lock and arena->client_lock, so that either
 *         suffices to read it; read without them as well, where it may change
 *         at once
 * @orphaned: it ended while marking: the collector drops its references
 *            (written under arena->lock while marking; read by the collector
 *            after that)
 * @leases: spans that are leased (arena->lock)
 * @control: the control page (invariant); @control->gate is written under
 *           arena->client_lock, and by user space
 * @slot_lock: protects the slots' owners, and that @slots only grow
 * @slots: the thread slots, a page of them at a time; NULL: none acquired yet.
 *         Faults read it without the lock. User space writes the slots
 * @pages: pages of the reference map, by their number in it (its own lock; what
 *         it lists stays there while that page is locked). User space writes
 *         the pages, and the kernel, under the lock of the page
 * @copies: copies of pages of the map that were written since the rendezvous
 * @counting: the marker is still to go through the map (written under
 *            arena->lock, and cleared under the lock of @copies)
 * @spill_lock: protects @spills and @nr_spills
 * @spills: counts that the map's bytes cannot hold, in MARENA_SPILL_UNIT, by
 *          granule
 * @nr_spills: entries of @spills
 * @offers: what it has offered (arena->offer_lock)
 * @nr_offers: how many
 * @mapped: bit 0: it was mapped
 * @vmas: mappings; more than one only while mremap(2) tries to move it
 */
struct marena_client {
	struct kref kref;
	struct marena_arena *arena;
	struct inode *inode;
	struct mm_struct *mm;
	struct pid *process;
	bool rdonly;
	struct list_head link;
	struct list_head cycle_link;
	bool ended;
	bool orphaned;
	struct list_head leases;

	struct marena_control *control;
	/* Protects the owners of the slots. */
	spinlock_t slot_lock;
	struct marena_slot_page *slots[MARENA_SLOT_PAGES];

	struct xarray pages;
	struct xarray copies;
	bool counting;
	/* Protects the spills. */
	struct mutex spill_lock;
	struct xarray spills;
	unsigned long nr_spills;
	struct list_head offers;
	unsigned int nr_offers;
	unsigned long mapped;
	atomic_t vmas;
};

extern const struct file_operations marena_client_fops;

struct file *marena_client_attach(struct marena_arena *arena,
				  struct mm_struct *mm, bool rdonly,
				  struct marena_attach *arg);
void marena_client_evict(struct marena_client *client);
void marena_client_end(struct marena_client *client);
void marena_client_put(struct marena_client *client);
void marena_clients_hold(struct marena_arena *arena,
			 struct list_head *clients);
void marena_clients_release(struct list_head *clients);
void marena_clients_drop_orphans(struct list_head *clients);
bool marena_client_is_dying(const struct marena_client *client);
struct marena_client *marena_client_of(struct file *file);

static inline u64 marena_client_map_size(const struct marena_arena *arena)
{
	return (u64)MARENA_REFS_PAGE * MARENA_PAGE_SIZE +
	       (arena->size >> MARENA_GRANULE_SHIFT);
}

#endif /* MARENA_CLIENT_H */
