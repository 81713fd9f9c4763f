/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lock order, outermost first. What a lock protects is said at the field.
 *
 *   event file's read_lock   who takes from its queue
 *   mmap_lock, or a mapping's own lock (faults, VMA close)
 *     marena_names_lock      name.c: the names of arenas
 *     marena_space_lock      space.c: address ranges of arenas
 *     arena->lock            spans, classes, leases, regions, types
 *       arena->root_lock     root.c
 *       arena->offer_lock    offer.c
 *         client->spill_lock refs.c
 *           page lock        of a page that is given back, or of a count
 *             i_mmap_rwsem   (unmapping it)
 *       arena->client_lock   who the clients are, the gate (spinlock)
 *       region->lock         the page table of a region (spinlock)
 *       client->slot_lock    who owns the thread slots (spinlock)
 *       client->pages' lock  the page table of a reference map (spinlock)
 *       client->copies' lock the snapshot of a reference map (spinlock)
 *         col.mark_lock      whether objects may still be marked (rwlock)
 *       event file's lock    its queue (spinlock)
 *   lock of a list_lru       pressure.c: which arenas there are (spinlock); taken
 *                            in memory reclaim, below any of the above
 *     collector's lock       what cycles were asked for (spinlock)
 *
 * No user memory is touched that is not there, and no mmap_lock taken, under any
 * of them below mmap_lock. While the gate is closed, the collector tries for arena->lock, within
 * its budget, and takes page locks and spinlocks: all are held by others for
 * short, bounded work that never waits for the gate, nor for the end of write
 * protection.
 */
#ifndef MARENA_ARENA_H
#define MARENA_ARENA_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <linux/marena.h>

#include "barrier.h"
#include "collector.h"
#include "mutation.h"
#include "pace.h"

struct file;
struct inode;
struct marena_name;
struct marena_region;
struct marena_user;

#define MARENA_PAGE_SIZE	BIT(MARENA_PAGE_SHIFT)
#define MARENA_REGION_SIZE	BIT(MARENA_REGION_SHIFT)
#define MARENA_REGION_PAGES	(MARENA_REGION_SIZE / MARENA_PAGE_SIZE)
#define MARENA_PAGE_GRANULES	(MARENA_PAGE_SIZE / MARENA_GRANULE)
#define MARENA_REGION_GRANULES	(MARENA_REGION_SIZE / MARENA_GRANULE)

#define MARENA_MAX_ARENA_SIZE	BIT(40)
#define MARENA_MAX_REGIONS	(MARENA_MAX_ARENA_SIZE / MARENA_REGION_SIZE)

/* Pages of alloc map that a region has: one bit a granule. */
#define MARENA_REGION_MAP_PAGES \
	(MARENA_REGION_GRANULES / BITS_PER_BYTE / MARENA_PAGE_SIZE)

/* The region directory has two levels; this is the lower. */
#define MARENA_DIR_SHIFT	9
#define MARENA_DIR_ENTRIES	BIT(MARENA_DIR_SHIFT)
#define MARENA_DIR_TOP		(MARENA_MAX_REGIONS >> MARENA_DIR_SHIFT)

/**
 * struct marena_arena - one arena: the storage behind an inode
 *
 * Lives from marena_arena_new() to the eviction of its inode. Every arena
 * file, mapping and client holds a reference to the inode; so does the name
 * of an arena that was created to persist. The collector thread holds none:
 * eviction stops it first.
 *
 * @id: its number (invariant)
 * @base: address at which all processes map it (invariant)
 * @size: bytes of heap (invariant)
 * @nr_regions: @size in regions (invariant)
 * @limit: pages that may be charged (invariant)
 * @inode: our inode (invariant)
 * @user: who is charged (invariant)
 * @space_link: in the list of address ranges (marena_space_lock)
 * @pressure_link: in the list of arenas that the shrinker knows (its lock)
 * @name: its name, or NULL (marena_names_lock)
 * @lock: see above; protects what follows, up to @root_lock
 * @dir: the regions: read without a lock, as a region once there stays
 * @high: number of the region above the highest that exists; it only grows, and
 *        the collector reads it without the lock
 * @hint: no region below this one has room for a small span
 * @types: struct marena_type by id
 * @nr_types: how many
 * @nr_weak_types: how many of them have weak fields
 * @classes: struct marena_class by type and size class
 * @leases: spans that are leased
 * @revoked: spans whose leases the rendezvous has ended, but for the tables
 * @large: spans of large objects that are not leased
 * @nr_leases: how many leases
 * @nr_spans: spans that exist
 * @weak_spans: those of types with weak fields, the latest first
 * @charged: pages with a reference count above zero; read without the lock to
 *           pace the collector
 * @copies_limit: pages that a snapshot may take; 0: the default
 * @marking: the collector marks, from the snapshot that the rendezvous took to
 *           the end of marking: no span and no page goes meanwhile. Read under
 *           a region's lock as well
 * @marked: mark passes completed; a span whose @swept is the same has nothing
 *          on it that was found dead
 * @marks_hold: the mark bits are those of the pass with number @marked
 * @major: value of @marked after the last major cycle
 * @minor: the cycle that runs is a minor one (written by the collector alone,
 *         before the rendezvous; faults read it while marking)
 * @survivals: cycles that an object survives until it is old, 1 to 3 (the
 *             collector's own)
 * @survivals_wanted: what that is to be after the next major cycle; read by the
 *                    collector without the lock
 * @young: spans that may have young objects
 * @permanent: spans of objects that are never freed
 * @old_objects: objects that are old
 * @old_bytes: bytes of their slots
 * @remembered: regions with remembered pages (the collector's own)
 * @event_files: struct marena_event_file that are open
 * @nr_event_files: how many
 * @barrier: write protection, and the snapshot
 * @root_lock: protects @roots and @nr_roots, and who clears @roots_pending
 * @roots: named roots by name
 * @roots_pending: the marker is still to visit the roots
 * @nr_roots: how many; read without the lock for the figures
 * @offer_lock: protects @offers, and who clears @offers_pending
 * @offers: references that travel, by token
 * @counted_offers: how many of them are of objects of counted types
 * @offers_pending: the marker is still to visit the offers
 * @client_lock: protects @clients, @nr_clients, @gate and @weak
 * @clients: clients that have not ended
 * @nr_clients: how many; read without the lock for the figures
 * @gate: value of marena_control.gate (written under @client_lock, by the
 *        collector alone; read by all without it); even: twice the number of
 *        rendezvous that succeeded; odd: closed
 * @gate_wait: those who wait for an even gate
 * @weak: value of marena_control.weak (written by the collector alone, which
 *        reads it without the lock)
 * @resident: pages of heap that have memory
 * @metadata: pages of memory in tables and maps
 * @pace: when its cycles begin
 * @col: the collector
 */
