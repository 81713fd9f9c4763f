// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients of an arena for the tests: references, sections, allocation. The
 * protocol is that of the header alone, so that what a test asserts on depends
 * on no library.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "marena_test.h"

void mt_client_attach(struct mt_client *c, struct mt_arena *a)
{
	memset(c, 0, sizeof(*c));
	c->arena = a;
	c->attach.size = sizeof(c->attach);
	mt_assert_eq(mt_ioctl(a->fd, MARENA_ATTACH, &c->attach), 0);
	c->fd = c->attach.fd;
	c->map = mmap(NULL, c->attach.map_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED, c->fd, 0);
	if (c->map == MAP_FAILED)
		mt_fail(__FILE__, __LINE__, "mmap: %s", strerror(errno));
	c->control = (struct marena_control *)c->map;
	c->slots = (struct marena_slot *)(c->map + c->attach.slots_offset);
	c->refs = (__u8 *)c->map + c->attach.refs_offset;
}

void mt_client_detach(struct mt_client *c)
{
	mt_assert_eq(munmap(c->map, c->attach.map_size), 0);
	mt_assert_eq(close(c->fd), 0);
	c->map = NULL;
	c->fd = -1;
}

/* Where the stack of the calling thread ends; 0: where its mapping does. */
static __u64 stack_end(void)
{
	pthread_attr_t attr;
	void *start;
	size_t size;

	if (gettid() == getpid())
		return 0;
	mt_assert_eq(pthread_getattr_np(pthread_self(), &attr), 0);
	mt_assert_eq(pthread_attr_getstack(&attr, &start, &size), 0);
	pthread_attr_destroy(&attr);
	return (__u64)start + size;
}

int mt_slot_acquire(int fd, __u32 *slot)
{
	struct marena_slot_op arg = {
		.size = sizeof(arg),
		.stack_end = stack_end(),
	};
	int ret = mt_ioctl(fd, MARENA_SLOT_ACQUIRE, &arg);

	*slot = arg.slot;
	return ret;
}

int mt_slot_release(int fd, __u32 slot)
{
	struct marena_slot_op arg = { .size = sizeof(arg), .slot = slot };

	return mt_ioctl(fd, MARENA_SLOT_RELEASE, &arg);
}

void mt_thread_init(struct mt_thread *t, struct mt_client *c)
{
	memset(t, 0, sizeof(*t));
	t->client = c;
	mt_assert_eq(mt_slot_acquire(c->fd, &t->slot), 0);
	mt_assert(t->slot < c->attach.nr_slots);
}

void mt_thread_exit(struct mt_thread *t)
{
	mt_assert_eq(mt_slot_release(t->client->fd, t->slot), 0);
}

static void wait_gate(struct mt_client *c, __u32 gate)
{
	struct marena_wait arg = { .size = sizeof(arg), .gate = gate };

	mt_assert_eq(mt_ioctl(c->fd, MARENA_WAIT, &arg), 0);
}

/* The kernel's IPI is the barrier between a store before and the load. */
static __u32 see_gate(struct mt_client *c)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&c->control->gate, __ATOMIC_ACQUIRE);
}

/*
 * Enters a section and returns the value of the gate, which is open. Leases of
 * that value hold until mt_leave(), as the slot says that they may be used.
 */
__u32 mt_enter(struct mt_thread *t)
{
	struct mt_client *c = t->client;
	struct marena_slot *slot = &c->slots[t->slot];
	__u32 gate;

	for (;;) {
		__atomic_store_n(&slot->section, 1, __ATOMIC_RELAXED);
		gate = see_gate(c);
		if (!(gate & 1)) {
			__atomic_store_n(&slot->gate, gate + 1,
					 __ATOMIC_RELAXED);
			if ((see_gate(c) & ~1U) == gate)
				return gate;
		}
		__atomic_store_n(&slot->section, 0, __ATOMIC_RELEASE);
		wait_gate(c, gate);
	}
}

void mt_leave(struct mt_thread *t)
{
	__atomic_store_n(&t->client->slots[t->slot].section, 0,
			 __ATOMIC_RELEASE);
}

__u8 *mt_refs_byte(const struct mt_client *c, const void *object)
{
	return c->refs + (((unsigned long)object - c->arena->info.base) >>
			  MARENA_GRANULE_SHIFT);
}

static int spill(struct mt_client *c, const void *object, __u32 op)
{
	struct marena_spill arg = {
		.size = sizeof(arg),
		.object = (unsigned long)object,
		.op = op,
	};

	return mt_ioctl(c->fd, MARENA_SPILL, &arg);
}

/* In a section. */
void mt_take(struct mt_client *c, const void *object)
{
	__u8 *byte = mt_refs_byte(c, object);
	__u8 old = __atomic_load_n(byte, __ATOMIC_RELAXED);

	for (;;) {
		if (old == 255) {
			mt_assert_eq(spill(c, object, MARENA_SPILL_OUT), 0);
			old = __atomic_load_n(byte, __ATOMIC_RELAXED);
		} else if (__atomic_compare_exchange_n(byte, &old, old + 1,
						       false, __ATOMIC_RELAXED,
						       __ATOMIC_RELAXED)) {
			return;
		}
	}
}

