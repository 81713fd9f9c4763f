// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conservative scanning: each word may be a pointer into the arena. What it
 * points to, or into the middle of, is marked and made grey.
 *
 * The stacks of a process are read without waiting for anything that it, or a
 * file system, could put off for good: neither for mmap_lock, nor in a fault. It
 * is tried again until the time is over; then the stack could not be read.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "arena.h"
#include "compat.h"
#include "mark.h"
#include "stack.h"

/* Pages that are read at a time. */
#define MARENA_STACK_PAGES	32

void marena_stack_words(const struct marena_search *search, const u64 *words,
			unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u64 offset = READ_ONCE(words[i]) - search->arena->base;

		if (offset < search->arena->size)
			marena_shade_inside(search->arena, offset);
	}
}

/* Before another try. -EBUSY: time is over; -EINTR: the arena goes. */
int marena_stack_pause(const struct marena_search *search)
{
	if (kthread_should_stop())
		return -EINTR;
	if (ktime_after(ktime_get(), search->until))
		return -EBUSY;
	usleep_range(20, 50);
	return 0;
}

static int marena_mm_lock(const struct marena_search *search, struct mm_struct *mm)
{
	int err = 0;

	while (!err && !mmap_read_trylock(mm))
		err = marena_stack_pause(search);
	return err;
}

/*
 * Get pages of one mapping, from the first of @range on. Returns how many there
 * are; 0: ask again; or an error. *@skip: so many bytes have nothing on them
 * that the process could read.
 */
static long marena_pages_get(struct mm_struct *mm, unsigned long at,
			     unsigned long end, struct page **pages,
			     unsigned long *skip)
{
	struct vm_area_struct *vma = find_vma(mm, at);
	unsigned long nr;
	long got;

	if (!vma || vma->vm_start >= end)
		*skip = end - at;
	else if (vma->vm_start > at)
		*skip = vma->vm_start - at;
	else if (!(vma->vm_flags & VM_READ))
		*skip = vma->vm_end - at;
	if (*skip)
		return 0;
	/* Memory of devices cannot be got. */
	if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return -EBUSY;
	nr = (min(end, vma->vm_end) - at) >> PAGE_SHIFT;
	got = marena_pages_get_remote(mm, at, min(nr, MARENA_STACK_PAGES),
				      pages);
	/* What was never touched is 0; and bad memory nobody can read. */
	if ((got == -EFAULT && vma_is_anonymous(vma)) || got == -EHWPOISON)
		*skip = PAGE_SIZE;
	else if (got == -EFAULT)
		return -EBUSY;
	return max(got, 0L);
}

/* Read the words of a page, which is at @at, that lie in the range. */
static void marena_stack_read_page(const struct marena_search *search,
				   struct page *page, unsigned long at,
				   const struct marena_range *range)
{
	unsigned long from = max(range->start, at) - at;
	unsigned long to = min(range->end - at, PAGE_SIZE);

	marena_stack_words(search, page_address(page) + from,
			   (to - from) / sizeof(u64));
	put_page(page);
}

/* Read the memory of a process in that range, which begins with a word. */
static int marena_stack_read_range(const struct marena_search *search,
				   struct mm_struct *mm,
				   const struct marena_range *range)
{
	struct page *pages[MARENA_STACK_PAGES];
	unsigned long at = range->start & PAGE_MASK;
	unsigned long end = PAGE_ALIGN(range->end);
	unsigned long skip;
	long got, i;
	int err;

	while (at < end) {
		err = marena_mm_lock(search, mm);
		if (err)
			return err;
		skip = 0;
		got = marena_pages_get(mm, at, end, pages, &skip);
		mmap_read_unlock(mm);
		if (got < 0)
			return got;
		for (i = 0; i < got; i++, at += PAGE_SIZE)
			marena_stack_read_page(search, pages[i], at, range);
		at += skip;
		if (!got && !skip)
			err = marena_stack_pause(search);
		else if (kthread_should_stop())
			err = -EINTR;
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* What is a stack from @address on, in the mapping that this lies in. */
static struct marena_range marena_stack_above(struct mm_struct *mm,
					      const struct marena_stacks *stacks,
					      unsigned long address)
{
	struct vm_area_struct *vma = find_vma(mm, address);
	struct marena_range range = {};

	/* That of the first thread grows down when it is touched. */
	if (!vma || (vma->vm_start > address &&
		     !(vma->vm_flags & VM_GROWSDOWN)))
		return range;
	range.start = max(vma->vm_start, address);
	range.end = vma->vm_end;
	if (vma->vm_start <= stacks->home && address < stacks->home_end)
		range.end = min(vma->vm_end, stacks->home_end);
	return range;
}

/*
 * Is the thread on the stack that it had at first, which is in this mapping?
 * There may be others in it.
 */
static bool marena_stack_is_home(struct mm_struct *mm,
				 const struct vm_area_struct *vma,
				 const struct marena_stacks *stacks)
{
	if (find_vma(mm, stacks->sp) != vma)
		return false;
	if (stacks->home_end)
		return stacks->sp < stacks->home_end;
	return stacks->sp <= stacks->home || vma->vm_flags & VM_GROWSDOWN;
}

/*
 * The stack that the thread is on; and, if that is another, all of the one that
 * it had at first, as its stack pointer of then is not known.
 */
static void marena_stacks_find(struct mm_struct *mm,
			       const struct marena_stacks *stacks,
			       struct marena_range *now,
			       struct marena_range *home)
{
	const unsigned long sp = stacks->sp;
	struct vm_area_struct *vma;

	*now = marena_stack_above(mm, stacks, sp);
	vma = find_vma(mm, sp - sizeof(u64));
	if (vma && vma->vm_start < sp) {
		now->start = max(vma->vm_start, sp - min(sp, stacks->below));
		now->end = max(now->end, sp);
	}
	vma = find_vma(mm, stacks->home);
	if (vma && vma->vm_start <= stacks->home &&
	    !marena_stack_is_home(mm, vma, stacks))
		*home = marena_stack_above(mm, stacks, vma->vm_start);
}

/* Read the stacks of a thread. -EBUSY: not all of it can be read in time. */
int marena_stacks_read(const struct marena_search *search, struct mm_struct *mm,
		       const struct marena_stacks *stacks)
{
	struct marena_range ranges[3] = { [2] = stacks->alternate };
	unsigned int i;
	int err;

	err = marena_mm_lock(search, mm);
	if (err)
		return err;
	marena_stacks_find(mm, stacks, &ranges[0], &ranges[1]);
	mmap_read_unlock(mm);
	for (i = 0; i < ARRAY_SIZE(ranges) && !err; i++)
		if (ranges[i].start < ranges[i].end)
			err = marena_stack_read_range(search, mm, &ranges[i]);
	return err;
}
