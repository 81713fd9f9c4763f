// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds for every command alike: how its structure may grow, which flags,
 * reserved fields and pointers it refuses, on which kinds of file and with
 * which rights it works, and that a call that fails changes nothing.
 *
 * Each command is a variant of the fixture; each test runs for all of them.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"
#include "uapi_commands.h"

/* ------------------------------------------------------------- the fixture */

FIXTURE_SETUP(uapi)
{
	struct uapi *u = &self->u;
	struct mt_world *w = &u->world;
	struct marena_attach attach = { .size = sizeof(attach) };

	u->name = mt_name("uapi");
	u->victim_fd = -1;
	u->fd[DEVICE] = mt_dev();
	u->fd[ARENA] = mt_create(u->name, 64 * MIB, 0, 0);
	ASSERT_GE(u->fd[ARENA], 0);
	mt_arena_map(&w->arena, u->fd[ARENA], PROT_READ | PROT_WRITE);
	mt_client_attach(&w->client, &w->arena);
	mt_thread_init(&w->thread, &w->client);
	u->fd[CLIENT] = w->client.fd;

	u->rdonly[DEVICE] = mt_dev();
	u->rdonly[ARENA] = mt_open(u->name, MARENA_OPEN_RDONLY);
	ASSERT_GE(u->rdonly[ARENA], 0);
	ASSERT_EQ(0, mt_ioctl(u->rdonly[ARENA], MARENA_ATTACH, &attach));
	u->rdonly[CLIENT] = attach.fd;

	u->object = mt_new(&w->thread, MARENA_TYPE_OPAQUE, 16);
	ASSERT_EQ(0, mt_set_root(u->fd[ARENA], "there", u->object));

	u->page = mmap(NULL, 2 * MT_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, u->page);
	ASSERT_EQ(0, mprotect(u->page + MT_PAGE, MT_PAGE, PROT_NONE));
}

FIXTURE_TEARDOWN(uapi)
{
}

/* ---------------------------------------------------- calls and what remains */

/*
 * A valid structure of @size bytes at the very end of the page, so that the
 * kernel faults if it reads more.
 */
static void *prepare(struct uapi *u, const struct command *c, size_t size)
{
	static __aligned_u64 whole[MT_PAGE / sizeof(__u64)];
	char *arg = u->page + MT_PAGE - size;

	memset(whole, 0, sizeof(whole));
	c->fill(u, whole);
	memset(u->page, 0, MT_PAGE);
	memcpy(arg, whole, size);
	*(__u32 *)arg = size;
	return arg;
}

static int call(struct uapi *u, const struct command *c, void *arg)
{
	return mt_ioctl(u->fd[c->kind], c->cmd, arg);
}

static void undo(struct uapi *u, const struct command *c, void *arg)
{
	if (c->undo)
		c->undo(u, arg);
}

struct state {
	__u64 pages_charged, spans, leases, clients, types, roots;
	unsigned int names, fds;
	__u32 slot;
};

static unsigned int count_names(void)
{
	struct marena_list arg = { .size = sizeof(arg) };
	unsigned int nr = 0;

	while (!mt_ioctl(mt_dev(), MARENA_LIST, &arg)) {
		arg.flags = 0;
		nr++;
	}
	return nr;
}

/* The slot that the next thread gets: another one if one is lost. */
static __u32 next_slot(int fd)
{
	__u32 slot;

	mt_assert_eq(mt_slot_acquire(fd, &slot), 0);
	mt_assert_eq(mt_slot_release(fd, slot), 0);
	return slot;
}

static struct state state(struct uapi *u)
{
	struct marena_ioc_stats stats = mt_stats(u->fd[ARENA]);
	struct state s;

	memset(&s, 0, sizeof(s));
	s.pages_charged = stats.pages_charged;
	s.spans = stats.spans;
	s.leases = stats.leases;
	s.clients = stats.clients;
	s.types = stats.types;
	s.roots = stats.roots;
	s.names = count_names();
	s.fds = mt_open_fds();
	s.slot = next_slot(u->fd[CLIENT]);
	return s;
}

static void assert_unchanged(struct uapi *u, const struct state *before)
{
	struct state after = state(u);

	mt_assert_eq(after.pages_charged, before->pages_charged);
	mt_assert_eq(after.spans, before->spans);
	mt_assert_eq(after.leases, before->leases);
	mt_assert_eq(after.clients, before->clients);
	mt_assert_eq(after.types, before->types);
	mt_assert_eq(after.roots, before->roots);
	mt_assert_eq(after.names, before->names);
	mt_assert_eq(after.fds, before->fds);
	mt_assert_eq(after.slot, before->slot);
}

/* ---------------------------------------------------------------- the tests */

static size_t first_size(const struct command *c)
{
	return c->first ? c->first : c->size;
}

TEST_F(uapi, succeeds)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *arg = prepare(u, c, c->size);

	ASSERT_EQ(0, call(u, c, arg));
	ASSERT_EQ(c->size, *(__u32 *)arg);
	undo(u, c, arg);
}

