/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * Leases: spans in which a thread may allocate without asking the kernel.
 *
 * Each thread keeps its own, in a hash table with open addressing. A lease
 * holds while the gate has the value that it was given for; nobody tells the
 * thread that it is over, the thread compares.
 */
#ifndef _LIBMARENA_LEASE_H
#define _LIBMARENA_LEASE_H

#include "handle.h"

/**
 * struct lease - the right to allocate in a span
 * @key: what is allocated in it, from lease_key(); 0: no lease
 * @gate: value of the gate for which the lease holds: even
 * @bytes: of a slot
 * @next: address of the first slot that may be free
 * @end: address behind the last slot
 * @base: address of the first slot; @end, where the lease was given back
 *
 * In a cache line of its own.
 */
struct lease {
	uint32_t key;
	uint32_t gate;
	uint64_t bytes;
	uintptr_t next;
	uintptr_t end;
	uintptr_t base;
} __attribute__((aligned(64)));

/**
 * struct lease_table - the leases of a thread
 * @leases: the table; at least half of it is empty
 * @mask: number of entries, a power of two, less 1
 * @used: number of entries with a key
 */
struct lease_table {
	struct lease *leases;
	uint32_t mask;
	uint32_t used;
};

/**
 * struct lease_request - what to lease
 * @type: type id
 * @class: size class
 * @bytes: bytes of the object, or of the largest one of its class
 */
struct lease_request {
	uint32_t type;
	uint32_t class;
	uint64_t bytes;
};

struct marena_thread;

int marena_leases_init(struct lease_table *table);
void marena_leases_free(struct lease_table *table);
struct lease *marena_lease_slot(struct lease_table *table, uint32_t key,
				uint32_t gate);
int marena_lease(struct marena *a, struct marena_thread *t,
		 const struct lease_request *request, struct lease *lease);
void marena_lease_return(struct marena *a, const struct marena_thread *t,
			 struct lease *lease);
void marena_leases_return(struct marena *a, struct marena_thread *t);

/* There are not so many types that this overflows. */
static inline uint32_t lease_key(uint32_t type, uint32_t class)
{
	return (type + 1) << 8 | class;
}

static inline uint32_t lease_key_type(uint32_t key)
{
	return (key >> 8) - 1;
}

static inline uint32_t lease_key_class(uint32_t key)
{
	return key & 0xff;
}

/* Where to begin looking for a key. */
static inline uint32_t lease_hash(const struct lease_table *table, uint32_t key)
{
	/* Few registers and instructions do, more so where the type is known. */
	return (key + (key >> 8) * 11) & table->mask;
}

/* The entry with the key, or the empty one where it would be. */
static inline struct lease *lease_find(const struct lease_table *table,
				       uint32_t key)
{
	uint32_t i = lease_hash(table, key);

	while (table->leases[i].key && table->leases[i].key != key)
		i = (i + 1) & table->mask;
	return &table->leases[i];
}

#endif /* _LIBMARENA_LEASE_H */
