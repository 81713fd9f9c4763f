// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each field of each command may be, the errors where it may not, and
 * what comes back in it. What holds for all commands alike is in uapi.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define BAD_POINTER	0x8000000000000000ULL

static const char * const bad_names[] = {
	"", "/", "a/b", "a/", "tab\there", "line\n", "\x01", "del\x7f",
};

/* A name field that is full: nothing ends it. */
static void fill_name(__u8 *name)
{
	memset(name, 'x', MARENA_NAME_LEN);
}

static void set_name(__u8 *field, const char *name)
{
	memset(field, 0, MARENA_NAME_LEN);
	snprintf((char *)field, MARENA_NAME_LEN, "%s", name);
}

/* -------------------------------------------------------------- the device */

/* Some user-mode-linux has fewer addresses than the machine that it runs on. */
static bool has_all_addresses(void)
{
	void *addr = (void *)(64 * TIB);
	void *mem = mmap(addr, MT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_FIXED_NOREPLACE, -1, 0);

	if (mem != MAP_FAILED)
		munmap(mem, MT_PAGE);
	return mem == addr;
}

TEST(features)
{
	struct marena_features arg = { .size = sizeof(arg) };

	ASSERT_EQ(0, mt_ioctl(mt_dev(), MARENA_FEATURES, &arg));
	EXPECT_EQ(MARENA_ABI_VERSION, arg.abi_version);
	EXPECT_EQ(0, arg.features);
	EXPECT_EQ(has_all_addresses() ? TIB : 8 * GIB, arg.max_arena_size);
	EXPECT_LT(MIB, arg.max_object_size);
	EXPECT_LE(arg.max_object_size, arg.max_arena_size);
}

FIXTURE(create)
{
	struct marena_create arg;
};

FIXTURE_SETUP(create)
{
	mt_init_create(&self->arg, mt_name("fields"), MT_REGION);
}

FIXTURE_TEARDOWN(create)
{
}

static int create(struct marena_create *arg)
{
	return mt_ioctl(mt_dev(), MARENA_CREATE, arg);
}

TEST_F(create, size_is_rounded_up)
{
	const __u64 max = mt_max_size();
	const struct {
		__u64 asked, given;
	} sizes[] = {
		{ 1, MT_REGION },
		{ MT_REGION - 1, MT_REGION },
		{ MT_REGION, MT_REGION },
		{ MT_REGION + 1, 2 * MT_REGION },
		{ 5 * GIB + 1, 5 * GIB + MT_REGION },
		{ max - 1, max },
		{ max, max },
	};
	struct marena_info info;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->arg.arena_size = sizes[i].asked;
		ASSERT_EQ(0, create(&self->arg));
		EXPECT_EQ(sizes[i].given, self->arg.arena_size);
		ASSERT_EQ(0, mt_info(self->arg.fd, &info));
		EXPECT_EQ(sizes[i].given, info.arena_size);
		EXPECT_LE(info.arena_size, info.alloc_offset);
		EXPECT_LE(info.alloc_offset + info.arena_size / 128,
			  info.map_size);
		EXPECT_EQ(0, info.base % MT_REGION);
		ASSERT_EQ(0, close(self->arg.fd));
	}
}

TEST_F(create, size_out_of_range)
{
	const __u64 max = mt_max_size();
	const __u64 sizes[] = { 0, max + 1, 2 * max, 1ULL << 63, ~0ULL };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->arg.arena_size = sizes[i];
		EXPECT_EQ(-EINVAL, create(&self->arg));
	}
}

TEST_F(create, mem_limit)
{
	static const struct {
		__u64 asked, pages;
	} limits[] = {
		{ 0, MT_REGION / MT_PAGE },
		{ 1, 1 },
		{ MT_PAGE, 1 },
		{ MT_PAGE + 1, 2 },
	};
	struct marena_info info;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		self->arg.mem_limit = limits[i].asked;
		ASSERT_EQ(0, create(&self->arg));
		EXPECT_EQ(limits[i].pages, mt_stats(self->arg.fd).pages_limit);
		ASSERT_EQ(0, mt_info(self->arg.fd, &info));
		EXPECT_EQ(limits[i].pages * MT_PAGE, info.mem_limit);
		ASSERT_EQ(0, close(self->arg.fd));
	}
}

