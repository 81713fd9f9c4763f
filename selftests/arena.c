// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arenas: how long they live, who sees their names, who may open them, and
 * what a file of one carries to another process.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define USER	1000
#define GROUP	1000
#define OTHER	1001

/* ------------------------------------------------------------------- life */

TEST(name_goes_with_the_last_file)
{
	const char *name = mt_name("life");
	int fd = mt_create(name, MT_REGION, 0, 0);
	int again = mt_open(name, 0);

	ASSERT_GE(fd, 0);
	ASSERT_GE(again, 0);
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(mt_listed(name));
	ASSERT_EQ(0, close(again));
	EXPECT_FALSE(mt_listed(name));
	EXPECT_EQ(-ENOENT, mt_open(name, 0));
}

TEST(name_goes_with_the_last_mapping)
{
	const char *name = mt_name("life");
	int fd = mt_create(name, MT_REGION, 0, 0);
	struct mt_arena a;

	ASSERT_GE(fd, 0);
	mt_arena_map(&a, fd, PROT_READ | PROT_WRITE);
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(mt_listed(name));
	mt_arena_unmap(&a);
	EXPECT_FALSE(mt_listed(name));
}

TEST(name_goes_with_the_last_client)
{
	struct marena_attach attach = { .size = sizeof(attach) };
	const char *name = mt_name("life");
	int fd = mt_create(name, MT_REGION, 0, 0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mt_ioctl(fd, MARENA_ATTACH, &attach));
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(mt_listed(name));
	ASSERT_EQ(0, close(attach.fd));
	EXPECT_FALSE(mt_listed(name));
}

static void create_and_fill(void *name)
{
	int fd = mt_create(name, MT_REGION, MARENA_CREATE_PERSIST, 0);
	struct mt_world w;
	void *object;

	mt_assert_ge(fd, 0);
	mt_arena_map(&w.arena, fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w.client, &w.arena);
	mt_thread_init(&w.thread, &w.client);
	object = mt_new(&w.thread, MARENA_TYPE_OPAQUE, 32);
	snprintf(object, 32, "still there");
	mt_assert_eq(mt_set_root(fd, "root", object), 0);
}

/* Nothing has it open for a while; what its roots reach is there after it. */
TEST(persists_with_its_contents)
{
	const char *name = mt_name("persist");
	struct mt_arena a;
	char *object;
	int fd;

	mt_run(create_and_fill, (void *)name);
	EXPECT_TRUE(mt_listed(name));
	fd = mt_open(name, 0);
	ASSERT_GE(fd, 0);
	mt_arena_map(&a, fd, PROT_READ | PROT_WRITE);
	ASSERT_EQ(0, mt_collect(fd));
	object = mt_get_root(fd, "root");
	ASSERT_NE(NULL, object);
	EXPECT_STREQ("still there", object);
	mt_arena_exit(&a);

	EXPECT_TRUE(mt_listed(name));
	EXPECT_EQ(0, mt_unlink(name));
	EXPECT_FALSE(mt_listed(name));
}

TEST(unlinked_arena_lives_on)
{
	const char *name = mt_name("unlink");
	int fd = mt_create(name, MT_REGION, MARENA_CREATE_PERSIST, 0);
	struct mt_world w;
	int other;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mt_unlink(name));
	EXPECT_EQ(-ENOENT, mt_unlink(name));
	EXPECT_EQ(-ENOENT, mt_open(name, 0));

	other = mt_create(name, MT_REGION, 0, 0);
	ASSERT_GE(other, 0);
	mt_arena_map(&w.arena, fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w.client, &w.arena);
	mt_thread_init(&w.thread, &w.client);
	mt_new(&w.thread, MARENA_TYPE_OPAQUE, 32);
	ASSERT_EQ(0, mt_collect(fd));
	EXPECT_EQ(1, mt_stats(fd).objects_live);
	EXPECT_EQ(0, mt_stats(other).objects_live);
}

/* A name that went of itself leaves the one who took it next alone. */
TEST(name_of_a_successor)
{
	const char *name = mt_name("next");
	int first = mt_create(name, MT_REGION, 0, 0);
	int second;

	ASSERT_GE(first, 0);
	ASSERT_EQ(0, mt_unlink(name));
	second = mt_create(name, MT_REGION, 0, 0);
	ASSERT_GE(second, 0);
	ASSERT_EQ(0, close(first));
	EXPECT_TRUE(mt_listed(name));
}

