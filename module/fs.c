// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's own pseudo file system. An arena is an inode of it, and so is
 * a client; pages that user space maps belong to their address spaces.
 *
 * Lifetimes. Each file holds its mount, the mount its super block, and that
 * the module: code of ours never runs after the module could be unloaded,
 * because the mount is let go of by the VFS after the inode was evicted. An
 * open file, and a lasting name, pin the mount as well (marena_fs_pin), so that
 * all arenas that can be reached share the one mount that marena_fs_pin() finds.
 * An inode pins nothing: others may drop its last reference, as who ends a watch
 * (inotify) does, and the super block that waits for the end of the watch must not be
 * taken down from inside that. An arena that only such a reference keeps goes
 * at the latest with the mount.
 */
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>

#include "arena.h"
#include "client.h"
#include "compat.h"
#include "fs.h"

#define MARENA_FS_MAGIC 0x6d61726e

static struct vfsmount *marena_mount;
static int marena_mount_pins;

static void marena_evict_inode(struct inode *inode)
{
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);

	/* i_private is empty where creation failed half-way. */
	if (!inode->i_private)
		return;
	if (S_ISREG(inode->i_mode))
		marena_arena_evict(inode->i_private);
	else
		marena_client_evict(inode->i_private);
}

static const struct super_operations marena_super_ops = {
	.statfs = simple_statfs,
	.drop_inode = inode_just_drop,
	.evict_inode = marena_evict_inode,
};

static int marena_init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, MARENA_FS_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &marena_super_ops;
	return 0;
}

static struct file_system_type marena_fs_type = {
	.owner = THIS_MODULE,
	.name = "marena",
	.init_fs_context = marena_init_fs_context,
	.kill_sb = kill_anon_super,
};

int marena_fs_pin(void)
{
	return simple_pin_fs(&marena_fs_type, &marena_mount,
			     &marena_mount_pins);
}

/* The same for who has a pin: it is mounted, so this cannot fail. */
void marena_fs_pin_again(void)
{
	WARN_ON(marena_fs_pin());
}

void marena_fs_unpin(void)
{
	simple_release_fs(&marena_mount, &marena_mount_pins);
}

/* Is the inode of the mount that the caller has pinned? */
bool marena_fs_has(const struct inode *inode)
{
	return inode->i_sb == marena_mount->mnt_sb;
}

/* An arena's size is fixed; its owner, group and mode may change. */
static int marena_setattr(MARENA_IDMAP *idmap, struct dentry *dentry,
			  struct iattr *attr)
{
	if (attr->ia_valid & ATTR_SIZE)
		return -EPERM;
	return simple_setattr(idmap, dentry, attr);
}

static const struct inode_operations marena_inode_ops = {
	.setattr = marena_setattr,
};

static const struct address_space_operations marena_aops = {
	.dirty_folio = noop_dirty_folio,
};

/* The caller holds a pin until the inode has a file or is gone. */
struct inode *marena_inode_new(enum marena_inode_kind kind, umode_t mode)
{
	struct inode *inode = new_inode(marena_mount->mnt_sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode->i_mode = mode;
	if (kind == MARENA_INODE_ARENA)
		inode->i_mode |= S_IFREG;
	inode->i_uid = current_fsuid();
	inode->i_gid = current_fsgid();
	inode->i_flags |= S_NOCMTIME;
	inode->i_op = &marena_inode_ops;
	inode->i_mapping->a_ops = &marena_aops;
	simple_inode_init_ts(inode);
	return inode;
}

/*
 * The file takes over the caller's reference to the inode, if it is made. The caller
 * holds a pin.
 */
struct file *marena_file_new(struct inode *inode, const char *name, int flags,
			     const struct file_operations *fops)
{
	struct file *file;

	marena_fs_pin_again();
	__module_get(fops->owner);
	file = alloc_file_pseudo(inode, marena_mount, name, flags, fops);
	if (IS_ERR(file)) {
		module_put(fops->owner);
		marena_fs_unpin();
	}
	return file;
}

/* Each file's release ends so. The mount stays, as the file has it still. */
int marena_file_release(struct inode *inode, struct file *file)
{
	marena_fs_unpin();
	return 0;
}

/*
 * A zeroed page that @mapping owns, charged to the current memory cgroup. @gfp:
 * how hard to try, beyond what is usual. Dirty
 * from the start: there is nowhere to read it from again, so nobody is to take
 * it for a clean page of the page cache.
 */
struct page *marena_mapped_page_alloc(struct address_space *mapping,
				      pgoff_t index, gfp_t gfp)
{
	struct page *page = alloc_page(GFP_HIGHUSER | __GFP_ZERO |
				       __GFP_ACCOUNT | gfp);

	if (!page)
		return NULL;
	page->mapping = mapping;
	page_folio(page)->index = index;
	SetPageDirty(page);
	return page;
}

/*
 * The last step of a fault that found @page, locked, and holds a reference to
 * it. Memory that failed must not reach the generic code, which would try to
 * evict it from a page cache that it is not in.
 */
vm_fault_t marena_mapped_page_fault(struct page *page)
{
	if (!PageHWPoison(page))
		return VM_FAULT_LOCKED;
	unlock_page(page);
	put_page(page);
	return VM_FAULT_HWPOISON;
}

/* The page is in no table any more and mapped nowhere. */
void marena_mapped_page_free(struct page *page)
{
	lock_page(page);
	page->mapping = NULL;
	unlock_page(page);
	put_page(page);
}

int marena_fs_init(void)
{
	return register_filesystem(&marena_fs_type);
}

void marena_fs_exit(void)
{
	unregister_filesystem(&marena_fs_type);
}
