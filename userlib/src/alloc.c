// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * Allocation: a free slot of a lease becomes an object.
 *
 * An object is there when its bit in the alloc map is set, and it is held when
 * its byte in the reference map is 1. Between the two no rendezvous can come,
 * since both happen in one section.
 */
#include "class.h"
#include "free.h"
#include "section.h"
#include "type.h"

/* Marks the slot of that granule as an object, if it is free. */
static inline bool slot_take(struct marena *a, size_t granule)
{
	uint64_t *word = &a->alloc_map[granule / 64];
	uint64_t bits = __atomic_load_n(word, __ATOMIC_RELAXED);
	uint64_t bit = 1ULL << granule % 64;

	if (unlikely(bits & bit))
		return false;
	/* Whoever sees the object sees that it is held (MARENA_FREE). */
	__atomic_store_n(&a->refs[granule], 1, __ATOMIC_RELAXED);
	/* No other thread writes the word: a span is many whole words. */
	__atomic_store_n(word, bits | bit, __ATOMIC_RELEASE);
	return true;
}

/* In a section. NULL where the lease is over or used up. */
static inline void *lease_take(struct marena *a, const struct marena_thread *t,
			       struct lease *lease)
{
	uintptr_t slot = lease->next;
	size_t granule;

	if (unlikely(lease->gate != t->gate))
		return NULL;
	while (likely(slot < lease->end)) {
		lease->next = slot + lease->bytes;
		granule = (slot - a->base) >> MARENA_GRANULE_SHIFT;
		if (likely(slot_take(a, granule)))
			return (void *)slot;
		slot = lease->next;
	}
	return NULL;
}

/*
 * A lease, and a slot of it; NULL in *p where the lease ended in between. A lease
 * for the gate as it is now is one whose gate the thread has seen: where it could
 * not see it, there is no lease.
 */
static int lease_and_take(struct marena *a, struct marena_thread *t,
			  const struct lease_request *request,
			  struct lease *lease, void **p)
{
	int err;

	err = marena_lease(a, t, request, lease);
	if (err)
		return err;
	err = section_enter(a, t);
	if (err) {
		lease->next = lease->end;
		return err;
	}
	*p = lease_take(a, t, lease);
	section_leave(t);
	return 0;
}

/*
 * Leases until one holds at the time it is used. Between the lease and the
 * section a rendezvous may come and end it, but not time after time: a cycle
 * takes much longer than this.
 *
 * A thread that is in a section of the arena already, through this handle or
 * another, must not wait for a cycle. Then all of it happens in a section.
 */
static void *alloc_leased(struct marena *a, struct marena_thread *t,
			  const struct lease_request *request,
			  struct lease *lease)
{
	bool inside = marena_thread_inside(a);
	void *p = NULL;
	int err = 0;

	if (inside)
		err = section_enter(a, t);
	if (err)
		return marena_fail(err);
	while (!err && !p)
		err = lease_and_take(a, t, request, lease, &p);
	if (inside)
		section_leave(t);
	return err ? marena_fail(err) : p;
}

static __attribute__((noinline)) void *alloc_large(struct marena *a,
						   struct marena_thread *t,
						   int type, uint64_t bytes)
{
	struct lease_request request = {
		.type = type,
		.class = CLASS_LARGE,
		.bytes = bytes,
	};
	struct lease lease = {};

	/* The class of no bytes at all is this one, too. */
	if (!bytes)
		return marena_fail(-EINVAL);
	return alloc_leased(a, t, &request, &lease);
}

/* In a section. NULL where there is no such lease, or it is over or used up. */
static inline void *leases_take(struct marena *a, struct marena_thread *t,
				uint32_t key)
{
	struct lease *lease = lease_find(&t->leases, key);

	return lease->key ? lease_take(a, t, lease) : NULL;
}

/*
 * In a section, for which the gate was that. The same where the lease is where it is
 * first looked for, and its next slot is free, as most are.
 */
static inline void *leases_take_first(struct marena *a, struct marena_thread *t,
				      uint32_t key, uint32_t gate)
{
	struct lease *lease = &t->leases.leases[lease_hash(&t->leases, key)];
	uintptr_t slot = lease->next;

	if (unlikely(lease->key != key || lease->gate != gate ||
		     slot >= lease->end))
		return NULL;
	lease->next = slot + lease->bytes;
	return likely(slot_take(a, (slot - a->base) >> MARENA_GRANULE_SHIFT)) ?
		(void *)slot : NULL;
}

/* NULL in *p where there is no such lease, or it is over or used up. */
static int alloc_again(struct marena *a, struct marena_thread *t, uint32_t key,
		       void **p)
{
	int err = section_enter(a, t);

	if (err)
		return err;
	*p = leases_take(a, t, key);
	section_leave(t);
	return 0;
}