TEST_F(uapi, size_too_small)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *arg = prepare(u, c, c->size);
	struct state before = state(u);
	__u32 size;

	for (size = 0; size < first_size(c); size++) {
		*(__u32 *)arg = size;
		ASSERT_EQ(-EINVAL, call(u, c, arg))
			TH_LOG("size %u", size);
	}
	assert_unchanged(u, &before);
}

/* A program that knows the first version gets that; what is behind is not there. */
TEST_F(uapi, size_of_the_first_version)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *arg = prepare(u, c, first_size(c));

	ASSERT_EQ(0, call(u, c, arg));
	ASSERT_EQ(first_size(c), *(__u32 *)arg);
	undo(u, c, arg);
}

TEST_F(uapi, size_larger_and_zero)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	const size_t size[] = { c->size + 1, c->size + 8, MT_PAGE };
	unsigned int i;
	char *arg;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		arg = prepare(u, c, size[i]);
		ASSERT_EQ(0, call(u, c, arg))
			TH_LOG("size %zu", size[i]);
		undo(u, c, arg);
	}
}

TEST_F(uapi, size_larger_and_not_zero)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	const size_t size[] = { c->size + 1, c->size + 8, MT_PAGE };
	struct state before;
	unsigned int i;
	char *arg;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		arg = prepare(u, c, size[i]);
		before = state(u);
		arg[size[i] - 1] = 1;
		ASSERT_EQ(-E2BIG, call(u, c, arg));
		arg[size[i] - 1] = 0;
		arg[c->size] = 1;
		ASSERT_EQ(-E2BIG, call(u, c, arg));
		assert_unchanged(u, &before);
	}
}

/* The bytes that it claims are not there, however many the kernel looks at. */
TEST_F(uapi, size_beyond_memory)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	const __u32 size[] = { c->size + 1, 1U << 30, 1U << 31, ~0U };
	char *arg = prepare(u, c, c->size);
	struct state before = state(u);
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		*(__u32 *)arg = size[i];
		ret = call(u, c, arg);
		ASSERT_TRUE(ret == -EFAULT || ret == -E2BIG)
			TH_LOG("size %u: %d", size[i], ret);
	}
	assert_unchanged(u, &before);
}

TEST_F(uapi, unknown_flags)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *arg = prepare(u, c, c->size);
	struct state before = state(u);
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		if (c->flags & (1U << bit))
			continue;
		((__u32 *)arg)[1] = 1U << bit;
		/* The second word of this one is a result. */
		if (c->cmd == MARENA_FEATURES) {
			ASSERT_EQ(0, call(u, c, arg));
			continue;
		}
		ASSERT_EQ(-EINVAL, call(u, c, arg))
			TH_LOG("flag %#x", 1U << bit);
	}
	assert_unchanged(u, &before);
}

TEST_F(uapi, reserved_not_zero)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *arg = prepare(u, c, c->size);
	struct state before = state(u);
	unsigned int i, bit;
	__u32 *field;

	for (i = 0; i < MAX_RESERVED && c->reserved[i]; i++) {
		field = (__u32 *)(arg + c->reserved[i]);
		for (bit = 0; bit < 32; bit++) {
			*field = 1U << bit;
			ASSERT_EQ(-EINVAL, call(u, c, arg));
		}
		*field = 0;
	}
	assert_unchanged(u, &before);
	ASSERT_EQ(0, call(u, c, arg));
}

TEST_F(uapi, bad_pointers)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *guard = u->page + MT_PAGE;
	char * const bad[] = {
		NULL,
		(char *)1,
		guard,
		guard - 2,			/* half of the size */
		guard - 4,			/* the size, and no more */
		(char *)0x7ffffffff000,		/* the last page of user space */
		(char *)0x8000000000000000,
		(char *)0xffff888000000000,	/* memory of the kernel */
		(char *)-8,
	};
	struct state before;
	unsigned int i;

	prepare(u, c, c->size);
	memset(u->page, 0, MT_PAGE);
	*(__u32 *)(guard - 4) = c->size;
	before = state(u);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(-EFAULT, call(u, c, bad[i]))
			TH_LOG("pointer %p", bad[i]);
	}
	assert_unchanged(u, &before);
}

TEST_F(uapi, read_only_structure)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *arg = prepare(u, c, c->size);
	struct state before = state(u);

	if (!c->results)
		return;
	ASSERT_EQ(0, mprotect(u->page, MT_PAGE, PROT_READ));
	ASSERT_EQ(-EFAULT, call(u, c, arg));
	ASSERT_EQ(0, mprotect(u->page, MT_PAGE, PROT_READ | PROT_WRITE));
	/* The cycle was run: only its number could not be told. */
	if (c->cmd != MARENA_COLLECT && c->cmd != MARENA_VERIFY)
		assert_unchanged(u, &before);
	ASSERT_EQ(0, call(u, c, arg));
}

