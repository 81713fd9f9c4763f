// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping the heap, and populating it at first touch. Where there is no memory
 * for that, or for a reference map, as the memory cgroup is at its limit or the
 * system at its end, but there may be garbage in the arena, a cycle is run before
 * anybody is killed.
 */
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>

#include "arena.h"
#include "barrier.h"
#include "collector.h"
#include "compat.h"
#include "fault.h"
#include "fs.h"
#include "pace.h"
#include "region.h"

/*
 * Pages charged since the last cycle for which one is worth it: 1 MiB, and that
 * part of the heap.
 */
#define MARENA_FAULT_FRESH	256
#define MARENA_FAULT_PART	16

/* Pages that are unmapped at a time. */
#define MARENA_UNMAP_PIECE	8192UL

/*
 * The memory of page @i, with a reference taken. NULL: it has none; @may says
 * whether it may have.
 */
static struct page *marena_heap_page_get(struct marena_region *region,
					 unsigned int i, bool *may)
{
	struct page *page;

	spin_lock(&region->lock);
	*may = region->refs[i];
	page = region->pages[i];
	if (page)
		get_page(page);
	spin_unlock(&region->lock);
	return page;
}

/*
 * Give page @i memory, unless it has got some, or may not have it any more.
 * @gfp: how hard to try.
 */
static int marena_heap_page_make(struct marena_region *region, unsigned int i,
				 gfp_t gfp)
{
	struct marena_arena *arena = region->arena;
	struct page *page;

	page = marena_mapped_page_alloc(arena->inode->i_mapping,
					region->index * MARENA_REGION_PAGES + i,
					gfp);
	if (!page)
		return -ENOMEM;
	spin_lock(&region->lock);
	if (region->refs[i] && !region->pages[i]) {
		WRITE_ONCE(region->pages[i], page);
		/* What was not there at the rendezvous need not be copied. */
		if (READ_ONCE(arena->marking))
			__set_bit(i, region->saved);
		atomic64_inc(&arena->resident);
		page = NULL;
	}
	spin_unlock(&region->lock);
	if (page)
		marena_mapped_page_free(page);
	return 0;
}

/* Pages were charged since the last cycle, or one runs that has not freed any yet. */
static bool marena_fault_may_collect(struct marena_arena *arena)
{
	u64 enough = max_t(u64, MARENA_FAULT_FRESH, READ_ONCE(arena->charged) /
						    MARENA_FAULT_PART);

	return marena_pace_fresh(arena) >= enough ||
	       READ_ONCE(arena->col.phase) != MARENA_PHASE_IDLE;
}

/*
 * How a fault asks for memory. Not 0: if there is none, nobody is killed for it, as
 * there may be garbage, and the fault can wait for marena_fault_collect().
 */
gfp_t marena_fault_gfp(struct vm_fault *vmf, struct marena_arena *arena)
{
	if (!fault_flag_allow_retry_first(vmf->flags) ||
	    vmf->flags & FAULT_FLAG_RETRY_NOWAIT ||
	    !marena_fault_may_collect(arena))
		return 0;
	return __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
}

/*
 * Run a cycle; then the fault is tried again. The address space can change
 * meanwhile, and what keeps the arena is our reference to the file.
 */
vm_fault_t marena_fault_collect(struct vm_fault *vmf,
				struct marena_arena *arena)
{
	struct file *file = get_file(vmf->vma->vm_file);
	u64 cycle;

	marena_fault_unlock(vmf);
	marena_collector_run(arena, MARENA_REASON_PRESSURE, true, &cycle);
	fput(file);
	return VM_FAULT_RETRY;
}

/* Memory for page @i of the region, unless it has got some: 0 if there is any. */
static vm_fault_t marena_heap_populate(struct vm_fault *vmf,
				       struct marena_region *region,
				       unsigned int i)
{
	gfp_t gfp = marena_fault_gfp(vmf, region->arena);

	if (!marena_heap_page_make(region, i, gfp))
		return 0;
	return gfp ? marena_fault_collect(vmf, region->arena) : VM_FAULT_OOM;
}

static vm_fault_t marena_heap_fault(struct vm_fault *vmf,
				    struct marena_arena *arena)
{
	struct marena_region *region = marena_region_of_page(arena, vmf->pgoff);
	unsigned int i = vmf->pgoff % MARENA_REGION_PAGES;
	vm_fault_t ret;
	bool may;

	if (!region)
		return VM_FAULT_SIGBUS;
	for (;;) {
		vmf->page = marena_heap_page_get(region, i, &may);
		if (!vmf->page) {
			if (!may)
				return VM_FAULT_SIGBUS;
			ret = marena_heap_populate(vmf, region, i);
			if (ret)
				return ret;
			continue;
		}
		lock_page(vmf->page);
		/* Out of the table: it is being given back. */
		if (READ_ONCE(region->pages[i]) == vmf->page)
			return marena_mapped_page_fault(vmf->page);
		unlock_page(vmf->page);
		put_page(vmf->page);
	}
}

