/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where kernels differ. Each difference is found by a probe in conftest.sh,
 * never by a version number, and no other file has an #ifdef for it.
 */
#ifndef MARENA_COMPAT_H
#define MARENA_COMPAT_H

#include <linux/elf.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/ns_common.h>
#include <linux/regset.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#ifndef CONFIG_UML
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#endif

#include "conftest.h"

#ifndef MARENA_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

static inline int marena_page_mapcount(struct page *page)
{
#ifdef MARENA_HAVE_FOLIO_MAPCOUNT
	return folio_mapcount(page_folio(page));
#else
	return page_mapcount(page);
#endif
}

/*
 * Protect @nr pages of a file from @first on against writing, in all processes
 * that map it. Where the kernel has no call for that, they are unmapped, and
 * mapped anew, for reading, by who reads them.
 */
static inline void marena_write_protect(struct address_space *mapping,
					pgoff_t first, pgoff_t nr)
{
#ifdef MARENA_HAVE_WP_SHARED_MAPPING_RANGE
	wp_shared_mapping_range(mapping, first, nr);
#else
	unmap_mapping_pages(mapping, first, nr, false);
#endif
}

#ifdef MARENA_HAVE_MNT_IDMAP
#define MARENA_IDMAP struct mnt_idmap
#define MARENA_NOP_IDMAP (&nop_mnt_idmap)
#else
#define MARENA_IDMAP struct user_namespace
#define MARENA_NOP_IDMAP (&init_user_ns)
#endif

#ifndef MARENA_HAVE_SIMPLE_INODE_INIT_TS
static inline void simple_inode_init_ts(struct inode *inode)
{
	inode->i_atime = current_time(inode);
	inode->i_mtime = inode->i_atime;
	inode->i_ctime = inode->i_atime;
}
#endif

#ifndef MARENA_HAVE_INODE_JUST_DROP
#define inode_just_drop generic_delete_inode
#endif

/*
 * Get pages of another address space for reading, from @start on. Returns how
 * many there are, 0 where that would take waiting, or an error; -EFAULT also
 * where nobody has touched anonymous memory. mmap_lock is held.
 */
static inline long marena_pages_get_remote(struct mm_struct *mm,
					   unsigned long start,
					   unsigned long nr,
					   struct page **pages)
{
	const unsigned int flags = FOLL_NOWAIT | FOLL_DUMP;

#ifdef MARENA_HAVE_GUP_REMOTE_VMAS
	return get_user_pages_remote(mm, start, nr, flags, pages, NULL, NULL);
#else
	return get_user_pages_remote(mm, start, nr, flags, pages, NULL);
#endif
}

/*
 * The vector registers of a thread that is not in user mode, nor will be before
 * we are done: are they in memory; a CPU that runs such a thread is to put them
 * there; where they are then.
 */
#ifdef CONFIG_UML
static inline bool marena_vectors_are_saved(struct task_struct *task)
{
	return true;
}

static inline void marena_vectors_save(void *unused)
{
}

static inline const void *marena_vectors(struct task_struct *task, size_t *size)
{
#ifdef MARENA_HAVE_UML_FP_SIZED
	/* With the other registers. */
	*size = 0;
#else
	const struct user_regset_view *view = task_user_regset_view(task);
	unsigned int i;

	*size = 0;
	for (i = 0; i < view->n; i++)
		if (view->regsets[i].core_note_type == NT_X86_XSTATE)
			*size = view->regsets[i].n * view->regsets[i].size;
#endif
	return task_pt_regs(task)->regs.fp;
}
#else
static inline bool marena_vectors_are_saved(struct task_struct *task)
{
	if (test_tsk_thread_flag(task, TIF_NEED_FPU_LOAD))
		return true;
	/*
	 * Who has left the CPU has saved them before, and that stays so. Pairs
	 * with the store in the scheduler, finish_task().
	 */
	return !smp_load_acquire(&task->on_cpu);
}

static inline void marena_vectors_save(void *unused)
{
	if (current->mm && irq_fpu_usable()) {
		kernel_fpu_begin();
		kernel_fpu_end();
	}
}

/*
 * While the thread runs a virtual machine, @fpstate has the registers of that.
 * It is set after, and put back before, @__task_fpstate, and not twice while
 * the thread is not in user mode.
 */
static inline const void *marena_vectors(struct task_struct *task, size_t *size)
{
	struct fpstate *state, *other;

	do {
		state = READ_ONCE(task->thread.fpu.fpstate);
		/* In the order that is the reverse of theirs. */
		smp_rmb();
		other = READ_ONCE(task->thread.fpu.__task_fpstate);
		/* As above. */
		smp_rmb();
	} while (state != READ_ONCE(task->thread.fpu.fpstate));
	if (other)
		state = other;
	*size = state->size;
	return &state->regs;
}
#endif

/* Does anybody but the caller refer to that namespace? */
static inline bool marena_ns_is_shared(struct ns_common *ns)
{
#ifdef MARENA_HAVE_NS_REF_READ
	/* References to the first one are not counted. */
	return is_ns_init_id(ns) || __ns_ref_read(ns) > 1;
#else
	return refcount_read(&ns->count) > 1;
#endif
}

/* A shrinker that is asked from now on, or NULL: no memory. */
static inline struct shrinker *
marena_shrinker_new(unsigned long (*count)(struct shrinker *shrinker,
					   struct shrink_control *sc),
		    unsigned long (*scan)(struct shrinker *shrinker,
					  struct shrink_control *sc))
{
	struct shrinker *shrinker;

#ifdef MARENA_HAVE_SHRINKER_ALLOC
	shrinker = shrinker_alloc(0, "marena");
#else
	shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
#endif
	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
#ifdef MARENA_HAVE_SHRINKER_ALLOC
	shrinker_register(shrinker);
#else
	if (register_shrinker(shrinker, "marena")) {
		kfree(shrinker);
		return NULL;
	}
#endif
	return shrinker;
}

/* Nobody asks it any more when this returns. */
static inline void marena_shrinker_free(struct shrinker *shrinker)
{
#ifdef MARENA_HAVE_SHRINKER_ALLOC
	shrinker_free(shrinker);
#else
	unregister_shrinker(shrinker);
	kfree(shrinker);
#endif
}

#endif /* MARENA_COMPAT_H */
