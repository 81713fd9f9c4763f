// SPDX-License-Identifier: GPL-2.0-only
/*
 * References that are handed from process to process: each arrives once or is
 * gone, whoever dies at whatever instruction, and none stays behind.
 *
 * MARENA_SEED sets the seed, MARENA_TRANSFER_KILLS how many processes die.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#include <marena.h>

#define SEED		1
#define KILLS		40
#define MAGIC		0x6d6172656e61ULL
#define MAX_OFFERS	1024

struct thing {
	__u64 magic;
	__u64 number;
};

FIXTURE(transfer)
{
	struct marena *a;
	struct marena *b;
};

FIXTURE_SETUP(transfer)
{
	self->a = marena_create(NULL, 64 * MIB, NULL);
	ASSERT_NE(NULL, self->a);
	self->b = marena_from_fd(marena_fd(self->a));
	ASSERT_NE(NULL, self->b);
}

FIXTURE_TEARDOWN(transfer)
{
	marena_close(self->b);
	marena_close(self->a);
}

static struct thing *make(struct marena *a, __u64 number)
{
	struct thing *thing = marena_alloc(a, sizeof(*thing));

	mt_assert(thing);
	thing->magic = MAGIC;
	thing->number = number;
	return thing;
}

static uint64_t send(struct marena *a, const void *object)
{
	uint64_t token = 0;

	mt_assert_eq(marena_ref_transfer(a, object, &token), 0);
	mt_assert(token);
	return token;
}

static __u64 live(struct marena *a)
{
	struct marena_stats stats;

	mt_assert_eq(marena_collect(a, 0), 0);
	mt_assert_eq(marena_stats(a, &stats), 0);
	return stats.objects_live;
}

#define EXPECT_ERRNO(error, call)					\
do {									\
	errno = 0;							\
	EXPECT_EQ(NULL, call);						\
	EXPECT_EQ(error, errno);					\
} while (0)

TEST_F(transfer, arrives_once)
{
	struct thing *thing = make(self->a, 1);
	uint64_t token = send(self->a, thing);

	EXPECT_EQ(0, marena_refs_all(self->a, thing));
	EXPECT_EQ(1, live(self->a));
	EXPECT_EQ(MAGIC, thing->magic);
	EXPECT_ERRNO(ENOENT, marena_ref_accept(self->b, token + 1));
	EXPECT_EQ(thing, marena_ref_accept(self->b, token));
	EXPECT_ERRNO(ENOENT, marena_ref_accept(self->b, token));
	EXPECT_ERRNO(ENOENT, marena_ref_accept(self->a, token));
	EXPECT_EQ(-ENOENT, marena_ref_withdraw(self->a, token));
	EXPECT_EQ(1, marena_refs(self->b, thing));
	EXPECT_EQ(0, marena_refs(self->a, thing));
	EXPECT_EQ(1, live(self->a));
	EXPECT_EQ(0, marena_put(self->b, thing));
	EXPECT_EQ(0, live(self->a));
}

TEST_F(transfer, back_to_the_sender)
{
	struct thing *thing = make(self->a, 1);
	uint64_t token = send(self->a, thing);

	EXPECT_EQ(thing, marena_ref_accept(self->a, token));
	EXPECT_EQ(1, marena_refs(self->a, thing));
	EXPECT_EQ(0, marena_put(self->a, thing));
}

TEST_F(transfer, withdrawn)
{
	struct thing *thing = make(self->a, 1);
	uint64_t token = send(self->a, thing);

	EXPECT_EQ(-ENOENT, marena_ref_withdraw(self->b, token));
	EXPECT_EQ(-ENOENT, marena_ref_withdraw(self->a, 0));
	EXPECT_EQ(0, marena_ref_withdraw(self->a, token));
	EXPECT_EQ(-ENOENT, marena_ref_withdraw(self->a, token));
	EXPECT_ERRNO(ENOENT, marena_ref_accept(self->b, token));
	EXPECT_EQ(0, live(self->a));
}

/* The handle goes, and with it what it has sent. */
TEST_F(transfer, sender_closes)
{
	uint64_t token = send(self->b, make(self->b, 1));

	EXPECT_EQ(1, live(self->a));
	EXPECT_EQ(0, marena_close(self->b));
	EXPECT_ERRNO(ENOENT, marena_ref_accept(self->a, token));
	EXPECT_EQ(0, live(self->a));
	self->b = NULL;
}