/* The alloc map's pages are there as long as their region. */
static vm_fault_t marena_map_fault(struct marena_arena *arena, u64 index,
				   struct page **page)
{
	struct marena_region *region =
		marena_region(arena, index / MARENA_REGION_MAP_PAGES);

	if (!region)
		return VM_FAULT_SIGBUS;
	*page = virt_to_page(region->alloc[index % MARENA_REGION_MAP_PAGES]);
	get_page(*page);
	return 0;
}

static vm_fault_t marena_arena_fault(struct vm_fault *vmf)
{
	struct marena_arena *arena = marena_arena_of(vmf->vma->vm_file);
	u64 pages = marena_nr_pages(arena);

	if (vmf->pgoff < pages)
		return marena_heap_fault(vmf, arena);
	return marena_map_fault(arena, vmf->pgoff - pages, &vmf->page);
}

/* The alloc map is no part of the snapshot: see marena_span_blacken(). */
static vm_fault_t marena_arena_mkwrite(struct vm_fault *vmf)
{
	struct marena_arena *arena = marena_arena_of(vmf->vma->vm_file);

	if (vmf->pgoff < marena_nr_pages(arena))
		return marena_heap_mkwrite(arena, vmf->pgoff, vmf->page);
	lock_page(vmf->page);
	return VM_FAULT_LOCKED;
}

/* Mappings are whole: none is cut (munmap, mprotect of a part) or moved. */
int marena_vma_refuse_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

int marena_vma_refuse_move(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/*
 * In pieces, as all mappings of the file are gone through, with a lock held that
 * write protection takes.
 */
static void marena_vma_unmap(struct vm_area_struct *vma)
{
	unsigned long nr, page, end = vma_pages(vma);

	for (page = 0; page < end; page += nr) {
		nr = min(end - page, MARENA_UNMAP_PIECE);
		unmap_mapping_pages(vma->vm_file->f_mapping,
				    vma->vm_pgoff + page, nr, false);
		cond_resched();
	}
}

/*
 * Making a mapping writable, or giving it another protection key, makes pages of
 * it writable, without a word to us, that were written once, although they are
 * protected since. So let there be none. (Where the kernel balances NUMA nodes,
 * it does the same to pages that it has looked at; but not to such as are always
 * dirty.)
 */
int marena_vma_mprotect(struct vm_area_struct *vma, unsigned long start,
			unsigned long end, unsigned long flags)
{
	if (!(flags & VM_WRITE) || start != vma->vm_start || end != vma->vm_end)
		return 0;
	/* And let no fault map one meanwhile, that is protected then. */
	vma_start_write(vma);
	marena_vma_unmap(vma);
	return 0;
}

/*
 * Nothing is mapped ahead of who touches it. But only where there is this, the
 * kernel lets faults run under the lock of the mapping; else each begins in vain, and
 * is tried again with the lock of the whole address space.
 */
vm_fault_t marena_map_no_pages(struct vm_fault *vmf, pgoff_t first,
			       pgoff_t last)
{
	return 0;
}

static const struct vm_operations_struct marena_arena_vm_ops = {
	.may_split = marena_vma_refuse_split,
	.mremap = marena_vma_refuse_move,
	.mprotect = marena_vma_mprotect,
	.fault = marena_arena_fault,
	.map_pages = marena_map_no_pages,
	.page_mkwrite = marena_arena_mkwrite,
};

/*
 * VM_DONTEXPAND makes the mapping special to mremap(2), to mlock(2), which does
 * not lock it, and to MADV_DODUMP: with VM_DONTDUMP, a core dump never tries to
 * write the whole address space out.
 */
int marena_arena_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct marena_arena *arena = marena_arena_of(file);

	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != marena_mapping_size(arena))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	if (vma->vm_start != arena->base)
		return -EADDRINUSE;
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vm_flags_clear(vma, VM_MAYEXEC);
	vma->vm_ops = &marena_arena_vm_ops;
	return 0;
}

/*
 * There is one place only. It must be free: mmap(2) would replace what is
 * there without asking, as it takes this answer for MAP_FIXED's.
 */
unsigned long marena_arena_unmapped_area(struct file *file, unsigned long addr,
					 unsigned long len, unsigned long pgoff,
					 unsigned long flags)
{
	struct marena_arena *arena = marena_arena_of(file);
	struct vm_area_struct *vma;

	if (pgoff || len != marena_mapping_size(arena))
		return -EINVAL;
	if ((flags & MAP_FIXED) && addr != arena->base)
		return -EINVAL;
	if (arena->base > TASK_SIZE || len > TASK_SIZE - arena->base)
		return -ENOMEM;
	vma = find_vma(current->mm, arena->base);
	if (vma && vma->vm_start < arena->base + len)
		return -EADDRINUSE;
	return arena->base;
}