TEST(ids_and_addresses_differ)
{
	struct marena_info info[16];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(info); i++) {
		int fd = mt_create(NULL, (i % 3 + 1) * MT_REGION, 0, 0);

		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, mt_info(fd, &info[i]));
		for (j = 0; j < i; j++) {
			EXPECT_NE(info[j].id, info[i].id);
			EXPECT_TRUE(info[j].base + info[j].map_size <=
				    info[i].base ||
				    info[i].base + info[i].map_size <=
				    info[j].base);
		}
	}
}

/* ------------------------------------------------------- names of namespaces */

static void see_no_name(void *name)
{
	int fd;

	mt_assert_eq(unshare(CLONE_NEWIPC), 0);
	mt_assert(!mt_listed(name));
	mt_assert_eq(mt_open(name, 0), -ENOENT);
	mt_assert_eq(mt_unlink(name), -ENOENT);
	/* The same name is free here, and stays here. */
	fd = mt_create(name, 2 * MT_REGION, 0, 0);
	mt_assert_ge(fd, 0);
	mt_assert(mt_listed(name));
	mt_assert_eq(mt_unlink(name), 0);
}

TEST(names_belong_to_the_ipc_namespace)
{
	const char *name = mt_name("ipc");
	int fd = mt_create(name, MT_REGION, 0, 0);

	ASSERT_GE(fd, 0);
	mt_run(see_no_name, (void *)name);
	EXPECT_TRUE(mt_listed(name));
}

static void persist_in_namespace(void *arg)
{
	int *post = arg;

	mt_assert_eq(unshare(CLONE_NEWIPC), 0);
	mt_assert_ge(mt_create("only here", MT_REGION, MARENA_CREATE_PERSIST,
			       0), 0);
	mt_post(post[1]);
}

/*
 * Nobody can unlink it any more when its namespace is gone. That it goes too
 * is seen by the unload test, which has to wait for it.
 */
TEST(persistent_name_in_a_namespace_that_ends)
{
	int post[2];

	mt_pipe(post);
	mt_run(persist_in_namespace, post);
	EXPECT_TRUE(mt_wait_post(post[0]));
	EXPECT_FALSE(mt_listed("only here"));
}

/* ------------------------------------------------------------------ rights */

struct access {
	const char *name;
	uid_t uid;
	gid_t gid;
	int open;		/* what opening for writing gives, 0 or error */
	int rdonly;		/* the same for reading only */
	int unlink;
};

static void try_access(void *arg)
{
	const struct access *want = arg;
	int fd;

	mt_become(want->uid, want->gid);
	fd = mt_open(want->name, 0);
	mt_assert_eq(fd < 0 ? fd : 0, want->open);
	fd = mt_open(want->name, MARENA_OPEN_RDONLY);
	mt_assert_eq(fd < 0 ? fd : 0, want->rdonly);
	mt_assert_eq(mt_unlink(want->name), want->unlink);
}

struct created {
	const char *name;
	__u32 mode;
	mode_t umask;
	int ready[2];
	int done[2];
};

static void create_as_user(void *arg)
{
	struct created *c = arg;

	close(c->done[1]);
	mt_become(USER, GROUP);
	umask(c->umask);
	mt_assert_ge(mt_create_mode(c->name, MT_REGION, c->mode), 0);
	mt_post(c->ready[1]);
	mt_wait_post(c->done[0]);
}

/* An arena that a process of the user holds, until end_user() is called. */
static pid_t begin_user(struct created *c, const char *name, __u32 mode,
			mode_t mask)
{
	pid_t pid;

	c->name = name;
	c->mode = mode;
	c->umask = mask;
	mt_pipe(c->ready);
	mt_pipe(c->done);
	mt_dev();	/* which the user may not open */
	pid = mt_fork(create_as_user, c);
	close(c->ready[1]);
	mt_assert(mt_wait_post(c->ready[0]));
	return pid;
}

static void end_user(struct created *c, pid_t pid)
{
	close(c->done[1]);
	mt_wait_ok(pid);
}