struct marena_arena {
	u64 id;
	u64 base;
	u64 size;
	unsigned long nr_regions;
	u64 limit;
	struct inode *inode;
	struct marena_user *user;
	struct list_head space_link;
	struct list_head pressure_link;
	struct marena_name *name;

	/* Protects the fields up to @root_lock. */
	struct mutex lock;
	struct marena_region ***dir;
	unsigned long high;
	unsigned long hint;
	struct xarray types;
	u32 nr_types;
	u32 nr_weak_types;
	struct xarray classes;
	struct list_head leases;
	struct list_head revoked;
	struct list_head large;
	u64 nr_leases;
	u64 nr_spans;
	struct list_head weak_spans;
	u64 charged;
	u64 copies_limit;
	bool marking;
	bool marks_hold;
	u32 marked;
	u32 major;
	bool minor;
	u32 survivals;
	u32 survivals_wanted;
	struct list_head young;
	struct list_head permanent;
	u64 old_objects;
	u64 old_bytes;
	struct list_head remembered;
	struct list_head event_files;
	unsigned int nr_event_files;

	struct marena_barrier barrier;

	/* Protects the named roots. */
	struct mutex root_lock;
	struct rb_root roots;
	u32 nr_roots;
	bool roots_pending;

	/* Protects the offers. */
	struct mutex offer_lock;
	struct rb_root offers;
	u64 counted_offers;
	bool offers_pending;

	/* Protects who the clients are, and the gate. */
	spinlock_t client_lock;
	struct list_head clients;
	u32 nr_clients;
	u32 gate;
	wait_queue_head_t gate_wait;
	u32 weak;

	atomic64_t resident;
	atomic64_t metadata;

	struct marena_pace pace;
	struct marena_collector col;
};

extern const struct file_operations marena_arena_fops;

struct marena_arena *marena_arena_new(const struct marena_create *args);
void marena_arena_evict(struct marena_arena *arena);
struct file *marena_arena_open(struct marena_arena *arena, bool rdonly);
struct marena_arena *marena_arena_of(struct file *file);

int marena_charge(struct marena_arena *arena, u64 pages);
void marena_uncharge(struct marena_arena *arena, u64 pages);

static inline u64 marena_nr_pages(const struct marena_arena *arena)
{
	return arena->size >> MARENA_PAGE_SHIFT;
}

/* Bytes of alloc map, which follows the heap in the file and the mapping. */
static inline u64 marena_map_bytes(const struct marena_arena *arena)
{
	return arena->size >> (MARENA_GRANULE_SHIFT + 3);
}

static inline u64 marena_mapping_size(const struct marena_arena *arena)
{
	return arena->size + marena_map_bytes(arena);
}

static inline bool marena_is_protecting(const struct marena_arena *arena)
{
	/* Pairs with the store in marena_barrier_cut(). */
	return smp_load_acquire(&arena->barrier.protecting) &&
	       !marena_mutated(MARENA_SKIP_PROTECTING);
}

static inline bool marena_gate_is_open(const struct marena_arena *arena)
{
	return !(READ_ONCE(arena->gate) & 1);
}

static inline int marena_gate_wait(struct marena_arena *arena)
{
	return wait_event_killable(arena->gate_wait,
				   marena_gate_is_open(arena)) ? -EINTR : 0;
}

#endif /* MARENA_ARENA_H */