TEST_F(create, bad_names)
{
	unsigned int i;

	/* The first of them, the empty one, makes an anonymous arena. */
	for (i = 1; i < ARRAY_SIZE(bad_names); i++) {
		set_name(self->arg.name, bad_names[i]);
		EXPECT_EQ(-EINVAL, create(&self->arg));
	}
	fill_name(self->arg.name);
	EXPECT_EQ(-EINVAL, create(&self->arg));
}

TEST_F(create, longest_name)
{
	char name[MARENA_NAME_LEN];
	int fd;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	set_name(self->arg.name, name);
	ASSERT_EQ(0, create(&self->arg));
	fd = mt_open(name, 0);
	EXPECT_GE(fd, 0);
	name[sizeof(name) - 2] = '\0';
	EXPECT_EQ(-ENOENT, mt_open(name, 0));
}

TEST_F(create, name_in_utf8)
{
	const char *name = "gr\303\266\303\237e";

	set_name(self->arg.name, name);
	ASSERT_EQ(0, create(&self->arg));
	EXPECT_TRUE(mt_listed(name));
}

TEST_F(create, name_is_taken)
{
	ASSERT_EQ(0, create(&self->arg));
	EXPECT_EQ(-EEXIST, create(&self->arg));
	ASSERT_EQ(0, close(self->arg.fd));
	EXPECT_EQ(0, create(&self->arg));
}

TEST_F(create, to_persist_without_a_name)
{
	set_name(self->arg.name, "");
	self->arg.flags = MARENA_CREATE_PERSIST;
	EXPECT_EQ(-EINVAL, create(&self->arg));
}

TEST_F(create, mode_out_of_range)
{
	static const __u32 modes[] = { 01000, 04755, 0100644, 1U << 31 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		self->arg.mode = modes[i];
		EXPECT_EQ(-EINVAL, create(&self->arg));
	}
}

TEST_F(create, file_closes_on_exec)
{
	ASSERT_EQ(0, create(&self->arg));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->arg.fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(self->arg.fd, F_GETFL) & O_ACCMODE);
}

TEST_F(create, no_file_descriptor_left)
{
	struct marena_open open_arg = { .size = sizeof(open_arg) };
	struct marena_attach attach = { .size = sizeof(attach) };
	struct rlimit limit;
	int next, fd;

	ASSERT_EQ(0, create(&self->arg));
	fd = self->arg.fd;
	memcpy(open_arg.name, self->arg.name, MARENA_NAME_LEN);
	next = dup(fd);
	ASSERT_EQ(0, close(next));

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = next;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, mt_ioctl(mt_dev(), MARENA_OPEN, &open_arg));
	EXPECT_EQ(-EMFILE, mt_ioctl(fd, MARENA_ATTACH, &attach));
	EXPECT_EQ(0, mt_stats(fd).clients);
	set_name(self->arg.name, mt_name("more"));
	EXPECT_EQ(-EMFILE, create(&self->arg));
	EXPECT_FALSE(mt_listed((char *)self->arg.name));

	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(0, create(&self->arg));
}

TEST(open_errors)
{
	struct marena_open arg = { .size = sizeof(arg) };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_names); i++)
		EXPECT_EQ(-EINVAL, mt_open(bad_names[i], 0));
	fill_name(arg.name);
	EXPECT_EQ(-EINVAL, mt_ioctl(mt_dev(), MARENA_OPEN, &arg));
	EXPECT_EQ(-ENOENT, mt_open(mt_name("none"), 0));
}

TEST(open_result)
{
	const char *name = mt_name("open");
	struct marena_info info;
	int fd = mt_create(name, MT_REGION, 0, 0);
	int ro;

	ASSERT_GE(fd, 0);
	ro = mt_open(name, MARENA_OPEN_RDONLY);
	ASSERT_GE(ro, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(ro, F_GETFD));
	EXPECT_EQ(O_RDONLY, fcntl(ro, F_GETFL) & O_ACCMODE);
	ASSERT_EQ(0, mt_info(ro, &info));
	EXPECT_EQ(MARENA_OPEN_RDONLY, info.flags);
	ASSERT_EQ(0, mt_info(fd, &info));
	EXPECT_EQ(0, info.flags);
}

TEST(unlink_errors)
{
	struct marena_unlink arg = { .size = sizeof(arg) };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_names); i++)
		EXPECT_EQ(-EINVAL, mt_unlink(bad_names[i]));
	fill_name(arg.name);
	EXPECT_EQ(-EINVAL, mt_ioctl(mt_dev(), MARENA_UNLINK, &arg));
	EXPECT_EQ(-ENOENT, mt_unlink(mt_name("none")));
}

