/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_FS_H
#define MARENA_FS_H

#include <linux/fs.h>
#include <linux/mm_types.h>

/* What an inode of ours stands for, and who takes it down. */
enum marena_inode_kind {
	MARENA_INODE_ARENA,
	MARENA_INODE_CLIENT,
};

int marena_fs_init(void);
void marena_fs_exit(void);

int marena_fs_pin(void);
void marena_fs_pin_again(void);
void marena_fs_unpin(void);
bool marena_fs_has(const struct inode *inode);

struct inode *marena_inode_new(enum marena_inode_kind kind, umode_t mode);
struct file *marena_file_new(struct inode *inode, const char *name, int flags,
			     const struct file_operations *fops);
int marena_file_release(struct inode *inode, struct file *file);

struct page *marena_mapped_page_alloc(struct address_space *mapping,
				      pgoff_t index, gfp_t gfp);
vm_fault_t marena_mapped_page_fault(struct page *page);
void marena_mapped_page_free(struct page *page);

#endif /* MARENA_FS_H */
