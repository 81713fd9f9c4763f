// SPDX-License-Identifier: GPL-2.0-only
/*
 * Thread slots: where the threads of a client say that they are in a section.
 * A slot is taken back when its thread is seen to have exited.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "client.h"
#include "plant.h"
#include "slot.h"
#include "stop.h"

static struct marena_slot_page *marena_slot_page_alloc(void)
{
	struct marena_slot_page *page;

	page = kzalloc(sizeof(*page), GFP_KERNEL_ACCOUNT);
	if (!page)
		return NULL;
	page->slots = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!page->slots) {
		kfree(page);
		return NULL;
	}
	return page;
}

static void marena_slot_page_free(struct marena_slot_page *page)
{
	if (!page)
		return;
	free_page((unsigned long)page->slots);
	kfree(page);
}

/*
 * Will the owner never run again with the client's memory, @mm? A process that only
 * shares it may execute another program, of which nobody here is to know anything.
 */
static bool marena_owner_has_left(struct pid *owner,
				  const struct mm_struct *mm)
{
	struct task_struct *task;
	bool left;

	rcu_read_lock();
	task = pid_task(owner, PIDTYPE_PID);
	left = !task || READ_ONCE(task->exit_state) ||
	       READ_ONCE(task->mm) != mm;
	rcu_read_unlock();
	return left;
}

static void marena_slot_clear(struct marena_slot_page *page, unsigned int i)
{
	WRITE_ONCE(page->slots[i].section, 0);
	put_pid(page->owners[i]);
	page->owners[i] = NULL;
	marena_stop_put(page->stops[i]);
	page->stops[i] = NULL;
}

/* Give a free slot of the page to the caller; -ENOSPC: there is none. */
static int marena_slot_take(struct marena_slot_page *page,
			    struct marena_stop *stop,
			    const struct mm_struct *mm)
{
	unsigned int i;

	for (i = 0; i < MARENA_SLOTS_PER_PAGE; i++) {
		if (page->owners[i] &&
		    marena_owner_has_left(page->owners[i], mm))
			marena_slot_clear(page, i);
		if (!page->owners[i]) {
			WRITE_ONCE(page->slots[i].section, 0);
			WRITE_ONCE(page->slots[i].gate, 0);
			page->owners[i] = get_pid(task_pid(current));
			page->stops[i] = stop;
			return i;
		}
	}
	return -ENOSPC;
}

/* A slot for the caller: its number, or an error. */
static int marena_slot_find(struct marena_client *client,
			    struct marena_stop *stop)
{
	struct marena_slot_page *fresh = NULL;
	unsigned int i;
	int slot;

	for (i = 0; i < MARENA_SLOT_PAGES; i++) {
		if (!READ_ONCE(client->slots[i]) && !fresh) {
			fresh = marena_slot_page_alloc();
			if (!fresh)
				return -ENOMEM;
		}
		spin_lock(&client->slot_lock);
		if (!client->slots[i]) {
			/* Pairs with the load in marena_slots_page_get(). */
			smp_store_release(&client->slots[i], fresh);
			fresh = NULL;
		}
		slot = marena_slot_take(client->slots[i], stop, client->mm);
		spin_unlock(&client->slot_lock);
		if (slot >= 0) {
			marena_slot_page_free(fresh);
			return i * MARENA_SLOTS_PER_PAGE + slot;
		}
	}
	marena_slot_page_free(fresh);
	return -ENOSPC;
}

/* MARENA_SLOT_ACQUIRE */
int marena_slot_acquire(struct marena_client *client,
			struct marena_slot_op *arg)
{
	struct marena_stop *stop;
	int slot;

	if (arg->flags || arg->slot || arg->reserved)
		return -EINVAL;
	stop = marena_stop_new(arg->stack_end);
	if (!stop)
		return -ENOMEM;
	slot = marena_slot_find(client, stop);
	if (slot < 0) {
		marena_stop_put(stop);
		return slot;
	}
	arg->slot = slot;
	return 0;
}

/* Slots have numbers below this. */
static unsigned int marena_slots_end(void)
{
	return marena_planted("slot-index") ? UINT_MAX : MARENA_NR_SLOTS;
}

/* MARENA_SLOT_RELEASE */
int marena_slot_release(struct marena_client *client,
			const struct marena_slot_op *arg)
{
	struct marena_slot_page *page;
	unsigned int slot = arg->slot;
	int err = -EINVAL;

	if (arg->flags || arg->reserved || arg->stack_end ||
	    slot >= marena_slots_end())
		return -EINVAL;
	slot = array_index_nospec(slot, marena_slots_end());

	spin_lock(&client->slot_lock);
	page = client->slots[slot / MARENA_SLOTS_PER_PAGE];
	slot %= MARENA_SLOTS_PER_PAGE;
	if (page && page->owners[slot] == task_pid(current)) {
		marena_slot_clear(page, slot);
		err = 0;
	}
	spin_unlock(&client->slot_lock);
	return err;
}

/* A page of slots, for a fault; NULL where none was acquired. */
struct page *marena_slots_page_get(struct marena_client *client,
				   unsigned int index)
{
	/* Pairs with the store in marena_slot_acquire(). */
	struct marena_slot_page *page = smp_load_acquire(&client->slots[index]);
	struct page *slots;

	if (!page)
		return NULL;
	slots = virt_to_page(page->slots);
	get_page(slots);
	return slots;
}

static bool marena_slot_in_section(const struct marena_client *client,
				   struct marena_slot_page *page,
				   unsigned int i)
{
	if (!page->owners[i] || !READ_ONCE(page->slots[i].section))
		return false;
	if (!marena_owner_has_left(page->owners[i], client->mm))
		return true;
	marena_slot_clear(page, i);
	return false;
}

/* Is any thread of the client inside a section? */
bool marena_slots_in_section(struct marena_client *client)
{
	bool inside = false;
	unsigned int i, j;

	spin_lock(&client->slot_lock);
	for (i = 0; i < MARENA_SLOT_PAGES && client->slots[i] && !inside; i++)
		for (j = 0; j < MARENA_SLOTS_PER_PAGE && !inside; j++)
			inside = marena_slot_in_section(client,
							client->slots[i], j);
	spin_unlock(&client->slot_lock);
	return inside;
}

static void marena_slot_stop(struct marena_client *client,
			     struct marena_slot_page *page, unsigned int i)
{
	if (marena_slot_in_section(client, page, i))
		marena_stop_thread(page->stops[i], page->owners[i], client,
				   &page->slots[i]);
}

/* Stop the client's threads that are inside a section. */
void marena_slots_stop(struct marena_client *client)
{
	unsigned int i, j;

	spin_lock(&client->slot_lock);
	for (i = 0; i < MARENA_SLOT_PAGES && client->slots[i]; i++)
		for (j = 0; j < MARENA_SLOTS_PER_PAGE; j++)
			marena_slot_stop(client, client->slots[i], j);
	spin_unlock(&client->slot_lock);
}

/* Nobody refers to the client any more, nor has it mapped. */
void marena_slots_free(struct marena_client *client)
{
	unsigned int i, j;

	for (i = 0; i < MARENA_SLOT_PAGES && client->slots[i]; i++) {
		for (j = 0; j < MARENA_SLOTS_PER_PAGE; j++) {
			put_pid(client->slots[i]->owners[j]);
			marena_stop_put(client->slots[i]->stops[j]);
		}
		marena_slot_page_free(client->slots[i]);
	}
}

#ifdef MARENA_KUNIT
#include "slot_test.c"
#endif