/* Each name once, in the order of the ids, which are never given again. */
TEST(list_result)
{
	struct marena_list arg = { .size = sizeof(arg) };
	const char *name[3];
	unsigned int i, seen = 0;
	__u64 id = 0;
	int ret;

	for (i = 0; i < ARRAY_SIZE(name); i++) {
		name[i] = mt_name("list");
		ASSERT_GE(mt_create(name[i], (i + 1) * MT_REGION, 0, 0), 0);
	}
	for (;;) {
		arg.flags = 0;
		ret = mt_ioctl(mt_dev(), MARENA_LIST, &arg);
		if (ret)
			break;
		EXPECT_LT(id, arg.id);
		id = arg.id;
		if (strcmp((char *)arg.name, name[seen % 3]))
			continue;
		seen++;
		EXPECT_EQ(seen * MT_REGION, arg.arena_size);
		EXPECT_EQ(0600, arg.mode);
		EXPECT_EQ(0, arg.uid);
		EXPECT_EQ(0, arg.gid);
		EXPECT_EQ(0, arg.flags);
		EXPECT_EQ(0, arg.reserved);
	}
	EXPECT_EQ(-ENOENT, ret);
	EXPECT_EQ(3, seen);
	arg.cursor = ~0ULL;
	EXPECT_EQ(-ENOENT, mt_ioctl(mt_dev(), MARENA_LIST, &arg));
}

TEST(list_tells_what_persists)
{
	struct marena_list arg = { .size = sizeof(arg) };
	const char *name = mt_name("persist");
	int fd = mt_create(name, MT_REGION, MARENA_CREATE_PERSIST, 0);
	int ret;

	ASSERT_GE(fd, 0);
	do {
		arg.flags = 0;
		ret = mt_ioctl(mt_dev(), MARENA_LIST, &arg);
	} while (!ret && strcmp((char *)arg.name, name));
	EXPECT_EQ(0, ret);
	EXPECT_EQ(MARENA_CREATE_PERSIST, arg.flags);
	ASSERT_EQ(0, mt_unlink(name));
}

/* -------------------------------------------------------------- an arena */

FIXTURE(arena)
{
	struct mt_world w;
	int fd;
	struct marena_type_desc type;
	__u32 refs[4];
	char *object;
};

FIXTURE_SETUP(arena)
{
	mt_world_init(&self->w, 16 * MIB);
	self->fd = self->w.arena.fd;
	self->type.size = sizeof(self->type);
	self->type.object_size = 32;
	self->type.refs = (unsigned long)self->refs;
	self->type.nrefs = 1;
	set_name(self->type.name, "type");
	self->object = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
}

FIXTURE_TEARDOWN(arena)
{
	mt_world_exit(&self->w);
}

#define REGISTER()	mt_ioctl(self->fd, MARENA_TYPE_REGISTER, &self->type)

TEST_F(arena, type_object_size)
{
	static const __u64 bad[] = { 0, 12, 33, TIB + 8, 1ULL << 63, -8ULL };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		self->type.object_size = bad[i];
		EXPECT_EQ(-EINVAL, REGISTER());
	}
	/* Without references any size will do. */
	self->type.object_size = 33;
	self->type.nrefs = 0;
	EXPECT_EQ(0, REGISTER());
}

TEST_F(arena, type_reference_fields)
{
	static const __u32 bad[][4] = {
		{ 4 }, { 2 }, { 32 }, { 28 }, { 0xfffffff8 },
		{ 8, 8 }, { 8, 0 }, { 0, 8, 16, 32 },
	};
	static const __u32 nr[] = { 1, 1, 1, 1, 1, 2, 2, 4 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(self->refs, bad[i], sizeof(bad[i]));
		self->type.nrefs = nr[i];
		EXPECT_EQ(-EINVAL, REGISTER()) {
			TH_LOG("case %u", i);
		}
	}
	EXPECT_EQ(2, mt_stats(self->fd).types);
	self->refs[0] = 24;
	self->type.nrefs = 1;
	EXPECT_EQ(0, REGISTER());
	EXPECT_EQ(3, mt_stats(self->fd).types);
}