TEST_F(uapi, wrong_kind_of_file)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *arg = prepare(u, c, c->size);
	struct state before = state(u);
	enum kind kind;

	for (kind = DEVICE; kind < NR_KINDS; kind++) {
		if (kind == c->kind)
			continue;
		ASSERT_EQ(-ENOTTY, mt_ioctl(u->fd[kind], c->cmd, arg));
		ASSERT_EQ(-ENOTTY,
			  mt_ioctl(u->fd[kind], c->cmd, NULL));
	}
	assert_unchanged(u, &before);
}

/* The number alone does not make the command. */
TEST_F(uapi, wrong_encoding)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	unsigned int nr = _IOC_NR(c->cmd);
	const unsigned long cmd[] = {
		_IO(MARENA_TYPE_BYTE + 1, nr),
		_IOC(_IOC_READ, MARENA_TYPE_BYTE, nr, c->size),
		_IOC(_IOC_WRITE, MARENA_TYPE_BYTE, nr, 8),
		_IOC(_IOC_NONE, MARENA_TYPE_BYTE, nr, 4),
	};
	char *arg = prepare(u, c, c->size);
	int fd = u->fd[c->kind];
	struct state before = state(u);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmd); i++)
		ASSERT_EQ(-ENOTTY, mt_ioctl(fd, cmd[i], arg));
	assert_unchanged(u, &before);
}

TEST_F(uapi, file_that_may_only_read)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *arg = prepare(u, c, c->size);
	struct state before = state(u);
	int fd = u->rdonly[c->kind];

	if (c->writes) {
		ASSERT_EQ(-EACCES, mt_ioctl(fd, c->cmd, arg));
	} else if (c->kind == ARENA) {
		ASSERT_EQ(0, mt_ioctl(fd, c->cmd, arg));
		undo(u, c, arg);
	}
	assert_unchanged(u, &before);
}

/* The parent's client, in a child that has an address space of its own. */
TEST_F(uapi, client_of_another_process)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	char *arg = prepare(u, c, c->size);
	struct state before = state(u);
	pid_t pid;

	if (c->kind != CLIENT)
		return;
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		mt_assert_eq(call(u, c, arg), -ESTALE);
		_exit(0);
	}
	mt_wait_ok(pid);
	assert_unchanged(u, &before);
	ASSERT_EQ(0, call(u, c, arg));
}

TEST_F(uapi, client_whose_map_is_gone)
{
	const struct command *c = &variant->c;
	struct uapi *u = &self->u;
	struct mt_client *client = &u->world.client;
	char *arg = prepare(u, c, c->size);

	if (c->kind != CLIENT)
		return;
	ASSERT_EQ(0, munmap(client->map, client->attach.map_size));
	ASSERT_EQ(-ESTALE, call(u, c, arg));
}

/* ------------------------------------------------------- no command at all */

static bool known(unsigned int nr, enum kind kind)
{
	static const struct {
		unsigned int first, last;
	} range[] = {
		[DEVICE] = { MARENA_CMD_FEATURES, MARENA_CMD_LIST },
		[ARENA] = { MARENA_CMD_INFO, MARENA_CMD_VERIFY },
		[CLIENT] = { MARENA_CMD_SLOT_ACQUIRE, MARENA_CMD_FREE },
	};

	return nr >= range[kind].first && nr <= range[kind].last;
}

TEST(unknown_commands)
{
	char arg[MT_PAGE] = { 0 };
	struct mt_world w;
	unsigned int nr;
	enum kind kind;

	mt_world_init(&w, MT_REGION);
	for (kind = DEVICE; kind < NR_KINDS; kind++) {
		const int fd[] = { mt_dev(), w.arena.fd, w.client.fd };

		for (nr = 0; nr < 256; nr++) {
			if (known(nr, kind))
				continue;
			ASSERT_EQ(-ENOTTY,
				  mt_ioctl(fd[kind],
					   _IO(MARENA_TYPE_BYTE, nr), arg));
		}
	}
	mt_world_exit(&w);
}

/* They are mapped, or take commands; there is nothing to go through. */
TEST(neither_read_nor_written)
{
	/* Only an arena is a regular file. */
	static const int extend[] = { ENODEV, EOPNOTSUPP, ENODEV };
	struct mt_world w;
	enum kind kind;
	char byte = 0;

	mt_world_init(&w, MT_REGION);
	for (kind = DEVICE; kind < NR_KINDS; kind++) {
		const int fd[] = { mt_dev(), w.arena.fd, w.client.fd };

		EXPECT_EQ(-1, read(fd[kind], &byte, 1));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, write(fd[kind], &byte, 1));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, lseek(fd[kind], 0, SEEK_SET));
		EXPECT_EQ(ESPIPE, errno);
		EXPECT_EQ(-1, fallocate(fd[kind], 0, 0, 1));
		EXPECT_EQ(extend[kind], errno);
	}
	mt_world_exit(&w);
}

TEST_HARNESS_MAIN
