// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading the module meets an allocation that fails: the first, the second, and
 * so on, until it has made all of them. Each time either nothing of it is left,
 * or it is there in spite of it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "marena_test.h"

/* Tests that the module itself has would run each time that it is loaded. */
#define KUNIT_FILTER	"/sys/module/kunit/parameters/filter_glob"

/* More allocations than this it does not make. */
#define MOST		5000

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/*
 * Linux 6.12 itself loses the name of a slab cache, if a failed allocation was
 * one for the cache's directory in sysfs: sysfs_slab_add() does not let go of
 * the kobject then.
 */
static const char * const known_leaks[] = { "marena_arena.", "marena_span." };

FIXTURE(load)
{
	struct mt_module module;
	struct mt_inject inject;
	int file;
};

/* The module's file, as modprobe would take it. */
static int open_module(void)
{
	FILE *pipe = popen("modinfo -F filename marena", "re");
	char path[512];
	int fd;

	mt_assert(pipe);
	mt_assert(fgets(path, sizeof(path), pipe));
	mt_assert_eq(pclose(pipe), 0);
	path[strcspn(path, "\n")] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	mt_assert_ge(fd, 0);
	return fd;
}

FIXTURE_SETUP(load)
{
	struct marena_list list = { .size = sizeof(list) };

	if (!mt_inject_init(&self->inject, 0))
		SKIP(return, "the kernel cannot let allocations fail");
	if (!mt_ioctl(mt_dev(), MARENA_LIST, &list))
		SKIP(return, "there is an arena '%s'", list.name);
	self->file = open_module();
	mt_module_note(&self->module);
	mt_dev_close();
	mt_module_unload();
	if (!access(KUNIT_FILTER, F_OK))
		ASSERT_EQ(0, mt_write_file(KUNIT_FILTER, "none"));
}

FIXTURE_TEARDOWN_PARENT(load)
{
	if (!access(KUNIT_FILTER, F_OK))
		EXPECT_EQ(0, mt_write_file(KUNIT_FILTER, "*"));
	if (self->module.command[0])
		EXPECT_EQ(0, mt_module_restore(&self->module));
}

static bool is_file_system(const char *name)
{
	char text[4096], line[64];

	mt_assert(mt_read_file("/proc/filesystems", text, sizeof(text)) > 0);
	snprintf(line, sizeof(line), "nodev\t%s\n", name);
	return strstr(text, line);
}

/* What loading makes is there, or not. */
static void assert_loaded(bool loaded)
{
	mt_assert_eq(!access(MT_MODULE, F_OK), loaded);
	mt_assert_eq(!access(MT_DEVICE, F_OK), loaded);
	mt_assert_eq(!access("/sys/class/misc/marena", F_OK), loaded);
	mt_assert_eq(is_file_system("marena"), loaded);
}

/* Returns true if an allocation failed. */
static bool try_load(struct mt_inject *inject, int file, int *ret)
{
	bool failed;

	mt_inject_next(inject);
	*ret = syscall(SYS_finit_module, file, "", 0) ? -errno : 0;
	failed = mt_inject_end(inject);
	if (*ret && (!failed || *ret != -ENOMEM))
		mt_fail(__FILE__, __LINE__, "failure %u: error %d",
			inject->nth, *ret);
	return failed;
}

/* Is it one of those names? What is told of the next object does not count. */
static bool is_known_leak(const char *object, const char *next)
{
	const char *known;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known_leaks); i++) {
		known = strstr(object, known_leaks[i]);
		if (known && (!next || known < next))
			return true;
	}
	return false;
}

/* Fails if anything but names was lost, which the detector is to forget. */
static void assert_known_leaks(const char *report)
{
	const char *object = strstr(report, "unreferenced"), *next;

	while (object) {
		next = strstr(object + 1, "unreferenced");
		if (!is_known_leak(object, next))
			mt_fail(__FILE__, __LINE__, "%.400s", object);
		object = next;
	}
}

/* As vm/guest-leaks, which looks again when the guest ends. */
static void look_for_leaks(void)
{
	static char report[MIB];

	if (access(KMEMLEAK, F_OK))
		return;
	mt_assert_eq(mt_write_file(KMEMLEAK, "scan"), 0);
	sleep(6);
	mt_assert_eq(mt_write_file(KMEMLEAK, "scan"), 0);
	mt_assert_ge(mt_read_file(KMEMLEAK, report, sizeof(report)), 0);
	assert_known_leaks(report);
	mt_assert_eq(mt_write_file(KMEMLEAK, "clear"), 0);
}

TEST_F_TIMEOUT(load, leaves_nothing_or_all, 900)
{
	unsigned int errors = 0, failures = 0;
	bool failed;
	int ret;

	do {
		failed = try_load(&self->inject, self->file, &ret);
		assert_loaded(!ret);
		if (!ret)
			mt_module_unload();
		failures += failed;
		errors += !!ret;
	} while (failed && self->inject.nth < MOST);
	mt_log("%u times an allocation failed, %u errors", failures, errors);
	EXPECT_FALSE(failed);
	EXPECT_LT(0, errors);
	look_for_leaks();
}

TEST_HARNESS_MAIN