TEST_F(arena, type_number_of_references)
{
	__u32 refs[4097];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refs); i++)
		refs[i] = i * 8;
	self->type.object_size = sizeof(refs) * 2;
	self->type.refs = (unsigned long)refs;
	self->type.nrefs = 4097;
	EXPECT_EQ(-EINVAL, REGISTER());
	self->type.nrefs = ~0U;
	EXPECT_EQ(-EINVAL, REGISTER());
	self->type.nrefs = 4096;
	EXPECT_EQ(0, REGISTER());
}

TEST_F(arena, type_pointer)
{
	static const __u64 bad[] = { 0, 1, BAD_POINTER, -4ULL };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		self->type.refs = bad[i];
		EXPECT_EQ(-EFAULT, REGISTER());
	}
	EXPECT_EQ(2, mt_stats(self->fd).types);
	/* It is not looked at where there are none. */
	self->type.nrefs = 0;
	EXPECT_EQ(0, REGISTER());
}

TEST_F(arena, type_names)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_names); i++) {
		set_name(self->type.name, bad_names[i]);
		EXPECT_EQ(-EINVAL, REGISTER());
	}
	fill_name(self->type.name);
	EXPECT_EQ(-EINVAL, REGISTER());
}

TEST_F(arena, type_table_full)
{
	unsigned int nr;
	int ret = 0;

	for (nr = 0; !ret && nr < 1 << 20; nr++) {
		snprintf((char *)self->type.name, MARENA_NAME_LEN, "t%u", nr);
		ret = REGISTER();
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_LT(100, nr);
	/* One that is there is still found. */
	set_name(self->type.name, "t7");
	EXPECT_EQ(0, REGISTER());
}

TEST_F(arena, root_objects)
{
	const struct marena_info *info = &self->w.arena.info;
	const unsigned long bad[] = {
		1, 8, (unsigned long)self->object + 16,
		(unsigned long)self->object + 1,
		info->base - 16,
		info->base + info->arena_size,
		info->base + info->arena_size - 16,
		info->base + info->alloc_offset,
		(unsigned long)self, ~0UL, 1UL << 63,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL,
			  mt_set_root(self->fd, "root", (void *)bad[i]));
	EXPECT_EQ(0, mt_stats(self->fd).roots);
	EXPECT_EQ(NULL, mt_get_root(self->fd, "root"));
}

TEST_F(arena, root_names)
{
	struct marena_root arg = { .size = sizeof(arg) };
	unsigned int i;

	arg.object = (unsigned long)self->object;
	for (i = 0; i < ARRAY_SIZE(bad_names); i++) {
		set_name(arg.name, bad_names[i]);
		EXPECT_EQ(-EINVAL, mt_ioctl(self->fd, MARENA_ROOT_SET, &arg));
		EXPECT_EQ(-EINVAL, mt_ioctl(self->fd, MARENA_ROOT_GET, &arg));
	}
	fill_name(arg.name);
	EXPECT_EQ(-EINVAL, mt_ioctl(self->fd, MARENA_ROOT_SET, &arg));
	EXPECT_EQ(-EINVAL, mt_ioctl(self->fd, MARENA_ROOT_GET, &arg));
	EXPECT_EQ(-ENOENT, mt_set_root(self->fd, "none", NULL));
	set_name(arg.name, "none");
	EXPECT_EQ(-ENOENT, mt_ioctl(self->fd, MARENA_ROOT_GET, &arg));
}

TEST_F(arena, root_table_full)
{
	char name[MARENA_NAME_LEN];
	unsigned int nr;
	int ret = 0;

	for (nr = 0; !ret && nr < 1 << 20; nr++) {
		snprintf(name, sizeof(name), "r%u", nr);
		ret = mt_set_root(self->fd, name, self->object);
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_EQ(nr - 1, mt_stats(self->fd).roots);
	/* One that is there can be changed, or make room. */
	EXPECT_EQ(0, mt_set_root(self->fd, "r7", self->object));
	EXPECT_EQ(0, mt_set_root(self->fd, "r7", NULL));
	EXPECT_EQ(0, mt_set_root(self->fd, name, self->object));
}

TEST_F(arena, refs_objects)
{
	const struct marena_info *info = &self->w.arena.info;
	const unsigned long bad[] = {
		0, 8, (unsigned long)self->object + 16,
		(unsigned long)self->object + 64, info->base - 16,
		info->base + info->arena_size, ~0UL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, mt_refs_all(self->fd, (void *)bad[i]));
		EXPECT_EQ(-EINVAL,
			  mt_refs(self->w.client.fd, (void *)bad[i]));
	}
}

TEST_F(arena, collect_counts_cycles)
{
	struct marena_collect arg = { .size = sizeof(arg) };
	__u64 cycles = mt_stats(self->fd).cycles;

	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_COLLECT, &arg));
	EXPECT_LT(cycles, arg.cycle);
	EXPECT_EQ(arg.cycle, mt_stats(self->fd).cycles);
	cycles = arg.cycle;
	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_COLLECT, &arg));
	EXPECT_EQ(cycles + 1, arg.cycle);
	arg.flags = MARENA_COLLECT_NOWAIT;
	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_COLLECT, &arg));
	EXPECT_EQ(0, arg.cycle);
	/* Which it has asked for: this ends when the cycle does. */
	while (mt_stats(self->fd).cycles == cycles + 1)
		usleep(1000);
}

