/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of marena share.
 *
 * The tests that ask what the kernel holds talk to the device with ioctls
 * alone, through the functions below: struct mt_arena is an arena file with
 * its heap mapped, struct mt_client a client file with its map, struct
 * mt_thread a slot with the leases that its thread allocates from. A process
 * may have several clients of one arena, each with its own references.
 *
 * A function that returns int returns 0 or a negative errno. One that returns
 * something else, or void, ends the process with KSFT_FAIL and a line that
 * says where, if it does not succeed: so do the mt_assert macros, which
 * therefore work in forked children and in threads, where those of the harness
 * do not.
 */
#ifndef MARENA_TEST_H
#define MARENA_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <linux/marena.h>

#include "kselftest.h"

#define MT_DEVICE	"/dev/marena"
#define MT_MODULE	"/sys/module/marena"

#define KIB		1024UL
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)
#define TIB		(1024 * GIB)

#define MT_PAGE		(4 * KIB)
#define MT_REGION	(2 * MIB)

/*
 * Seconds after which the harness ends a test that hangs. An emulated machine
 * that checks all it can is slow, on a busy host by so much again: it is far
 * more than the harness's own. (Include that before this.)
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	900

#define mt_assert(cond)							\
	do {								\
		if (!(cond))						\
			mt_fail(__FILE__, __LINE__, "%s", #cond);	\
	} while (0)

#define mt_compare(seen, text, op, want)				\
	do {								\
		long long seen_ = (long long)(seen);			\
		long long want_ = (long long)(want);			\
									\
		if (!(seen_ op want_))					\
			mt_fail(__FILE__, __LINE__,			\
				"%s is %lld, not " #op " %lld",		\
				text, seen_, want_);			\
	} while (0)

#define mt_assert_eq(seen, want)	mt_compare(seen, #seen, ==, want)
#define mt_assert_le(seen, want)	mt_compare(seen, #seen, <=, want)
#define mt_assert_ge(seen, want)	mt_compare(seen, #seen, >=, want)

void __noreturn __printf(3, 4)
mt_fail(const char *file, int line, const char *fmt, ...);
void __printf(1, 2) mt_log(const char *fmt, ...);

/* ------------------------------------------------------------ the device */

int mt_ioctl(int fd, unsigned long cmd, void *arg);
int mt_dev(void);
void mt_dev_close(void);
__u64 mt_max_size(void);
const char *mt_name(const char *stem);
void mt_init_create(struct marena_create *arg, const char *name, __u64 size);
int mt_create(const char *name, __u64 size, __u32 flags, __u64 mem_limit);
int mt_create_mode(const char *name, __u64 size, __u32 mode);
int mt_open(const char *name, __u32 flags);
int mt_unlink(const char *name);
bool mt_listed(const char *name);

/* -------------------------------------------------------------- an arena */

struct mt_arena {
	int fd;
	struct marena_info info;
	char *heap;
	__u8 *alloc;
};

int mt_info(int fd, struct marena_info *info);
void mt_arena_map(struct mt_arena *a, int fd, int prot);
void mt_arena_init(struct mt_arena *a, __u64 size, __u64 mem_limit,
		   __u32 gc_percent);
void mt_arena_unmap(struct mt_arena *a);
void mt_arena_exit(struct mt_arena *a);

struct marena_ioc_stats mt_stats(int fd);
int mt_try_collect(int fd);
int mt_kick(int fd);
int mt_collect(int fd);
int mt_collect_minor(int fd);
int mt_type(int fd, const char *name, __u64 size, const __u32 *refs,
	    __u32 nrefs);
int mt_set_root(int fd, const char *name, const void *object);
void *mt_get_root(int fd, const char *name);
long mt_refs_all(int fd, const void *object);
bool mt_page_info(int fd, const struct marena_info *info, const void *addr,
		  struct marena_page_info *page);
bool mt_alloc_bit(const struct mt_arena *a, const void *object);

/* -------------------------------------------------------------- a client */

struct mt_client {
	struct mt_arena *arena;
	int fd;
	struct marena_attach attach;
	char *map;
	struct marena_control *control;
	struct marena_slot *slots;
	__u8 *refs;
};

