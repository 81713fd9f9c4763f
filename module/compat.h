/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where kernels differ. Each difference is found by a probe in conftest.sh,
 * never by a version number, and no other file has an #ifdef for it.
 */
#ifndef MARENA_COMPAT_H
#define MARENA_COMPAT_H

#include <linux/elf.h>
#include <linux/fs.h>
#include <linux/list_lru.h>
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

/* Before there was a lock for each mapping, mmap_lock kept faults out. */
#ifndef MARENA_HAVE_VMA_START_WRITE
static inline void vma_start_write(struct vm_area_struct *vma)
{
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
 * many there are, 0 where that would take waiting, or an error: -EHWPOISON: bad
 * memory; -EFAULT also where nobody has touched anonymous memory. mmap_lock is held.
 * @fault: ask for what is not there, else that is -EFAULT as well. In a file it may
 * be waited for, whatever the flags say.
 *
 * FOLL_FORCE: what cannot be accessed only so that one learns which node uses it
 * is there; where kernels obey such a mark, they say -EFAULT of a whole block. To
 * read what the process could not is no concern of the caller's, who has looked.
 */
static inline long marena_pages_get_remote(struct mm_struct *mm,
					   unsigned long start,
					   unsigned long nr, bool fault,
					   struct page **pages)
{
	const unsigned int flags = FOLL_NOWAIT | FOLL_DUMP | FOLL_FORCE |
				   FOLL_HWPOISON | (fault ? 0 : FOLL_NOFAULT);

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

#ifndef MARENA_HAVE_LIST_LRU_ADD_OBJ
static inline bool list_lru_add_obj(struct list_lru *lru,
				    struct list_head *item)
{
	return list_lru_add(lru, item);
}

static inline bool list_lru_del_obj(struct list_lru *lru,
				    struct list_head *item)
{
	return list_lru_del(lru, item);
}
#endif

/* What is done with each item of a list, under its lock, and where it goes. */
struct marena_lru_visit {
	void (*visit)(struct list_head *item, void *ctx);
	void *ctx;
	enum lru_status status;
};

#ifdef MARENA_HAVE_LIST_LRU_LOCK
static inline enum lru_status marena_lru_item(struct list_head *item,
					      struct list_lru_one *list,
					      spinlock_t *lock, void *arg)
#else
static inline enum lru_status marena_lru_item(struct list_head *item,
					      struct list_lru_one *list,
					      void *arg)
#endif
{
	const struct marena_lru_visit *visit = arg;

	visit->visit(item, visit->ctx);
	return visit->status;
}

/*
 * The first items that the shrinker is asked for, each once, up to @max. @rotate:
 * others are the first then.
 */
static inline void marena_lru_visit(struct list_lru *lru,
				    struct shrink_control *sc,
				    unsigned long max, bool rotate,
				    void (*visit)(struct list_head *item,
						  void *ctx), void *ctx)
{
	struct marena_lru_visit arg = {
		.visit = visit,
		.ctx = ctx,
		.status = rotate ? LRU_ROTATE : LRU_SKIP,
	};
	unsigned long nr = min(max, list_lru_shrink_count(lru, sc));

	list_lru_walk_one(lru, sc->nid, sc->memcg, marena_lru_item, &arg, &nr);
}

#define MARENA_SHRINKER_FLAGS	(SHRINKER_NUMA_AWARE | SHRINKER_MEMCG_AWARE)

typedef unsigned long marena_shrinker_fn(struct shrinker *shrinker,
					 struct shrink_control *sc);

/*
 * A shrinker for what is in @lru, which is made as well, for each memory cgroup
 * and node. It is asked from now on. NULL: no memory.
 */
#ifdef MARENA_HAVE_SHRINKER_ALLOC
static inline struct shrinker *marena_shrinker_new(struct list_lru *lru,
						   marena_shrinker_fn *count,
						   marena_shrinker_fn *scan)
{
	struct shrinker *shrinker;

	shrinker = shrinker_alloc(MARENA_SHRINKER_FLAGS, "marena");
	if (!shrinker)
		return NULL;
	if (list_lru_init_memcg(lru, shrinker)) {
		shrinker_free(shrinker);
		return NULL;
	}
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
	shrinker_register(shrinker);
	return shrinker;
}
#else
static inline unsigned long
marena_shrinker_has_none(struct shrinker *shrinker, struct shrink_control *sc)
{
	return SHRINK_EMPTY;
}

/* The lists need the shrinker's number, which it gets when it is registered. */
static inline struct shrinker *marena_shrinker_new(struct list_lru *lru,
						   marena_shrinker_fn *count,
						   marena_shrinker_fn *scan)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (!shrinker)
		return NULL;
	shrinker->flags = MARENA_SHRINKER_FLAGS;
	shrinker->count_objects = marena_shrinker_has_none;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
	if (register_shrinker(shrinker, "marena"))
		goto err_free;
	if (list_lru_init_memcg(lru, shrinker))
		goto err_unregister;
	/* Orders the lists before the look at them. */
	smp_store_release(&shrinker->count_objects, count);
	return shrinker;

err_unregister:
	unregister_shrinker(shrinker);
err_free:
	kfree(shrinker);
	return NULL;
}
#endif

/* Nobody asks it any more when this returns, and the lists, empty, are gone. */
static inline void marena_shrinker_free(struct shrinker *shrinker,
					struct list_lru *lru)
{
#ifdef MARENA_HAVE_SHRINKER_ALLOC
	shrinker_free(shrinker);
#else
	unregister_shrinker(shrinker);
	kfree(shrinker);
#endif
	list_lru_destroy(lru);
}

/* The fault has let go of the address space, and is to return VM_FAULT_RETRY. */
static inline void marena_fault_unlock(struct vm_fault *vmf)
{
#ifdef MARENA_HAVE_RELEASE_FAULT_LOCK
	release_fault_lock(vmf);
#else
	mmap_read_unlock(vmf->vma->vm_mm);
#endif
}

#endif /* MARENA_COMPAT_H */