TEST(mode_is_that_of_a_file)
{
	static const struct {
		__u32 mode;
		int group, group_ro, other, other_ro;
	} modes[] = {
		{ 0600, -EACCES, -EACCES, -EACCES, -EACCES },
		{ 0640, -EACCES, 0, -EACCES, -EACCES },
		{ 0660, 0, 0, -EACCES, -EACCES },
		{ 0664, 0, 0, -EACCES, 0 },
		{ 0666, 0, 0, 0, 0 },
		{ 0606, -EACCES, -EACCES, 0, 0 },
		/* To write is to read as well: one right is not enough. */
		{ 0622, -EACCES, -EACCES, -EACCES, -EACCES },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		const char *name = mt_name("mode");
		struct access group = { name, OTHER, GROUP, modes[i].group,
					modes[i].group_ro, -EACCES };
		struct access other = { name, OTHER, OTHER, modes[i].other,
					modes[i].other_ro, -EACCES };
		struct access owner = { name, USER, OTHER, 0, 0, 0 };
		struct access root = { name, 0, 0, 0, 0, 0 };
		struct created c;
		pid_t pid = begin_user(&c, name, modes[i].mode, 0);

		mt_run(try_access, &group);
		mt_run(try_access, &other);
		mt_run(try_access, &owner);
		end_user(&c, pid);
		pid = begin_user(&c, name, modes[i].mode, 0);
		mt_run(try_access, &root);
		end_user(&c, pid);
	}
}

static bool find_listed(const char *name, struct marena_list *arg)
{
	memset(arg, 0, sizeof(*arg));
	arg->size = sizeof(*arg);
	while (!mt_ioctl(mt_dev(), MARENA_LIST, arg)) {
		if (!strcmp((char *)arg->name, name))
			return true;
		arg->flags = 0;
	}
	return false;
}

TEST(umask_takes_from_the_mode)
{
	const char *name = mt_name("umask");
	struct marena_list list;
	struct created c;
	pid_t pid = begin_user(&c, name, 0666, 0027);

	ASSERT_TRUE(find_listed(name, &list));
	EXPECT_EQ(0640, list.mode);
	EXPECT_EQ(USER, list.uid);
	EXPECT_EQ(GROUP, list.gid);
	end_user(&c, pid);
}

TEST(owner_and_mode_can_be_changed)
{
	const char *name = mt_name("chmod");
	struct access denied = { name, USER, GROUP, -EACCES, -EACCES,
				 -EACCES };
	struct access reader = { name, USER, GROUP, -EACCES, 0, -EACCES };
	struct access owner = { name, USER, GROUP, 0, 0, 0 };
	int fd = mt_create_mode(name, MT_REGION, 0600);
	struct marena_list list;
	struct stat st;

	ASSERT_GE(fd, 0);
	mt_run(try_access, &denied);
	ASSERT_EQ(0, fchmod(fd, 0644));
	mt_run(try_access, &reader);
	ASSERT_EQ(0, fchown(fd, USER, OTHER));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0644, st.st_mode & 07777);
	EXPECT_EQ(USER, st.st_uid);
	EXPECT_EQ(OTHER, st.st_gid);
	ASSERT_TRUE(find_listed(name, &list));
	EXPECT_EQ(0644, list.mode);
	EXPECT_EQ(USER, list.uid);
	EXPECT_EQ(OTHER, list.gid);
	mt_run(try_access, &owner);
}

TEST(size_cannot_be_changed)
{
	int fd = mt_create(NULL, MT_REGION, 0, 0);
	struct marena_info info;

	ASSERT_GE(fd, 0);
	EXPECT_NE(0, ftruncate(fd, 4 * MT_REGION));
	EXPECT_NE(0, ftruncate(fd, 0));
	EXPECT_NE(0, fallocate(fd, 0, 0, MT_REGION));
	ASSERT_EQ(0, mt_info(fd, &info));
	EXPECT_EQ(MT_REGION, info.arena_size);
}