/* Nothing is taken from who has nothing to give. */
TEST_F(transfer, what_cannot_be_sent)
{
	struct thing *thing = make(self->b, 1);
	uint64_t token = 7;

	EXPECT_EQ(-EINVAL, marena_ref_transfer(self->a, thing, &token));
	EXPECT_EQ(-EINVAL, marena_ref_transfer(self->a, NULL, &token));
	EXPECT_EQ(-EINVAL, marena_ref_transfer(self->a, &token, &token));
	EXPECT_EQ(-EINVAL, marena_ref_transfer(self->a, &thing->number,
					       &token));
	EXPECT_EQ(7, token);
	EXPECT_EQ(1, marena_refs_all(self->a, thing));
	EXPECT_EQ(0, marena_put(self->b, thing));
	EXPECT_EQ(0, live(self->a));
}

TEST_F(transfer, limit)
{
	struct thing *thing = make(self->a, 1);
	uint64_t tokens[MAX_OFFERS], token;
	unsigned int i;

	for (i = 0; i < MAX_OFFERS; i++) {
		ASSERT_EQ(0, marena_get(self->a, thing));
		tokens[i] = send(self->a, thing);
	}
	EXPECT_EQ(-ENOSPC, marena_ref_transfer(self->a, thing, &token));
	EXPECT_EQ(1, marena_refs_all(self->a, thing));
	/* More than the byte of the map holds arrives all the same. */
	for (i = 0; i < MAX_OFFERS; i++)
		ASSERT_EQ(thing, marena_ref_accept(self->b, tokens[i]));
	EXPECT_EQ(MAX_OFFERS, marena_refs(self->b, thing));
	EXPECT_EQ(0, marena_put(self->a, thing));
	for (i = 0; i < MAX_OFFERS; i++)
		ASSERT_EQ(0, marena_put(self->b, thing));
	EXPECT_EQ(0, live(self->a));
}

TEST_F(transfer, only_in_its_arena)
{
	struct marena *other = marena_create(NULL, 2 * MIB, NULL);
	struct thing *thing = make(self->a, 1);
	uint64_t token = send(self->a, thing);

	EXPECT_ERRNO(ENOENT, marena_ref_accept(other, token));
	EXPECT_EQ(-EINVAL, marena_ref_transfer(other, thing, &token));
	EXPECT_EQ(thing, marena_ref_accept(self->b, token));
	EXPECT_EQ(0, marena_put(self->b, thing));
	marena_close(other);
}

/* A map that says 255 again and again is not the kernel's to mend. */
TEST(full_map)
{
	struct mt_world w;
	struct marena_offer arg = { .size = sizeof(arg) };
	__u8 *byte;
	void *object;

	mt_world_init(&w, 4 * MIB);
	object = mt_new(&w.thread, MARENA_TYPE_OPAQUE, 16);
	byte = mt_refs_byte(&w.client, object);
	*byte = 255;
	arg.object = (unsigned long)object;
	ASSERT_EQ(0, mt_ioctl(w.client.fd, MARENA_OFFER, &arg));
	mt_enter(&w.thread);
	EXPECT_EQ(0, mt_ioctl(w.client.fd, MARENA_ACCEPT, &arg));
	mt_leave(&w.thread);
	EXPECT_EQ(128, *byte);
	EXPECT_EQ(256, mt_refs(w.client.fd, object));
	mt_world_exit(&w);
}

/* ----------------------------------------------------- dying at any instruction */

/*
 * What passes between two processes: the sender puts a token where the receiver
 * finds it. Each number is sent once, by an object of its own.
 */