void mt_client_attach(struct mt_client *c, struct mt_arena *a);
void mt_client_detach(struct mt_client *c);
int mt_slot_acquire(int fd, __u32 *slot);
int mt_slot_release(int fd, __u32 slot);
long mt_refs(int fd, const void *object);
__u8 *mt_refs_byte(const struct mt_client *c, const void *object);

/* -------------------------------------------------------------- a thread */

#define MT_LEASES	64

struct mt_lease {
	__u64 bytes;		/* as asked for */
	__u32 type;
	__u32 gate;
	__u32 nr_slots;
	__u32 next;		/* where to look for a free slot */
	__u64 slot_size;
	char *base;
};

struct mt_thread {
	struct mt_client *client;
	__u32 slot;
	struct mt_lease lease[MT_LEASES];
	unsigned int nr_leases;
	unsigned int victim;
};

void mt_thread_init(struct mt_thread *t, struct mt_client *c);
void mt_thread_exit(struct mt_thread *t);
__u32 mt_enter(struct mt_thread *t);
void mt_leave(struct mt_thread *t);
int mt_try_new(struct mt_thread *t, __u32 type, __u64 bytes, void **object);
void *mt_new(struct mt_thread *t, __u32 type, __u64 bytes);
__u64 mt_slot_size(struct mt_thread *t, __u32 type, __u64 bytes);
void mt_get(struct mt_thread *t, const void *object);
void mt_take(struct mt_client *c, const void *object);
int mt_put(struct mt_thread *t, const void *object);
int mt_lease(int fd, __u32 type, __u64 bytes, struct marena_lease *arg);

/* ---------------------------------------------------- processes, memory */

/*
 * What most tests need: an arena of their own, in which no cycle starts by
 * itself, one client, one thread.
 */
struct mt_world {
	struct mt_arena arena;
	struct mt_client client;
	struct mt_thread thread;
};

void mt_world_init(struct mt_world *w, __u64 size);
void mt_world_exit(struct mt_world *w);

pid_t mt_fork(void (*fn)(void *arg), void *arg);
int mt_wait(pid_t pid);
bool mt_has_ended(pid_t pid);
void mt_wait_ok(pid_t pid);
void mt_wait_signal(pid_t pid, int sig);
void mt_run(void (*fn)(void *arg), void *arg);
void mt_become(uid_t uid, gid_t gid);
void __noreturn mt_exec(int in, int out);
void mt_pipe(int fd[2]);
void mt_post(int fd);
bool mt_wait_post(int fd);

int mt_catch(void (*fn)(void *arg), void *arg);
int mt_read_signal(const void *addr);
int mt_write_signal(void *addr);
unsigned int mt_open_fds(void);
int mt_write_file(const char *path, const char *text);
int mt_read_file(const char *path, char *buf, size_t size);
unsigned long mt_env(const char *name, unsigned long fallback);

/* How the module was loaded, to be loaded so again. */
struct mt_module {
	char command[512];
	struct stat device;
};

void mt_module_note(struct mt_module *m);
int mt_module_restore(const struct mt_module *m);
char mt_state(pid_t tid);
void mt_wait_state(pid_t tid, char state);
bool mt_module_try_unload(void);
void mt_module_unload(void);

/*
 * Failing allocations, one after the other: mt_inject_next(), what is to meet
 * a failure, mt_inject_end(); until that says that there was none.
 */
struct mt_inject {
	int fd;
	int all_fd;
	unsigned int nth;
};

bool mt_inject_init(struct mt_inject *inject, pid_t pid);
void mt_inject_exit(struct mt_inject *inject);
void mt_inject_next(struct mt_inject *inject);
bool mt_inject_end(struct mt_inject *inject);
void mt_inject_all_next(struct mt_inject *inject);
bool mt_inject_all_end(struct mt_inject *inject);
pid_t mt_find_process(const char *name);

/* xorshift: the same sequence from the same seed on every machine */
struct mt_random {
	__u64 state;
};

void mt_random_init(struct mt_random *r, __u64 seed);
__u64 mt_random(struct mt_random *r);
__u64 mt_random_below(struct mt_random *r, __u64 bound);

#endif /* MARENA_TEST_H */