/* From a count that is neither of the two limits: that needs no section. */
static bool change_count(__u8 *byte, int by)
{
	__u8 old = __atomic_load_n(byte, __ATOMIC_RELAXED);

	return old && old != 255 &&
	       __atomic_compare_exchange_n(byte, &old, old + by, false,
					   __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* Of an object that is held. */
void mt_get(struct mt_thread *t, const void *object)
{
	if (change_count(mt_refs_byte(t->client, object), 1))
		return;
	mt_enter(t);
	mt_take(t->client, object);
	mt_leave(t);
}

/* -ENOENT if the client holds no reference to the object. */
int mt_put(struct mt_thread *t, const void *object)
{
	__u8 *byte = mt_refs_byte(t->client, object);
	int ret = 0;
	__u8 old;

	if (change_count(byte, -1))
		return 0;
	mt_enter(t);
	old = __atomic_load_n(byte, __ATOMIC_RELAXED);
	for (;;) {
		if (!old) {
			ret = spill(t->client, object, MARENA_SPILL_IN);
			if (ret)
				break;
			old = __atomic_load_n(byte, __ATOMIC_RELAXED);
		} else if (__atomic_compare_exchange_n(byte, &old, old - 1,
						       false, __ATOMIC_RELAXED,
						       __ATOMIC_RELAXED)) {
			break;
		}
	}
	mt_leave(t);
	return ret;
}

int mt_lease(int fd, __u32 type, __u64 bytes, struct marena_lease *arg)
{
	memset(arg, 0, sizeof(*arg));
	arg->size = sizeof(*arg);
	arg->type = type;
	arg->bytes = bytes;
	return mt_ioctl(fd, MARENA_LEASE, arg);
}

static struct mt_lease *find_lease(struct mt_thread *t, __u32 type,
				   __u64 bytes)
{
	struct mt_lease *l;
	unsigned int i;

	for (i = 0; i < t->nr_leases; i++) {
		l = &t->lease[i];
		if (l->type == type && l->bytes == bytes)
			return l;
	}
	if (t->nr_leases < MT_LEASES)
		l = &t->lease[t->nr_leases++];
	else
		l = &t->lease[t->victim++ % MT_LEASES];
	memset(l, 0, sizeof(*l));
	l->type = type;
	l->bytes = bytes;
	return l;
}

static int renew_lease(struct mt_thread *t, struct mt_lease *l)
{
	struct marena_lease arg = {
		.size = sizeof(arg),
		.type = l->type,
		.bytes = l->bytes,
	};
	int ret;

	if (l->next && l->next == l->nr_slots) {
		arg.flags = MARENA_LEASE_REPLACE;
		arg.base = (unsigned long)l->base;
		arg.gate = l->gate;
		/* Also where this fails. */
		l->gate = 0;
		l->next = 0;
		l->nr_slots = 0;
	}
	ret = mt_ioctl(t->client->fd, MARENA_LEASE, &arg);
	if (ret)
		return ret;
	l->gate = arg.gate;
	l->base = (char *)(unsigned long)arg.base;
	l->nr_slots = arg.nr_slots;
	l->slot_size = arg.bytes;
	l->next = 0;
	return 0;
}

/* Takes a free slot of a lease that holds; NULL where there is none. */
static void *take_slot(struct mt_thread *t, struct mt_lease *l)
{
	struct mt_arena *a = t->client->arena;
	char *object;
	__u64 granule;

	for (; l->next < l->nr_slots; l->next++) {
		object = l->base + l->next * l->slot_size;
		if (mt_alloc_bit(a, object))
			continue;
		l->next++;
		granule = ((unsigned long)object - a->info.base) >>
			  MARENA_GRANULE_SHIFT;
		__atomic_store_n(mt_refs_byte(t->client, object), 1,
				 __ATOMIC_RELAXED);
		__atomic_fetch_or(a->alloc + granule / 8, 1 << granule % 8,
				  __ATOMIC_RELEASE);
		return object;
	}
	return NULL;
}

int mt_try_new(struct mt_thread *t, __u32 type, __u64 bytes, void **object)
{
	struct mt_lease *l = find_lease(t, type, bytes);
	int ret;

	for (;;) {
		*object = NULL;
		if (mt_enter(t) == l->gate)
			*object = take_slot(t, l);
		mt_leave(t);
		if (*object)
			return 0;
		ret = renew_lease(t, l);
		if (ret)
			return ret;
	}
}

void *mt_new(struct mt_thread *t, __u32 type, __u64 bytes)
{
	void *object;

	mt_assert_eq(mt_try_new(t, type, bytes, &object), 0);
	return object;
}

/* Bytes of the slot that an object of this type and size takes. */
__u64 mt_slot_size(struct mt_thread *t, __u32 type, __u64 bytes)
{
	struct marena_lease arg;
	int ret;

	mt_assert_eq(mt_lease(t->client->fd, type, bytes, &arg), 0);
	ret = mt_ioctl(t->client->fd, MARENA_UNLEASE, &arg);
	/* A cycle may have ended it meanwhile. */
	mt_assert(!ret || ret == -ENOENT);
	return arg.bytes;
}

void mt_world_init(struct mt_world *w, __u64 size)
{
	mt_arena_init(&w->arena, size, 0, MARENA_GC_OFF);
	mt_client_attach(&w->client, &w->arena);
	mt_thread_init(&w->thread, &w->client);
}

void mt_world_exit(struct mt_world *w)
{
	mt_thread_exit(&w->thread);
	mt_client_detach(&w->client);
	mt_arena_exit(&w->arena);
}