struct mailbox {
	uint64_t token;
	uint64_t number;	/* which the token is for; written first */
	uint64_t received;	/* the latest that has arrived */
};

struct pair {
	int fd;
	struct mailbox *box;
};

static void send_forever(void *arg)
{
	struct pair *pair = arg;
	struct marena *a = marena_from_fd(pair->fd);
	struct mailbox *box = pair->box;
	uint64_t number;

	mt_assert(a);
	for (;;) {
		number = box->number + 1;
		__atomic_store_n(&box->number, number, __ATOMIC_RELEASE);
		__atomic_store_n(&box->token, send(a, make(a, number)),
				 __ATOMIC_RELEASE);
		while (__atomic_load_n(&box->token, __ATOMIC_ACQUIRE))
			sched_yield();
	}
}

static void receive(struct marena *a, struct mailbox *box, uint64_t token)
{
	struct thing *thing = marena_ref_accept(a, token);

	if (!thing) {
		/* The sender has died, or a receiver that had got it. */
		mt_assert_eq(errno, ENOENT);
		return;
	}
	mt_assert_eq(thing->magic, MAGIC);
	mt_assert_le(thing->number, box->number);
	mt_assert_ge(thing->number, box->received + 1);
	box->received = thing->number;
	mt_assert_eq(marena_put(a, thing), 0);
}

static void receive_forever(void *arg)
{
	struct pair *pair = arg;
	struct marena *a = marena_from_fd(pair->fd);
	struct mailbox *box = pair->box;
	uint64_t token;

	mt_assert(a);
	for (;;) {
		token = __atomic_load_n(&box->token, __ATOMIC_ACQUIRE);
		if (token) {
			receive(a, box, token);
			/* Unless there is another by now. */
			__atomic_compare_exchange_n(&box->token, &token, 0,
						    false, __ATOMIC_RELEASE,
						    __ATOMIC_RELAXED);
		}
		sched_yield();
	}
}

/* A process that is killed is dead when this returns, and another in its place */
static void replace(pid_t *pid, void (*fn)(void *arg), struct pair *pair)
{
	mt_assert_eq(kill(*pid, SIGKILL), 0);
	mt_wait_signal(*pid, SIGKILL);
	if (fn == send_forever)
		__atomic_store_n(&pair->box->token, 0, __ATOMIC_RELEASE);
	*pid = fn ? mt_fork(fn, pair) : 0;
}

TEST_F_TIMEOUT(transfer, kills, 280)
{
	const __u64 kills = mt_env("MARENA_TRANSFER_KILLS", KILLS);
	struct pair pair = { .fd = marena_fd(self->a) };
	struct mt_random random;
	pid_t sender, receiver;
	uint64_t seen = 0;
	unsigned int i;

	mt_random_init(&random, mt_env("MARENA_SEED", SEED));
	pair.box = mmap(NULL, MT_PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pair.box);
	sender = mt_fork(send_forever, &pair);
	receiver = mt_fork(receive_forever, &pair);
	for (i = 0; i < kills; i++) {
		/* Something arrives, and then a little later one of them dies. */
		while (__atomic_load_n(&pair.box->received,
				       __ATOMIC_RELAXED) == seen) {
			mt_assert(!mt_has_ended(sender));
			mt_assert(!mt_has_ended(receiver));
			usleep(100);
		}
		seen = __atomic_load_n(&pair.box->received, __ATOMIC_RELAXED);
		usleep(mt_random_below(&random, 3000));
		if (i % 3 == 2)
			mt_assert_eq(marena_collect(self->b, 0), 0);
		if (i % 2)
			replace(&receiver, receive_forever, &pair);
		else
			replace(&sender, send_forever, &pair);
	}
	replace(&receiver, NULL, NULL);
	replace(&sender, NULL, NULL);
	EXPECT_EQ(0, live(self->b));
	mt_log("%llu references were sent",
	       (unsigned long long)pair.box->number);
}

TEST_HARNESS_MAIN
