// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conservative scanning: each word may be a pointer into the arena. What it
 * points to, or into the middle of, is marked and made grey.
 *
 * The stacks of a process are read without waiting for anything that it, or a
 * file system, could put off for good: neither for mmap_lock, nor in a fault. It
 * is tried again until the time is over; then the stack could not be read. That is
 * so for one that takes too long as well.
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

/* -EBUSY: time is over; -EINTR: the arena goes. */
static int marena_stack_goes_on(const struct marena_search *search)
{
	cond_resched();
	if (kthread_should_stop())
		return -EINTR;
	return ktime_after(ktime_get(), search->until) ? -EBUSY : 0;
}

/* The same, before another try. */
int marena_stack_pause(const struct marena_search *search)
{
	int err = marena_stack_goes_on(search);

	if (!err)
		usleep_range(20, 50);
	return err;
}

static int marena_mm_lock(const struct marena_search *search, struct mm_struct *mm)
{
	int err = 0;

	while (!err && !mmap_read_trylock(mm))
		err = marena_stack_pause(search);
	return err;
}

/* Where the page table says what is in the block of many pages around @at; or NULL. */
static pmd_t *marena_block(struct mm_struct *mm, unsigned long at)
{
	pgd_t *pgd = pgd_offset(mm, at);
	p4d_t *p4d;
	pud_t *pud, entry;

	if (!pgd_present(READ_ONCE(*pgd)))
		return NULL;
	p4d = p4d_offset(pgd, at);
	if (!p4d_present(READ_ONCE(*p4d)))
		return NULL;
	pud = pud_offset(p4d, at);
	entry = READ_ONCE(*pud);
	if (!pud_present(entry) || pud_leaf(entry))
		return NULL;
	return pmd_offset(pud, at);
}

/*
 * Does the page table list pages there, rather than one block? That stays so while
 * mmap_lock is held, and there is anything.
 */
static bool marena_block_is_split(struct mm_struct *mm, unsigned long at)
{
	pmd_t *block = marena_block(mm, at), entry;

	if (!block)
		return false;
	entry = READ_ONCE(*block);
	return pmd_present(entry) && !pmd_leaf(entry);
}

/*
 * Nobody has touched that page of anonymous memory, or so it was said. But that is
 * also said of a block that is being moved: if it was split before (@split), it was
 * none; if it is now, or is nothing but zeros, there is no block. As for any other,
 * who knows what it was when that was said.
 */
static bool marena_is_untouched(struct mm_struct *mm, unsigned long at,
				bool split)
{
	pmd_t *block = marena_block(mm, at);
	bool untouched;
	spinlock_t *ptl; /* of what the page table says there */

	if (split || !block)
		return true;
	ptl = pmd_lock(mm, block);
	untouched = pmd_none(*block) ||
		    (pmd_present(*block) && pmd_leaf(*block) &&
		     !PageAnon(pmd_page(*block)));
	spin_unlock(ptl);
	return untouched;
}

/*
 * Get pages of one mapping, from @at on. Returns how many there are; 0: ask again;
 * or an error. *@skip: so many bytes have nothing on them that could be read.
 */
static long marena_pages_get(struct mm_struct *mm, unsigned long at,
			     unsigned long end, struct page **pages,
			     unsigned long *skip)
{
	struct vm_area_struct *vma = find_vma(mm, at);
	unsigned long start = vma ? READ_ONCE(vma->vm_start) : end;
	bool anonymous, split;
	unsigned long nr;
	long got;

	if (start > at)
		*skip = min(start, end) - at;
	else if (!(vma->vm_flags & VM_MAYREAD))
		*skip = vma->vm_end - at;
	if (*skip)
		return 0;
	/* Memory of devices cannot be got. */
	if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return -EBUSY;
	nr = (min(end, vma->vm_end) - at) >> PAGE_SHIFT;
	/* Who backs a file may have a fault wait; so who needs it asks for it. */
	anonymous = vma_is_anonymous(vma);
	split = anonymous && marena_block_is_split(mm, at);
	got = marena_pages_get_remote(mm, at, min(nr, MARENA_STACK_PAGES),
				      anonymous, pages);
	if (got == -EFAULT && !anonymous)
		return -EBUSY;
	/* What was never touched is 0; and bad memory nobody can read. */
	if (got == -EHWPOISON ||
	    (got == -EFAULT && marena_is_untouched(mm, at, split)))
		*skip = PAGE_SIZE;
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
		else if (at < end)
			err = marena_stack_goes_on(search);
		if (err)
			return err;
	}
	return 0;
}

/*
 * The next piece of the memory that @vma is one of. A mapping comes apart where a
 * piece of it is locked, or advice is given for it.
 */
static struct vm_area_struct *marena_piece_above(struct mm_struct *mm,
						 struct vm_area_struct *vma)
{
	struct vm_area_struct *next = find_vma(mm, vma->vm_end);