static int settings(int fd, __u64 mask, struct marena_ioc_settings *arg)
{
	arg->size = sizeof(*arg);
	arg->mask = mask;
	return mt_ioctl(fd, MARENA_SETTINGS, arg);
}

TEST_F(arena, settings_by_default)
{
	struct marena_create create;
	struct marena_ioc_settings arg = { .gc_percent = 1, .period_ms = 2 };
	const __u64 all = MARENA_SET_GC_PERCENT | MARENA_SET_MEMORY_LIMIT |
			  MARENA_SET_SNAPSHOT_LIMIT | MARENA_SET_MIN_INTERVAL |
			  MARENA_SET_PERIOD | MARENA_SET_SURVIVALS;

	mt_init_create(&create, NULL, MT_REGION);
	create.gc_percent = 0;
	create.snapshot_limit = MT_PAGE + 1;
	ASSERT_EQ(0, mt_ioctl(mt_dev(), MARENA_CREATE, &create));
	ASSERT_EQ(0, settings(create.fd, 0, &arg));
	EXPECT_EQ(all, arg.mask);
	EXPECT_EQ(100, arg.gc_percent);
	EXPECT_EQ(0, arg.memory_limit);
	EXPECT_EQ(2 * MT_PAGE, arg.snapshot_limit);
	EXPECT_EQ(1, arg.min_interval_ms);
	EXPECT_EQ(120000, arg.period_ms);
	EXPECT_EQ(2, arg.survivals);
	ASSERT_EQ(0, close(create.fd));
}

/* Each is set alone; the others stay, whatever their fields say. */
TEST_F(arena, settings_one_by_one)
{
	const struct marena_ioc_settings junk = {
		.memory_limit = 5 * MIB + 1,
		.snapshot_limit = 3 * MIB + 1,
		.gc_percent = 77,
		.min_interval_ms = 88,
		.period_ms = 99,
		.survivals = 3,
	};
	struct marena_ioc_settings now = { 0 }, arg;
	unsigned int bit;

	ASSERT_EQ(0, settings(self->fd, 0, &now));
	for (bit = 0; bit < 6; bit++) {
		arg = junk;
		ASSERT_EQ(0, settings(self->fd, 1ULL << bit, &arg));
		if (bit == 0)
			now.gc_percent = 77;
		else if (bit == 1)
			now.memory_limit = 5 * MIB;
		else if (bit == 2)
			now.snapshot_limit = 3 * MIB + MT_PAGE;
		else if (bit == 3)
			now.min_interval_ms = 88;
		else if (bit == 4)
			now.period_ms = 99;
		else
			now.survivals = 3;
		EXPECT_EQ(0, memcmp(&now, &arg, sizeof(now)));
		memset(&arg, 0, sizeof(arg));
		ASSERT_EQ(0, settings(self->fd, 0, &arg));
		EXPECT_EQ(0, memcmp(&now, &arg, sizeof(now)));
	}
	arg.gc_percent = 0;
	arg.memory_limit = 1;
	arg.survivals = 0;
	ASSERT_EQ(0, settings(self->fd, MARENA_SET_GC_PERCENT |
					MARENA_SET_MEMORY_LIMIT |
					MARENA_SET_SURVIVALS, &arg));
	EXPECT_EQ(100, arg.gc_percent);
	EXPECT_EQ(MT_PAGE, arg.memory_limit);
	EXPECT_EQ(2, arg.survivals);
}

