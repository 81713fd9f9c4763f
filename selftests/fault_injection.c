// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever a process may ask for meets an allocation that fails: the first that
 * it makes, the second, and so on, until it has made all of them. Each time it
 * fails with ENOMEM and all is as it was, or it succeeds in spite of it. What
 * is lost for good the kernel's leak detector finds when the guest ends.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define LIMIT_ARENAS	"/sys/module/marena/parameters/user_max_arenas"
#define LIMIT_SPACE	"/sys/module/marena/parameters/user_max_space"

#define SIZE		(64 * MIB)
#define SIZE_OTHER	(2 * MIB)
#define LARGE		(3 * MIB)

/* More allocations than this no call makes. */
#define MOST		2000

/* What the calls work on. */
struct stage {
	struct mt_inject inject;
	struct mt_world world;
	struct mt_thread *thread;
	char *object;			/* held once */
	char *far;			/* on another page of the map */
	char name[MARENA_NAME_LEN];	/* of an arena that persists */
	char new_name[MARENA_NAME_LEN];
	int subject;			/* file of the arena to look at */
	int other;			/* a file of it */
	int fd;				/* what a call has made */
	void *map;			/* what a call has mapped */
	pid_t child;			/* what it has forked */
	struct marena_attach attach;
	struct marena_lease lease;
	struct marena_offer offer;
	__u32 slot;
};

/* All that can be seen of the state, and is to be as before. */
struct state {
	struct marena_ioc_stats stats;
	struct marena_info info;
	unsigned int fds;
	__u64 named;
	long refs;
	__u8 byte;
};

static __u64 count_names(void)
{
	struct marena_list arg = { .size = sizeof(arg) };
	__u64 n = 0;

	while (!mt_ioctl(mt_dev(), MARENA_LIST, &arg)) {
		arg.flags = 0;
		n++;
	}
	return n;
}

/* Tables may stay when what they were made for failed, and cycles may run. */
static void look(struct stage *s, struct state *state)
{
	struct marena_ioc_stats *stats = &state->stats;

	memset(state, 0, sizeof(*state));
	*stats = mt_stats(s->subject);
	stats->pages_metadata = 0;
	stats->cycles = 0;
	stats->objects_freed = 0;
	stats->pages_reclaimed = 0;
	stats->rendezvous_retries = 0;
	stats->pause_last_ns = 0;
	stats->pause_max_ns = 0;
	stats->mark_last_ns = 0;
	stats->sweep_last_ns = 0;
	stats->phase = 0;
	stats->pages_copied = 0;
	stats->pages_shaded = 0;
	stats->last_reason = 0;
	stats->threads_stopped = 0;
	mt_assert_eq(mt_info(s->subject, &state->info), 0);
	state->fds = mt_open_fds();
	state->named = count_names();
	state->refs = mt_refs(s->world.client.fd, s->object);
	state->byte = *mt_refs_byte(&s->world.client, s->object);
}

static void compare(struct stage *s, const struct state *before)
{
	const __u64 *a = (const __u64 *)&before->stats, *b;
	struct state now;
	unsigned int i;

	look(s, &now);
	b = (const __u64 *)&now.stats;
	for (i = 0; i < sizeof(now.stats) / sizeof(__u64); i++)
		if (a[i] != b[i])
			mt_fail(__FILE__, __LINE__,
				"failure %u: figure %u was %llu and is %llu",
				s->inject.nth, i, a[i], b[i]);
	mt_assert(!memcmp(&before->info, &now.info, sizeof(now.info)));
	mt_assert_eq(now.fds, before->fds);
	mt_assert_eq(now.named, before->named);
	mt_assert_eq(now.refs, before->refs);
	mt_assert_eq(now.byte, before->byte);
}

/* ------------------------------------------------------------- the calls */