/* ------------------------------------------------- files in other processes */

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	mt_assert_eq(sendmsg(sock, &msg, 0), 1);
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	mt_assert_eq(recvmsg(sock, &msg, 0), 1);
	mt_assert(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Somebody who may not open the arena by its name. */
static void use_received(void *arg)
{
	int fd = receive_fd(*(int *)arg);
	struct mt_world w;
	char *object;

	mt_become(USER, GROUP);
	mt_arena_map(&w.arena, fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w.client, &w.arena);
	mt_thread_init(&w.thread, &w.client);
	object = mt_get_root(fd, "root");
	mt_assert(!strcmp(object, "sent"));
	snprintf(object, 32, "received");
	mt_assert_eq(mt_set_root(fd, "reply", mt_new(&w.thread, 0, 16)), 0);
	mt_assert_eq(mt_collect(fd), 0);
}

TEST(file_over_a_socket)
{
	struct mt_world w;
	int sock[2];
	char *object;
	pid_t pid;

	mt_world_init(&w, MT_REGION);
	object = mt_new(&w.thread, MARENA_TYPE_OPAQUE, 32);
	snprintf(object, 32, "sent");
	ASSERT_EQ(0, mt_set_root(w.arena.fd, "root", object));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = mt_fork(use_received, &sock[1]);
	send_fd(sock[0], w.arena.fd);
	mt_wait_ok(pid);
	EXPECT_STREQ("received", object);
	EXPECT_NE(NULL, mt_get_root(w.arena.fd, "reply"));
	mt_world_exit(&w);
}

/* Whatever it tries, the file it was given stays one for reading. */
static void use_received_rdonly(void *arg)
{
	struct marena_lease lease;
	int fd = receive_fd(*(int *)arg);
	struct mt_world w;
	char *object;
	void *map;

	mt_become(USER, GROUP);
	mt_assert_eq(mt_info(fd, &w.arena.info), 0);
	map = mmap(NULL, w.arena.info.map_size, PROT_READ | PROT_WRITE,
		   MAP_SHARED, fd, 0);
	mt_assert(map == MAP_FAILED && errno == EACCES);
	mt_arena_map(&w.arena, fd, PROT_READ);
	mt_assert(mprotect(w.arena.heap, w.arena.info.map_size,
			   PROT_READ | PROT_WRITE) && errno == EACCES);
	object = mt_get_root(fd, "root");
	mt_assert(!strcmp(object, "sent"));
	mt_assert_eq(mt_write_signal(object), SIGSEGV);

	/* It may hold what it reads. */
	mt_client_attach(&w.client, &w.arena);
	mt_thread_init(&w.thread, &w.client);
	mt_get(&w.thread, object);
	mt_assert_eq(mt_refs(w.client.fd, object), 1);
	mt_assert_eq(mt_refs_all(fd, object), 2);
	mt_assert_eq(mt_lease(w.client.fd, 0, 16, &lease), -EACCES);
	mt_assert_eq(mt_set_root(fd, "root", NULL), -EACCES);
	mt_assert_eq(mt_collect(fd), -EACCES);
	mt_assert_eq(mt_type(fd, "type", 8, NULL, 0), -EACCES);
}

TEST(rdonly_file_over_a_socket)
{
	const char *name = mt_name("rdonly");
	int fd = mt_create(name, MT_REGION, 0, 0);
	struct mt_world w;
	int sock[2], ro;
	char *object;
	pid_t pid;

	ASSERT_GE(fd, 0);
	mt_arena_map(&w.arena, fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w.client, &w.arena);
	mt_thread_init(&w.thread, &w.client);
	object = mt_new(&w.thread, MARENA_TYPE_OPAQUE, 32);
	snprintf(object, 32, "sent");
	ASSERT_EQ(0, mt_set_root(fd, "root", object));

	ro = mt_open(name, MARENA_OPEN_RDONLY);
	ASSERT_GE(ro, 0);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = mt_fork(use_received_rdonly, &sock[1]);
	send_fd(sock[0], ro);
	mt_wait_ok(pid);
	EXPECT_STREQ("sent", object);
}

static void reopen(void *arg)
{
	char path[64];
	int fd;

	mt_become(USER, GROUP);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *(int *)arg);
	fd = open(path, O_RDWR);
	mt_assert(fd < 0);
}

/* /proc is no way round the mode, nor to a file that was not set up. */
TEST(reopened_through_proc)
{
	struct mt_world w;
	struct marena_info info;
	char path[64];
	int fds[2], i, fd;

	mt_world_init(&w, MT_REGION);
	mt_run(reopen, &w.arena.fd);
	mt_run(reopen, &w.client.fd);

	fds[0] = w.arena.fd;
	fds[1] = w.client.fd;
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);
		fd = open(path, O_RDWR);
		if (fd < 0)
			continue;
		EXPECT_EQ(i ? -ENOTTY : 0, mt_info(fd, &info));
		EXPECT_EQ(0, close(fd));
	}
	EXPECT_EQ(1, mt_stats(w.arena.fd).clients);
	mt_world_exit(&w);
}

TEST(duplicates_are_one_client)
{
	struct mt_world w;
	int dups[2];

	mt_world_init(&w, MT_REGION);
	dups[0] = dup(w.arena.fd);
	dups[1] = dup(w.client.fd);
	ASSERT_GE(dups[1], 0);
	EXPECT_EQ(1, mt_stats(dups[0]).clients);
	ASSERT_EQ(0, close(w.client.fd));
	EXPECT_EQ(1, mt_stats(dups[0]).clients);
	w.client.fd = dups[1];
	EXPECT_NE(NULL, mt_new(&w.thread, MARENA_TYPE_OPAQUE, 16));
	ASSERT_EQ(0, close(dups[0]));
	mt_world_exit(&w);
}

TEST_HARNESS_MAIN