	if (!next || next->vm_start != vma->vm_end || !vma_is_accessible(next))
		return NULL;
	if (vma_is_anonymous(vma) && vma_is_anonymous(next))
		return next;
	return vma->vm_file == next->vm_file &&
	       vma->vm_pgoff + vma_pages(vma) == next->vm_pgoff ? next : NULL;
}

/*
 * Where the stack ends that @vma is a piece of, and @address on; who is there may
 * be about to be given memory. If it is the stack that the thread had at first,
 * and it told its end, nothing else is up to there.
 */
static unsigned long marena_stack_end(struct mm_struct *mm,
				      const struct marena_stacks *stacks,
				      struct vm_area_struct *vma,
				      unsigned long address)
{
	unsigned long end;

	do {
		end = vma->vm_end;
		if (address < stacks->home_end && end > stacks->home)
			return stacks->home_end;
		cond_resched();
		vma = marena_piece_above(mm, vma);
	} while (vma);
	return end;
}

/* Where the memory begins that @vma is a piece of; somewhere before @least is enough. */
static unsigned long marena_stack_start(struct mm_struct *mm,
					struct vm_area_struct *vma,
					unsigned long least)
{
	VMA_ITERATOR(vmi, mm, vma->vm_start);
	struct vm_area_struct *prev;

	while (vma->vm_start > least && (prev = vma_prev(&vmi)) &&
	       vma_is_accessible(prev) && marena_piece_above(mm, prev) == vma) {
		vma = prev;
		cond_resched();
	}
	return vma->vm_start;
}

/* The mapping at @address, which may be where one is about to grow down to. */
static struct vm_area_struct *marena_stack_vma(struct mm_struct *mm,
					       unsigned long address)
{
	struct vm_area_struct *vma = find_vma(mm, address);

	if (vma && vma->vm_start > address && !(vma->vm_flags & VM_GROWSDOWN))
		return NULL;
	return vma;
}

/* What is a stack from @address on. */
static struct marena_range marena_stack_above(struct mm_struct *mm,
					      const struct marena_stacks *stacks,
					      unsigned long address)
{
	struct vm_area_struct *vma = marena_stack_vma(mm, address);
	struct marena_range range = {};

	if (vma) {
		range.start = max(READ_ONCE(vma->vm_start), address);
		range.end = marena_stack_end(mm, stacks, vma, address);
	}
	return range;
}

/* Is the thread on its stack for signals? That may be within another stack. */
static bool marena_stack_is_alternate(const struct marena_stacks *stacks)
{
	return stacks->sp > stacks->alternate.start &&
	       stacks->sp <= stacks->alternate.end;
}

/*
 * Is the thread on the stack that it had at first? There may be others in the same
 * mapping.
 */
static bool marena_stack_is_home(struct mm_struct *mm,
				 const struct marena_stacks *stacks)
{
	const unsigned long sp = stacks->sp, home = stacks->home;
	const unsigned long low = min(sp, home);
	struct vm_area_struct *vma = marena_stack_vma(mm, low);

	if (!vma || marena_stack_is_alternate(stacks) ||
	    marena_stack_end(mm, stacks, vma, low) <= max(sp, home))
		return false;
	return stacks->home_end || sp <= home || vma->vm_flags & VM_GROWSDOWN;
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
	const unsigned long least = sp - min(sp, stacks->below);
	struct vm_area_struct *vma;

	*now = marena_stack_above(mm, stacks, sp);
	vma = find_vma(mm, sp - sizeof(u64));
	if (vma && vma->vm_start < sp) {
		now->start = max(marena_stack_start(mm, vma, least), least);
		now->end = max(now->end, sp);
	}
	vma = find_vma(mm, stacks->home);
	if (vma && vma->vm_start <= stacks->home &&
	    !marena_stack_is_home(mm, stacks))
		*home = marena_stack_above(mm, stacks,
					   marena_stack_start(mm, vma, 0));
}

/* Read the stacks of a thread. -EBUSY: not all of it can be read in time. */
int marena_stacks_read(const struct marena_search *search, struct mm_struct *mm,
		       const struct marena_stacks *stacks)
{
	struct marena_range ranges[3] = {};
	unsigned int i;
	int err;

	err = marena_stack_goes_on(search);
	if (!err)
		err = marena_mm_lock(search, mm);
	if (err)
		return err;
	marena_stacks_find(mm, stacks, &ranges[0], &ranges[1]);
	mmap_read_unlock(mm);
	if (stacks->returning)
		ranges[2] = stacks->alternate;
	for (i = 0; i < ARRAY_SIZE(ranges) && !err; i++) {
		ranges[i].end = min(ranges[i].end, mm->task_size);
		if (ranges[i].start < ranges[i].end)
			err = marena_stack_read_range(search, mm, &ranges[i]);
	}
	return err;
}