static int call_device_open(struct stage *s)
{
	s->fd = open(MT_DEVICE, O_RDWR | O_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

static int call_features(struct stage *s)
{
	struct marena_features arg = { .size = sizeof(arg) };

	return mt_ioctl(mt_dev(), MARENA_FEATURES, &arg);
}

static int create(struct stage *s, const char *name, __u32 flags)
{
	s->fd = mt_create(name, SIZE_OTHER, flags, 0);
	return s->fd < 0 ? s->fd : 0;
}

static int call_create(struct stage *s)
{
	return create(s, NULL, 0);
}

static int call_create_named(struct stage *s)
{
	return create(s, s->new_name, 0);
}

static int call_create_persistent(struct stage *s)
{
	return create(s, s->new_name, MARENA_CREATE_PERSIST);
}

static int call_open(struct stage *s)
{
	s->fd = mt_open(s->name, 0);
	return s->fd < 0 ? s->fd : 0;
}

static int call_unlink(struct stage *s)
{
	return mt_unlink(s->new_name);
}

static int call_list(struct stage *s)
{
	struct marena_list arg = { .size = sizeof(arg) };

	return mt_ioctl(mt_dev(), MARENA_LIST, &arg);
}

static int call_info(struct stage *s)
{
	struct marena_info info;

	return mt_info(s->world.arena.fd, &info);
}

static int call_attach(struct stage *s)
{
	int ret;

	s->attach.size = sizeof(s->attach);
	s->attach.reserved = 0;
	ret = mt_ioctl(s->world.arena.fd, MARENA_ATTACH, &s->attach);
	s->fd = s->attach.fd;
	return ret;
}

static int call_type(struct stage *s)
{
	static const __u32 refs[] = { 0, 8 + MARENA_REF_WEAK };
	int ret = mt_type(s->world.arena.fd, "type", 16, refs, 2);

	return ret < 0 ? ret : 0;
}

static int call_root_set(struct stage *s)
{
	return mt_set_root(s->world.arena.fd, "root", s->object);
}

static int call_root_get(struct stage *s)
{
	mt_assert(mt_get_root(s->world.arena.fd, "old") == s->object);
	return 0;
}

static int call_root_remove(struct stage *s)
{
	return mt_set_root(s->world.arena.fd, "old", NULL);
}

static int call_collect(struct stage *s)
{
	return mt_collect(s->world.arena.fd);
}

static int call_stats(struct stage *s)
{
	mt_stats(s->world.arena.fd);
	return 0;
}

static int call_settings(struct stage *s)
{
	struct marena_ioc_settings arg = {
		.size = sizeof(arg),
		.mask = MARENA_SET_GC_PERCENT,
		.gc_percent = MARENA_GC_OFF,
	};

	return mt_ioctl(s->world.arena.fd, MARENA_SETTINGS, &arg);
}

static int call_pages(struct stage *s)
{
	struct marena_page_info info;
	struct marena_pages arg = {
		.size = sizeof(arg),
		.buf = (unsigned long)&info,
		.count = 1,
	};

	return mt_ioctl(s->world.arena.fd, MARENA_PAGES, &arg);
}

static int call_refs_all(struct stage *s)
{
	long refs = mt_refs_all(s->world.arena.fd, s->object);

	return refs < 0 ? refs : 0;
}

static int call_events(struct stage *s)
{
	struct marena_events arg = { .size = sizeof(arg) };
	int ret = mt_ioctl(s->world.arena.fd, MARENA_EVENTS, &arg);

	s->fd = arg.fd;
	return ret;
}

static int call_refs(struct stage *s)
{
	long refs = mt_refs(s->world.client.fd, s->object);

	return refs < 0 ? refs : 0;
}

static int call_slot_acquire(struct stage *s)
{
	return mt_slot_acquire(s->fd, &s->slot);
}

static int call_slot_release(struct stage *s)
{
	return mt_slot_release(s->world.client.fd, s->slot);
}

static int lease(struct stage *s, int fd, __u64 bytes, __u32 flags)
{
	memset(&s->lease, 0, sizeof(s->lease));
	s->lease.size = sizeof(s->lease);
	s->lease.flags = flags;
	s->lease.bytes = bytes;
	return mt_ioctl(fd, MARENA_LEASE, &s->lease);
}

static int call_lease(struct stage *s)
{
	return lease(s, s->fd, 1000, 0);
}

static int call_lease_nowait(struct stage *s)
{
	return lease(s, s->fd, 1000, MARENA_LEASE_NOWAIT);
}

static int call_lease_large(struct stage *s)
{
	return lease(s, s->fd, LARGE, 0);
}

static int call_lease_large_nowait(struct stage *s)
{
	return lease(s, s->fd, LARGE, MARENA_LEASE_NOWAIT);
}

static int call_unlease(struct stage *s)
{
	s->lease.flags = 0;
	return mt_ioctl(s->world.client.fd, MARENA_UNLEASE, &s->lease);
}

static int spill(struct stage *s, __u32 op)
{
	struct marena_spill arg = {
		.size = sizeof(arg),
		.object = (unsigned long)s->object,
		.op = op,
	};

	return mt_ioctl(s->world.client.fd, MARENA_SPILL, &arg);
}

static int call_spill_out(struct stage *s)
{
	return spill(s, MARENA_SPILL_OUT);
}

static int call_spill_in(struct stage *s)
{
	return spill(s, MARENA_SPILL_IN);
}

static int call_wait(struct stage *s)
{
	struct marena_wait arg = { .size = sizeof(arg) };

	return mt_ioctl(s->world.client.fd, MARENA_WAIT, &arg);
}

static int call_weak_get(struct stage *s)
{
	struct marena_weak_get arg = {
		.size = sizeof(arg),
		.field = (unsigned long)s->object,
	};

	return mt_ioctl(s->world.client.fd, MARENA_WEAK_GET, &arg);
}

static int offer(struct stage *s, unsigned long cmd)
{
	s->offer.size = sizeof(s->offer);
	s->offer.object = (unsigned long)s->object;
	return mt_ioctl(s->world.client.fd, cmd, &s->offer);
}

static int call_offer(struct stage *s)
{
	return offer(s, MARENA_OFFER);
}

static int call_accept(struct stage *s)
{
	return offer(s, MARENA_ACCEPT);
}

static int call_withdraw(struct stage *s)
{
	return offer(s, MARENA_WITHDRAW);
}

static int call_free(struct stage *s)
{
	struct marena_free arg = {
		.size = sizeof(arg),
		.objects = (unsigned long)&s->object,
		.nr = 1,
	};

	return mt_ioctl(s->world.client.fd, MARENA_FREE, &arg);
}

/* By another client, whose map has no page yet. */
static int call_accept_first(struct stage *s)
{
	return mt_ioctl(s->fd, MARENA_ACCEPT, &s->offer);
}

static int map(struct stage *s, int fd, __u64 size)
{
	s->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return s->map == MAP_FAILED ? -errno : 0;
}

static int call_map_arena(struct stage *s)
{
	struct marena_info info;

	mt_assert_eq(mt_info(s->other, &info), 0);
	return map(s, s->other, info.map_size);
}

static int call_unmap_arena(struct stage *s)
{
	struct marena_info info;

	mt_assert_eq(mt_info(s->other, &info), 0);
	return munmap(s->map, info.map_size) ? -errno : 0;
}

static int call_map_client(struct stage *s)
{
	return map(s, s->fd, s->attach.map_size);
}

static int call_unmap_client(struct stage *s)
{
	return munmap(s->map, s->attach.map_size) ? -errno : 0;
}

static int call_close(struct stage *s)
{
	return close(s->fd) ? -errno : 0;
}

/*
 * Nobody waits for the child here: its first fault may need memory, and is tried
 * again for as long as there is none.
 */
static int call_fork(struct stage *s)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(0);
	/* Not by the child: that has this memory, too. */
	s->child = pid;
	return 0;
}

/* ------------------------------------------ what comes before and after */

static void close_file(struct stage *s)
{
	mt_assert_eq(call_close(s), 0);
}

static void wait_child(struct stage *s)
{
	int status;

	mt_assert_eq(waitpid(s->child, &status, 0), s->child);
	mt_assert_eq(status, 0);
}

static void close_and_unlink(struct stage *s)
{
	close_file(s);
	mt_assert_eq(call_unlink(s), 0);
}

static void attach(struct stage *s)
{
	mt_assert_eq(call_attach(s), 0);
}

static void attach_and_map(struct stage *s)
{
	attach(s);
	mt_assert_eq(call_map_client(s), 0);
}

static void unmap_and_close(struct stage *s)
{
	mt_assert_eq(call_unmap_client(s), 0);
	close_file(s);
}

static void map_arena(struct stage *s)
{
	mt_assert_eq(call_map_arena(s), 0);
}

static void unmap_arena(struct stage *s)
{
	mt_assert_eq(call_unmap_arena(s), 0);
}

static void create_persistent(struct stage *s)
{
	mt_assert_eq(call_create_persistent(s), 0);
	close_file(s);
}

static void lease_large(struct stage *s)
{
	mt_assert_eq(lease(s, s->world.client.fd, LARGE, 0), 0);
}

/* An arena without a region, and a client of it. */
static void create_and_attach(struct stage *s)
{
	s->subject = mt_create(NULL, 4 * SIZE_OTHER, 0, 0);
	mt_assert_ge(s->subject, 0);
	s->attach.size = sizeof(s->attach);
	mt_assert_eq(mt_ioctl(s->subject, MARENA_ATTACH, &s->attach), 0);
	s->fd = s->attach.fd;
}

static void close_both(struct stage *s)
{
	close_file(s);
	mt_assert_eq(close(s->subject), 0);
	s->subject = s->world.arena.fd;
}

static void acquire(struct stage *s)
{
	mt_assert_eq(mt_slot_acquire(s->world.client.fd, &s->slot), 0);
}

static void set_old_root(struct stage *s)
{
	mt_assert_eq(mt_set_root(s->world.arena.fd, "old", s->object), 0);
}

static void remove_root(struct stage *s)
{
	mt_assert_eq(mt_set_root(s->world.arena.fd, "root", NULL), 0);
}

static void spill_out(struct stage *s)
{
	mt_assert_eq(call_spill_out(s), 0);
}

static void spill_in(struct stage *s)
{
	mt_assert_eq(call_spill_in(s), 0);
}

static void make_offer(struct stage *s)
{
	mt_assert_eq(call_offer(s), 0);
}

static void withdraw(struct stage *s)
{
	mt_assert_eq(call_withdraw(s), 0);
}

static void put(struct stage *s)
{
	mt_assert_eq(mt_put(s->thread, s->object), 0);
}

static void attach_and_offer(struct stage *s)
{
	attach(s);
	s->offer.size = sizeof(s->offer);
	s->offer.object = (unsigned long)s->far;
	mt_assert_eq(mt_ioctl(s->world.client.fd, MARENA_OFFER, &s->offer), 0);
}

/* ------------------------------------------------------------- the tests */

FIXTURE(call)
{
	struct stage s;
	char arenas[64];
	char space[64];
};

struct call {
	void (*before)(struct stage *s);	/* what it makes, @run needs */
	int (*run)(struct stage *s);
	void (*undo)(struct stage *s);	/* takes away what @run has made */
	bool anew;			/* @undo and @before after errors too */
	bool allocates;			/* an allocation must have failed */
};

FIXTURE_VARIANT(call)
{
	struct call call;
};

#define CALL(_name, _allocates, ...)					\
	{								\
		.call = {						\
			.run = call_##_name,				\
			.allocates = _allocates,			\
			__VA_ARGS__					\
		},							\
	}

FIXTURE_VARIANT_ADD(call, device_open)
	CALL(device_open, true, .undo = close_file);
FIXTURE_VARIANT_ADD(call, features)
	CALL(features, false);
FIXTURE_VARIANT_ADD(call, create)
	CALL(create, true, .undo = close_file);
FIXTURE_VARIANT_ADD(call, create_named)
	CALL(create_named, true, .undo = close_file);
FIXTURE_VARIANT_ADD(call, create_persistent)
	CALL(create_persistent, true, .undo = close_and_unlink);
FIXTURE_VARIANT_ADD(call, open)
	CALL(open, true, .undo = close_file);
FIXTURE_VARIANT_ADD(call, unlink)
	CALL(unlink, false, .before = create_persistent);
FIXTURE_VARIANT_ADD(call, list)
	CALL(list, false);
FIXTURE_VARIANT_ADD(call, info)
	CALL(info, false);
FIXTURE_VARIANT_ADD(call, attach)
	CALL(attach, true, .undo = close_file);
FIXTURE_VARIANT_ADD(call, type)
	CALL(type, true);
FIXTURE_VARIANT_ADD(call, root_set)
	CALL(root_set, true, .undo = remove_root);
FIXTURE_VARIANT_ADD(call, root_get)
	CALL(root_get, false);
FIXTURE_VARIANT_ADD(call, root_remove)
	CALL(root_remove, false, .before = set_old_root);
FIXTURE_VARIANT_ADD(call, collect)
	CALL(collect, false);
FIXTURE_VARIANT_ADD(call, stats)
	CALL(stats, false);
FIXTURE_VARIANT_ADD(call, settings)
	CALL(settings, false);
FIXTURE_VARIANT_ADD(call, pages)
	CALL(pages, true);
FIXTURE_VARIANT_ADD(call, refs_all)
	CALL(refs_all, false);
FIXTURE_VARIANT_ADD(call, events)
	CALL(events, true, .undo = close_file);
FIXTURE_VARIANT_ADD(call, refs)
	CALL(refs, false);
FIXTURE_VARIANT_ADD(call, slot_acquire)
	CALL(slot_acquire, true, .before = attach, .undo = close_file);
FIXTURE_VARIANT_ADD(call, slot_release)
	CALL(slot_release, false, .before = acquire);
FIXTURE_VARIANT_ADD(call, lease)
	CALL(lease, true,
	     .before = create_and_attach, .undo = close_both, .anew = true);
FIXTURE_VARIANT_ADD(call, lease_nowait)
	CALL(lease_nowait, true,
	     .before = create_and_attach, .undo = close_both, .anew = true);
FIXTURE_VARIANT_ADD(call, lease_large)
	CALL(lease_large, true,
	     .before = create_and_attach, .undo = close_both, .anew = true);
FIXTURE_VARIANT_ADD(call, lease_large_nowait)
	CALL(lease_large_nowait, true,
	     .before = create_and_attach, .undo = close_both, .anew = true);
FIXTURE_VARIANT_ADD(call, unlease)
	CALL(unlease, false, .before = lease_large);
FIXTURE_VARIANT_ADD(call, spill_out)
	CALL(spill_out, true, .undo = spill_in);
FIXTURE_VARIANT_ADD(call, spill_in)
	CALL(spill_in, false, .before = spill_out);
FIXTURE_VARIANT_ADD(call, wait)
	CALL(wait, false);
FIXTURE_VARIANT_ADD(call, weak_get)
	CALL(weak_get, false);
FIXTURE_VARIANT_ADD(call, offer)
	CALL(offer, true, .undo = withdraw);
FIXTURE_VARIANT_ADD(call, accept)
	CALL(accept, false, .before = make_offer, .undo = put);
FIXTURE_VARIANT_ADD(call, accept_first)
	CALL(accept_first, true, .before = attach_and_offer,
	     .undo = close_file);
FIXTURE_VARIANT_ADD(call, withdraw)
	CALL(withdraw, false, .before = make_offer);
FIXTURE_VARIANT_ADD(call, free)
	CALL(free, false);
FIXTURE_VARIANT_ADD(call, map_arena)
	CALL(map_arena, true, .undo = unmap_arena);
FIXTURE_VARIANT_ADD(call, unmap_arena)
	CALL(unmap_arena, false, .before = map_arena);
FIXTURE_VARIANT_ADD(call, map_client)
	CALL(map_client, true, .before = attach, .undo = unmap_and_close);
FIXTURE_VARIANT_ADD(call, unmap_client)
	CALL(unmap_client, false, .before = attach_and_map);
FIXTURE_VARIANT_ADD(call, close)
	CALL(close, false, .before = attach);
FIXTURE_VARIANT_ADD(call, fork)
	CALL(fork, true, .undo = wait_child);

/* As many arenas as there are now, and one more, may be had. */
static void limit_arenas(struct stage *s)
{
	char text[32];

	mt_assert_eq(mt_write_file(LIMIT_ARENAS, "3"), 0);
	snprintf(text, sizeof(text), "%lu", SIZE + 5 * SIZE_OTHER);
	mt_assert_eq(mt_write_file(LIMIT_SPACE, text), 0);
}

FIXTURE_SETUP(call)
{
	struct stage *s = &self->s;

	if (!mt_inject_init(&s->inject, 0))
		SKIP(return, "the kernel cannot let allocations fail");
	ASSERT_LT(0, mt_read_file(LIMIT_ARENAS, self->arenas, 64));
	ASSERT_LT(0, mt_read_file(LIMIT_SPACE, self->space, 64));
	mt_world_init(&s->world, SIZE);
	s->thread = &s->world.thread;
	strcpy(s->name, mt_name("fault"));
	strcpy(s->new_name, mt_name("fault"));
	s->subject = s->world.arena.fd;
	s->other = mt_create(s->name, SIZE_OTHER, MARENA_CREATE_PERSIST, 0);
	ASSERT_GE(s->other, 0);
	limit_arenas(s);

	/* Not the first granule, for which an xarray needs no memory. */
	mt_new(s->thread, MARENA_TYPE_CONSERVATIVE, 64);
	s->object = mt_new(s->thread, MARENA_TYPE_CONSERVATIVE, 64);
	*mt_refs_byte(&s->world.client, s->object) = MARENA_SPILL_UNIT + 1;
	s->far = mt_new(s->thread, MARENA_TYPE_OPAQUE, LARGE);
	set_old_root(s);
	/* No lease is left that a cycle could end. */
	ASSERT_EQ(0, mt_collect(s->world.arena.fd));
}

FIXTURE_TEARDOWN_PARENT(call)
{
	if (!self->arenas[0])
		return;
	EXPECT_EQ(0, mt_write_file(LIMIT_ARENAS, self->arenas));
	EXPECT_EQ(0, mt_write_file(LIMIT_SPACE, self->space));
	mt_unlink(self->s.name);
	mt_unlink(self->s.new_name);
}

typedef void (*begin_t)(struct mt_inject *inject);
typedef bool (*end_t)(struct mt_inject *inject);

/* One try. Returns true if an allocation failed. */
static bool try_call(struct stage *s, int (*call)(struct stage *s),
		     begin_t begin, end_t end, int *ret)
{
	bool failed;

	begin(&s->inject);
	*ret = call(s);
	failed = end(&s->inject);
	if (*ret && !failed)
		mt_fail(__FILE__, __LINE__, "%d without a reason", *ret);
	if (*ret && *ret != -ENOMEM)
		mt_fail(__FILE__, __LINE__, "failure %u: error %d",
			s->inject.nth, *ret);
	return failed;
}

/* Until no allocation fails. Returns how often one did. */
static unsigned int sweep(struct stage *s, const struct call *call,
			  begin_t begin, end_t end)
{
	unsigned int errors = 0, failures = 0;
	bool again = true, failed;
	struct state before;
	int ret;

	do {
		if (again && call->before)
			call->before(s);
		look(s, &before);
		failed = try_call(s, call->run, begin, end, &ret);
		if (ret) {
			compare(s, &before);
			errors++;
		}
		failures += failed;
		again = !ret || call->anew;
		if (again && call->undo)
			call->undo(s);
	} while (failed && s->inject.nth < MOST);
	mt_log("%u times an allocation failed, %u errors", failures, errors);
	mt_assert_le(s->inject.nth, MOST - 1);
	return failures;
}

TEST_F(call, fails_and_leaves_all_as_it_was)
{
	unsigned int failures = sweep(&self->s, &variant->call,
				      mt_inject_next, mt_inject_end);

	if (variant->call.allocates)
		EXPECT_LT(0, failures);
}

TEST_F(call, fails_where_all_fails_from_then_on)
{
	unsigned int failures = sweep(&self->s, &variant->call,
				      mt_inject_all_next, mt_inject_all_end);

	/* That needs a page alone, and it is objects that fail here. */
	if (variant->call.allocates && variant->call.run != call_pages)
		EXPECT_LT(0, failures);
}

TEST_HARNESS_MAIN