/*
 * The thread's lease is over or used up. What it has gathered may be in it: that
 * is freed first. Objects of the type are not to wait for a cycle until their memory
 * goes, so a lease that is not of use any more must not keep it.
 */
static int alloc_counted(struct marena *a, struct marena_thread *t,
			 uint32_t key, void **p)
{
	int err = 0;

	if (t->nr_doomed && !marena_doomed_free(a, t))
		err = alloc_again(a, t, key, p);
	if (!err && !*p)
		marena_lease_return(a, t, lease_find(&t->leases, key));
	return err;
}

/*
 * The thread's lease is over or used up, or there is none; or it is good, but the
 * next slot is taken, or the gate has to be waited for.
 */
static __attribute__((noinline)) void *alloc_slow(struct marena *a,
						  struct marena_thread *t,
						  uint32_t key, uint64_t element)
{
	uint32_t class = lease_key_class(key);
	struct lease_request request = {
		.type = lease_key_type(key),
		.class = class,
		/* The largest request of the class that the type allows. */
		.bytes = class_bytes(class) / element * element,
	};
	struct lease *lease;
	void *p = NULL;
	int err;

	err = alloc_again(a, t, key, &p);
	if (!err && !p && marena_type_is_counted(a, request.type))
		err = alloc_counted(a, t, key, &p);
	if (err || p)
		return err ? marena_fail(err) : p;
	lease = marena_lease_slot(&t->leases, key, t->gate);
	if (!lease)
		return marena_fail(-ENOMEM);
	return alloc_leased(a, t, &request, lease);
}

static __attribute__((noinline)) void *alloc_inside(struct marena *a,
						    struct marena_thread *t,
						    uint32_t key,
						    uint64_t element)
{
	void *p = leases_take_first(a, t, key, t->gate);

	return likely(p) ? p : alloc_slow(a, t, key, element);
}

/*
 * A thread that is in no section begins one, in which nothing is called. What it
 * compares is the gate as it is then: a lease for that is one that it got after it
 * saw the gate so, see lease_and_take().
 */
static inline __attribute__((always_inline)) void *
alloc_small(struct marena *a, struct marena_thread *t, uint32_t key,
	    uint64_t element)
{
	void *p;

	if (unlikely(t->depth))
		return alloc_inside(a, t, key, element);
	section_open(t);
	p = leases_take_first(a, t, key, section_gate(a));
	section_close(t);
	return likely(p) ? p : alloc_slow(a, t, key, element);
}

static void *type_unknown(const struct marena *a)
{
	return marena_fail(a->readonly ? -EACCES : -EINVAL);
}

static inline __attribute__((always_inline)) void *
alloc_array(struct marena *a, struct marena_thread *t, int type,
	    uint64_t element, uint64_t n)
{
	uint64_t bytes;
	uint32_t class;

	if (unlikely(__builtin_mul_overflow(element, n, &bytes)))
		return marena_fail(-EINVAL);
	class = class_of(bytes);
	if (unlikely(class == CLASS_LARGE))
		return alloc_large(a, t, type, bytes);
	return alloc_small(a, t, lease_key(type, class), element);
}

static void *new_with(struct marena *a, struct marena_thread *t, int type)
{
	const struct marena_type_info *info = marena_type_find(a, type);

	if (unlikely(!info))
		return type_unknown(a);
	if (unlikely(lease_key_class(info->key) == CLASS_LARGE))
		return alloc_large(a, t, type, info->size);
	return alloc_small(a, t, info->key, info->size);
}

/* The thread used another handle before, or none. */
static __attribute__((noinline)) void *new_slow(struct marena *a, int type)
{
	struct marena_thread *t = marena_thread_find(a);

	return t ? new_with(a, t, type) : NULL;
}

void *marena_new(struct marena *a, int type)
{
	struct marena_thread *t = marena_threads.current;

	return likely(t->key == a->key) ? new_with(a, t, type) :
					  new_slow(a, type);
}

void *marena_new_array(struct marena *a, int type, size_t n)
{
	struct marena_thread *t = marena_thread(a);
	const struct marena_type_info *info;

	if (unlikely(!t))
		return NULL;
	info = marena_type_find(a, type);
	if (unlikely(!info))
		return type_unknown(a);
	return alloc_array(a, t, type, info->size, n);
}

static __attribute__((noinline)) void *opaque_slow(struct marena *a, size_t n)
{
	struct marena_thread *t = marena_thread_find(a);

	return t ? alloc_array(a, t, MARENA_TYPE_OPAQUE, 1, n) : NULL;
}

/* Its type is known to every handle: elements of a byte. */
void *marena_alloc(struct marena *a, size_t size)
{
	struct marena_thread *t = marena_threads.current;

	return likely(t->key == a->key) ?
		alloc_array(a, t, MARENA_TYPE_OPAQUE, 1, size) :
		opaque_slow(a, size);
}
