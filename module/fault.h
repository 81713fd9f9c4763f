/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_FAULT_H
#define MARENA_FAULT_H

#include <linux/mm_types.h>

struct file;
struct marena_arena;
struct vm_area_struct;
struct vm_fault;

gfp_t marena_fault_gfp(struct vm_fault *vmf, struct marena_arena *arena);
vm_fault_t marena_fault_collect(struct vm_fault *vmf,
				struct marena_arena *arena);
int marena_vma_refuse_split(struct vm_area_struct *vma, unsigned long addr);
int marena_vma_refuse_move(struct vm_area_struct *vma);
int marena_vma_mprotect(struct vm_area_struct *vma, unsigned long start,
			unsigned long end, unsigned long flags);
vm_fault_t marena_map_no_pages(struct vm_fault *vmf, pgoff_t first,
			       pgoff_t last);
int marena_arena_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long marena_arena_unmapped_area(struct file *file, unsigned long addr,
					 unsigned long len, unsigned long pgoff,
					 unsigned long flags);

#endif /* MARENA_FAULT_H */