TEST_F(arena, settings_errors)
{
	struct marena_ioc_settings arg = { .gc_percent = 1 };
	const char *name = mt_name("settings");
	int fd = mt_create(name, MT_REGION, 0, 0);
	int rdonly = mt_open(name, MARENA_OPEN_RDONLY);

	ASSERT_LE(0, rdonly);
	EXPECT_EQ(-EINVAL, settings(fd, 1ULL << 6, &arg));
	arg.survivals = 4;
	EXPECT_EQ(-EINVAL, settings(fd, MARENA_SET_SURVIVALS |
					MARENA_SET_GC_PERCENT, &arg));
	arg.survivals = 0;
	ASSERT_EQ(0, settings(fd, 0, &arg));
	EXPECT_NE(1, arg.gc_percent);
	arg.gc_percent = 1;
	EXPECT_EQ(-EINVAL, settings(fd, 1ULL << 63 | MARENA_SET_GC_PERCENT,
				    &arg));
	EXPECT_EQ(-EACCES, settings(rdonly, MARENA_SET_GC_PERCENT, &arg));
	/* It changed nothing, and reading is permitted. */
	ASSERT_EQ(0, settings(rdonly, 0, &arg));
	EXPECT_EQ(MARENA_GC_OFF, arg.gc_percent);
	ASSERT_EQ(0, close(rdonly));
	ASSERT_EQ(0, close(fd));
}

TEST_F(arena, pages_arguments)
{
	const __u64 nr = self->w.arena.info.arena_size / MT_PAGE;
	struct marena_page_info info[2];
	struct marena_pages arg = {
		.size = sizeof(arg),
		.buf = (unsigned long)info,
	};

	EXPECT_EQ(-EINVAL, mt_ioctl(self->fd, MARENA_PAGES, &arg));
	arg.count = 65537;
	EXPECT_EQ(-EINVAL, mt_ioctl(self->fd, MARENA_PAGES, &arg));
	arg.count = 1;
	arg.buf = BAD_POINTER;
	EXPECT_EQ(-EFAULT, mt_ioctl(self->fd, MARENA_PAGES, &arg));
	arg.buf = 0;
	EXPECT_EQ(-EFAULT, mt_ioctl(self->fd, MARENA_PAGES, &arg));

	arg.buf = (unsigned long)info;
	arg.count = 1;
	arg.first = 0;
	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_PAGES, &arg));
	EXPECT_EQ(1, arg.count);
	EXPECT_EQ(info[0].page + 1, arg.first);
	EXPECT_EQ(MARENA_TYPE_OPAQUE, info[0].type);
	EXPECT_EQ(64, info[0].object_size);

	arg.count = 2;
	arg.first = nr - 1;
	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_PAGES, &arg));
	EXPECT_EQ(0, arg.count);
	EXPECT_EQ(nr, arg.first);
}

/* ------------------------------------------------------------- a client */

