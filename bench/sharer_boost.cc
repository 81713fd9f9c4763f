// SPDX-License-Identifier: GPL-2.0-only
/*
 * Boost.Interprocess: objects in shared memory, counted by its shared_ptr, whose
 * count is in the object's own shared memory and changed by all processes. Two that
 * use the same pointer of the table have to keep out of each other's way.
 */
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/indexes/iset_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/smart_ptr/deleter.hpp>
#include <boost/interprocess/smart_ptr/shared_ptr.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <err.h>
#include <sys/mman.h>

#include "sharer.h"

namespace ipc = boost::interprocess;

namespace {

struct object {
	unsigned long words[SHARED_WORDS];
};

/* The one that Boost has a name for is for one process: without locks. */
using segment_type = ipc::basic_managed_external_buffer<
	char, ipc::rbtree_best_fit<ipc::mutex_family>, ipc::iset_index>;
using manager = segment_type::segment_manager;
using void_allocator = ipc::allocator<void, manager>;
using object_deleter = ipc::deleter<object, manager>;
using pointer = ipc::shared_ptr<object, void_allocator, object_deleter>;

/* Room for an object, its count, and their heads. */
const unsigned long room = 512;

/* As many locks as keep a few processes from meeting often. */
const unsigned long nr_locks = 64;

struct lock {
	ipc::interprocess_mutex mutex;
} __attribute__((aligned(64)));

segment_type *segment;
pointer *table;
lock *locks;

pointer make(unsigned long number)
{
	object *o = segment->construct<object>(ipc::anonymous_instance)();

	for (unsigned long &word : o->words)
		word = number;
	return pointer(o, void_allocator(segment->get_segment_manager()),
		       object_deleter(segment->get_segment_manager()));
}

/* The children inherit the memory, and all that leads to it. */
void open_boost(unsigned long n)
{
	unsigned long bytes = n * room + (64UL << 20);
	void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	segment = new segment_type(ipc::create_only, memory, bytes);
	locks = segment->construct<lock>(ipc::anonymous_instance)[nr_locks]();
	table = segment->construct<pointer>(ipc::anonymous_instance)[n]();
	for (unsigned long i = 0; i < n; i++)
		table[i] = make(i);
}

void attach_boost()
{
}

unsigned long get_boost(unsigned long i)
{
	pointer mine(table[i]);

	return mine->words[0];
}

unsigned long get_locked(unsigned long i)
{
	pointer mine;

	{
		ipc::scoped_lock<ipc::interprocess_mutex>
			guard(locks[i % nr_locks].mutex);

		mine = table[i];
	}
	return mine->words[0];
}

void replace_boost(unsigned long i, unsigned long number)
{
	pointer mine(make(number));
	ipc::scoped_lock<ipc::interprocess_mutex>
		guard(locks[i % nr_locks].mutex);

	table[i].swap(mine);
}

void send_boost(unsigned long i, unsigned long number)
{
	pointer mine(make(number));

	table[i].swap(mine);
}

unsigned long receive_boost(unsigned long i)
{
	pointer mine;

	mine.swap(table[i]);
	return mine->words[0];
}

} /* namespace */

const struct sharer sharer_boost = {
	.open = open_boost,
	.attach = attach_boost,
	.get = get_boost,
	.get_replaced = get_locked,
	.replace = replace_boost,
	.send = send_boost,
	.receive = receive_boost,
};
