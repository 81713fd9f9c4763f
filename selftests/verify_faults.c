// SPDX-License-Identifier: GPL-2.0-only
/* MARENA_VERIFY without the memory it needs: the cycle is run all the same. */
#include <stdio.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define MOST	100

TEST(verify_without_memory)
{
	struct marena_verify arg = { .size = sizeof(arg) };
	unsigned int failures = 0;
	struct mt_inject inject;
	struct mt_world w;
	char name[32];
	bool failed;
	__u64 cycles;
	void *object;
	int ret;

	mt_world_init(&w, 64 * MIB);
	object = mt_new(&w.thread, MARENA_TYPE_CONSERVATIVE, 64);
	snprintf(name, sizeof(name), "marena/%llu", w.arena.info.id);
	ASSERT_TRUE(mt_inject_init(&inject, mt_find_process(name)));
	do {
		cycles = mt_stats(w.arena.fd).cycles;
		mt_inject_next(&inject);
		ret = mt_ioctl(w.arena.fd, MARENA_VERIFY, &arg);
		failed = mt_inject_end(&inject);
		ASSERT_EQ(cycles + 1, mt_stats(w.arena.fd).cycles);
		ASSERT_TRUE(!ret || (failed && ret == -ENOMEM));
		failures += !!ret;
	} while (failed && inject.nth < MOST);
	/* The verifier, its table, the bits of the region. */
	EXPECT_LE(3, failures);
	EXPECT_EQ(1, arg.objects);
	EXPECT_EQ(0, mt_put(&w.thread, object));
	mt_inject_exit(&inject);
	mt_world_exit(&w);
}

TEST_HARNESS_MAIN