TEST_F(arena, client_limit)
{
	struct rlimit limit;
	int ret = 0;
	__u64 nr;

	limit.rlim_cur = 100000;
	limit.rlim_max = 100000;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (nr = 1; !ret; nr++) {
		struct marena_attach arg = { .size = sizeof(arg) };

		EXPECT_EQ(nr, mt_stats(self->fd).clients);
		ret = mt_ioctl(self->fd, MARENA_ATTACH, &arg);
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_LT(16, nr);
}

TEST_F(arena, slot_table_full)
{
	const __u32 nr_slots = self->w.client.attach.nr_slots;
	bool *taken = calloc(nr_slots, sizeof(*taken));
	int fd = self->w.client.fd;
	__u32 slot, nr;

	ASSERT_NE(NULL, taken);
	taken[self->w.thread.slot] = true;
	for (nr = 1; nr < nr_slots; nr++) {
		ASSERT_EQ(0, mt_slot_acquire(fd, &slot));
		ASSERT_LT(slot, nr_slots);
		EXPECT_FALSE(taken[slot]);
		EXPECT_EQ(0, self->w.client.slots[slot].section);
		taken[slot] = true;
	}
	EXPECT_EQ(-ENOSPC, mt_slot_acquire(fd, &slot));
	for (slot = 0; slot < nr_slots; slot++)
		if (slot != self->w.thread.slot)
			EXPECT_EQ(0, mt_slot_release(fd, slot));
	EXPECT_EQ(0, mt_slot_acquire(fd, &slot));
	free(taken);
}

TEST_F(arena, slot_reads_zero_when_acquired)
{
	int fd = self->w.client.fd;
	__u32 slot, again;

	ASSERT_EQ(0, mt_slot_acquire(fd, &slot));
	self->w.client.slots[slot].section = 1;
	ASSERT_EQ(0, mt_slot_release(fd, slot));
	do {
		ASSERT_EQ(0, mt_slot_acquire(fd, &again));
		EXPECT_EQ(0, self->w.client.slots[again].section);
	} while (again != slot);
}

static void *release_slot(void *arg)
{
	struct mt_thread *t = arg;

	mt_assert_eq(mt_slot_release(t->client->fd, t->slot), -EINVAL);
	return NULL;
}

TEST_F(arena, slot_of_somebody_else)
{
	int fd = self->w.client.fd;
	pthread_t thread;
	__u32 slot;

	EXPECT_EQ(-EINVAL,
		  mt_slot_release(fd, self->w.client.attach.nr_slots));
	EXPECT_EQ(-EINVAL, mt_slot_release(fd, ~0U));
	ASSERT_EQ(0, pthread_create(&thread, NULL, release_slot,
				    &self->w.thread));
	ASSERT_EQ(0, pthread_join(thread, NULL));

	ASSERT_EQ(0, mt_slot_acquire(fd, &slot));
	ASSERT_EQ(0, mt_slot_release(fd, slot));
	EXPECT_EQ(-EINVAL, mt_slot_release(fd, slot));
}

TEST_F(arena, lease_arguments)
{
	struct marena_lease arg;
	int fd = self->w.client.fd;
	__u64 leases = mt_stats(self->fd).leases;

	ASSERT_EQ(0, REGISTER());
	EXPECT_EQ(-EINVAL, mt_lease(fd, self->type.id + 1, 32, &arg));
	EXPECT_EQ(-EINVAL, mt_lease(fd, ~0U, 32, &arg));
	EXPECT_EQ(-EINVAL, mt_lease(fd, self->type.id, 0, &arg));
	EXPECT_EQ(-EINVAL, mt_lease(fd, self->type.id, 31, &arg));
	EXPECT_EQ(-EINVAL, mt_lease(fd, self->type.id, 33, &arg));
	EXPECT_EQ(-EINVAL, mt_lease(fd, self->type.id, 48, &arg));
	EXPECT_EQ(-EINVAL, mt_lease(fd, MARENA_TYPE_CONSERVATIVE, 12, &arg));
	EXPECT_EQ(-EINVAL, mt_lease(fd, MARENA_TYPE_OPAQUE, 1ULL << 63, &arg));
	EXPECT_EQ(-EINVAL, mt_lease(fd, MARENA_TYPE_OPAQUE, ~0ULL, &arg));
	EXPECT_EQ(-ENOSPC, mt_lease(fd, MARENA_TYPE_OPAQUE, 17 * MIB, &arg));
	EXPECT_EQ(leases, mt_stats(self->fd).leases);

	ASSERT_EQ(0, mt_lease(fd, self->type.id, 64, &arg));
	EXPECT_EQ(64, arg.bytes);
	EXPECT_LE(1, arg.nr_slots);
	EXPECT_EQ(0, arg.base % MARENA_GRANULE);
	EXPECT_EQ(self->w.client.control->gate, arg.gate);
	EXPECT_EQ(leases + 1, mt_stats(self->fd).leases);
}

TEST_F(arena, unlease_what_is_not_leased)
{
	struct mt_client other;
	struct marena_lease arg;
	int fd = self->w.client.fd;
	__u64 base;

	mt_client_attach(&other, &self->w.arena);
	ASSERT_EQ(0, mt_lease(fd, MARENA_TYPE_OPAQUE, 256, &arg));
	base = arg.base;

	EXPECT_EQ(-ENOENT, mt_ioctl(other.fd, MARENA_UNLEASE, &arg));
	arg.base = base + 256;
	EXPECT_EQ(-ENOENT, mt_ioctl(fd, MARENA_UNLEASE, &arg));
	arg.base = 0;
	EXPECT_EQ(-ENOENT, mt_ioctl(fd, MARENA_UNLEASE, &arg));
	arg.base = self->w.arena.info.base + self->w.arena.info.arena_size;
	EXPECT_EQ(-ENOENT, mt_ioctl(fd, MARENA_UNLEASE, &arg));
	arg.base = ~0ULL;
	EXPECT_EQ(-ENOENT, mt_ioctl(fd, MARENA_UNLEASE, &arg));

	arg.base = base;
	EXPECT_EQ(0, mt_ioctl(fd, MARENA_UNLEASE, &arg));
	EXPECT_EQ(-ENOENT, mt_ioctl(fd, MARENA_UNLEASE, &arg));
	mt_client_detach(&other);
}

TEST_F(arena, leases_end_with_the_cycle)
{
	struct marena_lease arg;
	int fd = self->w.client.fd;

	ASSERT_EQ(0, mt_lease(fd, MARENA_TYPE_OPAQUE, 256, &arg));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_NE(arg.gate, self->w.client.control->gate);
	EXPECT_EQ(0, mt_stats(self->fd).leases);
	EXPECT_EQ(-ENOENT, mt_ioctl(fd, MARENA_UNLEASE, &arg));
}

TEST_F(arena, spill_arguments)
{
	struct marena_spill arg = { .size = sizeof(arg) };
	__u8 *byte = mt_refs_byte(&self->w.client, self->object);
	int fd = self->w.client.fd;

	arg.object = (unsigned long)self->object;
	arg.op = 2;
	EXPECT_EQ(-EINVAL, mt_ioctl(fd, MARENA_SPILL, &arg));
	arg.op = ~0U;
	EXPECT_EQ(-EINVAL, mt_ioctl(fd, MARENA_SPILL, &arg));
	arg.op = MARENA_SPILL_OUT;
	arg.object += 16;
	EXPECT_EQ(-EINVAL, mt_ioctl(fd, MARENA_SPILL, &arg));
	arg.op = MARENA_SPILL_IN;
	EXPECT_EQ(-EINVAL, mt_ioctl(fd, MARENA_SPILL, &arg));
	arg.object -= 16;
	/* As if another thread had found 0 as well, and had been faster. */
	EXPECT_EQ(0, mt_ioctl(fd, MARENA_SPILL, &arg));
	EXPECT_EQ(1, *byte);
	*byte = 0;
	EXPECT_EQ(-ENOENT, mt_ioctl(fd, MARENA_SPILL, &arg));
	EXPECT_EQ(0, *byte);

	/* The byte is too small for the one, then too large for the other. */
	arg.op = MARENA_SPILL_OUT;
	*byte = MARENA_SPILL_UNIT - 1;
	EXPECT_EQ(0, mt_ioctl(fd, MARENA_SPILL, &arg));
	EXPECT_EQ(MARENA_SPILL_UNIT - 1, *byte);
	*byte = MARENA_SPILL_UNIT + 3;
	EXPECT_EQ(0, mt_ioctl(fd, MARENA_SPILL, &arg));
	EXPECT_EQ(3, *byte);
	EXPECT_EQ(MARENA_SPILL_UNIT + 3, mt_refs(fd, self->object));
	*byte = MARENA_SPILL_UNIT;
	arg.op = MARENA_SPILL_IN;
	EXPECT_EQ(0, mt_ioctl(fd, MARENA_SPILL, &arg));
	EXPECT_EQ(MARENA_SPILL_UNIT, *byte);
	EXPECT_EQ(2 * MARENA_SPILL_UNIT, mt_refs(fd, self->object));
	*byte = 3;
	EXPECT_EQ(0, mt_ioctl(fd, MARENA_SPILL, &arg));
	EXPECT_EQ(MARENA_SPILL_UNIT + 3, *byte);
	EXPECT_EQ(MARENA_SPILL_UNIT + 3, mt_refs(fd, self->object));
}

TEST_F(arena, attach_result)
{
	const struct marena_attach *attach = &self->w.client.attach;

	EXPECT_LE(1, attach->nr_slots);
	EXPECT_LE(sizeof(struct marena_control), attach->slots_offset);
	EXPECT_LE(attach->slots_offset +
		  attach->nr_slots * sizeof(struct marena_slot),
		  attach->refs_offset);
	EXPECT_LE(attach->refs_offset +
		  self->w.arena.info.arena_size / MARENA_GRANULE,
		  attach->map_size);
	EXPECT_EQ(FD_CLOEXEC, fcntl(attach->fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(attach->fd, F_GETFL) & O_ACCMODE);
}

TEST_HARNESS_MAIN
