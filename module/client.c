// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients: how they come, are mapped, and end.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "arena.h"
#include "client.h"
#include "compat.h"
#include "fault.h"
#include "fs.h"
#include "ioctl.h"
#include "lease.h"
#include "mutation.h"
#include "offer.h"
#include "refs.h"
#include "slot.h"
#include "span.h"

/* The client of a client file; NULL for a file of another kind. */
struct marena_client *marena_client_of(struct file *file)
{
	if (file->f_op != &marena_client_fops)
		return NULL;
	return file_inode(file)->i_private;
}

static void marena_client_free(struct kref *kref)
{
	struct marena_client *client =
		container_of(kref, struct marena_client, kref);

	marena_slots_free(client);
	if (client->control)
		free_page((unsigned long)client->control);
	put_pid(client->process);
	mmdrop(client->mm);
	kfree(client);
}

void marena_client_put(struct marena_client *client)
{
	kref_put(&client->kref, marena_client_free);
}

/* How many clients of the arena belong to this address space? */
static unsigned int marena_clients_of_mm(struct marena_arena *arena,
					 struct mm_struct *mm)
{
	struct marena_client *client;
	unsigned int n = 0;

	lockdep_assert_held(&arena->client_lock);
	list_for_each_entry(client, &arena->clients, link)
		n += client->mm == mm;
	return n;
}

/*
 * Become one of the arena's clients. -EAGAIN: the gate is closed. Who came in then
 * would be no part of the snapshot, but could take over what others hold.
 */
static int marena_client_try_enlist(struct marena_client *client)
{
	struct marena_arena *arena = client->arena;
	int err = -ENOSPC;

	spin_lock(&arena->client_lock);
	if (!marena_gate_is_open(arena)) {
		err = -EAGAIN;
	} else if (arena->nr_clients < MARENA_MAX_CLIENTS &&
		   marena_clients_of_mm(arena, client->mm) <
		   MARENA_MAX_PROCESS_CLIENTS) {
		WRITE_ONCE(client->control->gate, arena->gate);
		WRITE_ONCE(client->control->weak, arena->weak);
		list_add_tail(&client->link, &arena->clients);
		WRITE_ONCE(arena->nr_clients, arena->nr_clients + 1);
		err = 0;
	}
	spin_unlock(&arena->client_lock);
	return err;
}

static int marena_client_enlist(struct marena_client *client)
{
	int err;

	do {
		err = marena_gate_wait(client->arena);
		if (!err)
			err = marena_client_try_enlist(client);
	} while (err == -EAGAIN);
	return err;
}

/* Returns false if the client had ended before. */
static bool marena_client_delist(struct marena_client *client)
{
	struct marena_arena *arena = client->arena;
	bool ends;

	lockdep_assert_held(&arena->lock);
	spin_lock(&arena->client_lock);
	ends = !client->ended;
	if (ends) {
		WRITE_ONCE(client->ended, true);
		list_del(&client->link);
		WRITE_ONCE(arena->nr_clients, arena->nr_clients - 1);
	}
	spin_unlock(&arena->client_lock);
	return ends;
}

/*
 * The client is no more: its leases, references and slots are gone when this
 * returns. Runs in the context of whoever closes the last mapping or file.
 */
void marena_client_end(struct marena_client *client)
{
	struct marena_arena *arena = client->arena;
	bool ends, orphaned = false;

	mutex_lock(&arena->lock);
	ends = marena_client_delist(client);
	if (ends) {
		marena_leases_drop(client);
		/* Not stored in vain: the collector reads it after marking. */
		orphaned = arena->marking && READ_ONCE(client->counting) &&
			   !marena_mutated(MARENA_SKIP_ORPHAN);
		if (orphaned)
			client->orphaned = true;
	}
	mutex_unlock(&arena->lock);
	if (!ends)
		return;
	/* Before its map goes, to which an accepted offer is being added. */
	marena_offers_drop(client);
	if (orphaned)
		marena_refs_detach(client);
	else
		marena_refs_drop(client);
}

/* Marking is over: drop what clients held that ended meanwhile. */
void marena_clients_drop_orphans(struct list_head *clients)
{
	struct marena_client *client;

	list_for_each_entry(client, clients, cycle_link) {
		if (!client->orphaned)
			continue;
		/* An offer may be being accepted, by who saw it had not ended. */
		mutex_lock(&client->arena->offer_lock);
		mutex_unlock(&client->arena->offer_lock);
		marena_refs_drop(client);
	}
}

/* Has its process been killed, or exits? What a thread was at then stays undone. */
bool marena_client_is_dying(const struct marena_client *client)
{
	struct task_struct *task;
	bool dying;

	rcu_read_lock();
	task = pid_task(client->process, PIDTYPE_TGID);
	dying = !task || READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT;
	rcu_read_unlock();
	return dying;
}

/* List the clients, with a reference to each, to look at without the lock. */
void marena_clients_hold(struct marena_arena *arena,
			 struct list_head *clients)
{
	struct marena_client *client;

	spin_lock(&arena->client_lock);
	list_for_each_entry(client, &arena->clients, link) {
		kref_get(&client->kref);
		list_add_tail(&client->cycle_link, clients);
	}
	spin_unlock(&arena->client_lock);
}

void marena_clients_release(struct list_head *clients)
{
	struct marena_client *client, *next;

	list_for_each_entry_safe(client, next, clients, cycle_link) {
		list_del(&client->cycle_link);
		marena_client_put(client);
	}
}

/* The inode goes. What is left of the client is memory. */
void marena_client_evict(struct marena_client *client)
{
	struct inode *inode = client->arena->inode;

	marena_client_put(client);
	iput(inode);
}

static struct marena_client *marena_client_alloc(struct marena_arena *arena,
						 struct mm_struct *mm,
						 bool rdonly)
{
	struct marena_client *client;

	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return NULL;
	kref_init(&client->kref);
	client->arena = arena;
	client->rdonly = rdonly;
	client->mm = mm;
	mmgrab(mm);
	client->process = get_pid(task_tgid(current));
	INIT_LIST_HEAD(&client->leases);
	INIT_LIST_HEAD(&client->offers);
	spin_lock_init(&client->slot_lock);
	mutex_init(&client->spill_lock);
	xa_init(&client->pages);
	xa_init(&client->copies);
	xa_init(&client->spills);

	client->control = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!client->control) {
		marena_client_put(client);
		return NULL;
	}
	return client;
}

/* MARENA_ATTACH by the process of @mm: returns the client's file. */
struct file *marena_client_attach(struct marena_arena *arena,
				  struct mm_struct *mm, bool rdonly,
				  struct marena_attach *arg)
{
	struct marena_client *client;
	struct inode *inode;
	struct file *file;
	int err;

	if (arg->flags || arg->reserved)
		return ERR_PTR(-EINVAL);
	client = marena_client_alloc(arena, mm, rdonly);
	if (!client)
		return ERR_PTR(-ENOMEM);
	err = -ENOMEM;
	inode = marena_inode_new(MARENA_INODE_CLIENT, 0600);
	if (!inode)
		goto err_put;
	client->inode = inode;
	err = marena_client_enlist(client);
	if (err)
		goto err_iput;

	file = marena_file_new(inode, "marena-client", O_RDWR,
			       &marena_client_fops);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_end;
	}
	ihold(arena->inode);
	inode->i_private = client;

	arg->nr_slots = MARENA_NR_SLOTS;
	arg->map_size = marena_client_map_size(arena);
	arg->slots_offset = MARENA_SLOTS_PAGE * MARENA_PAGE_SIZE;
	arg->refs_offset = MARENA_REFS_PAGE * MARENA_PAGE_SIZE;
	return file;

err_end:
	marena_client_end(client);
err_iput:
	iput(inode);
err_put:
	marena_client_put(client);
	return ERR_PTR(err);
}

static struct page *marena_client_fixed_page(struct marena_client *client,
					     unsigned long pgoff)
{
	struct page *page;

	if (pgoff >= MARENA_SLOTS_PAGE)
		return marena_slots_page_get(client,
					     pgoff - MARENA_SLOTS_PAGE);
	page = virt_to_page(client->control);
	get_page(page);
	return page;
}

static vm_fault_t marena_client_map_fault(struct vm_fault *vmf,
					  struct marena_client *client)
{
	gfp_t gfp = marena_fault_gfp(vmf, client->arena);
	vm_fault_t ret;

	ret = marena_refs_fault(client, vmf->pgoff - MARENA_REFS_PAGE, gfp,
				&vmf->page);
	if (ret == VM_FAULT_OOM && gfp)
		return marena_fault_collect(vmf, client->arena);
	return ret;
}

static vm_fault_t marena_client_fault(struct vm_fault *vmf)
{
	struct marena_client *client = marena_client_of(vmf->vma->vm_file);

	if (READ_ONCE(client->ended))
		return VM_FAULT_SIGBUS;
	if (vmf->pgoff >= MARENA_REFS_PAGE)
		return marena_client_map_fault(vmf, client);
	vmf->page = marena_client_fixed_page(client, vmf->pgoff);
	return vmf->page ? 0 : VM_FAULT_SIGBUS;
}

/*
 * Slots and the gate need no barrier. As they belong to no inode's address
 * space, they have to be locked here.
 */
static vm_fault_t marena_client_mkwrite(struct vm_fault *vmf)
{
	struct marena_client *client = marena_client_of(vmf->vma->vm_file);

	if (vmf->pgoff >= MARENA_REFS_PAGE)
		return marena_refs_mkwrite(client,
					   vmf->pgoff - MARENA_REFS_PAGE,
					   vmf->page);
	lock_page(vmf->page);
	return VM_FAULT_LOCKED;
}

static void marena_client_vma_open(struct vm_area_struct *vma)
{
	atomic_inc(&marena_client_of(vma->vm_file)->vmas);
}

static void marena_client_vma_close(struct vm_area_struct *vma)
{
	struct marena_client *client = marena_client_of(vma->vm_file);

	if (atomic_dec_and_test(&client->vmas))
		marena_client_end(client);
}

static const struct vm_operations_struct marena_client_vm_ops = {
	.open = marena_client_vma_open,
	.close = marena_client_vma_close,
	.may_split = marena_vma_refuse_split,
	.mremap = marena_vma_refuse_move,
	.mprotect = marena_vma_mprotect,
	.fault = marena_client_fault,
	.map_pages = marena_map_no_pages,
	.page_mkwrite = marena_client_mkwrite,
};

/*
 * VM_IO keeps MADV_DOFORK from undoing VM_DONTCOPY: a child must not inherit
 * the map, as its references would then be counted for the parent.
 */
static int marena_client_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct marena_client *client = marena_client_of(file);
	const vm_flags_t want = VM_READ | VM_WRITE | VM_SHARED;
	const u64 size = marena_client_map_size(client->arena);

	if ((vma->vm_flags & (want | VM_EXEC)) != want || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != size)
		return -EINVAL;
	if (vma->vm_mm != client->mm || READ_ONCE(client->ended))
		return -ESTALE;
	if (test_and_set_bit(MARENA_CLIENT_MAPPED, &client->mapped))
		return -EBUSY;
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP | VM_IO);
	vm_flags_clear(vma, VM_MAYEXEC);
	atomic_set(&client->vmas, 1);
	vma->vm_ops = &marena_client_vm_ops;
	return 0;
}

static int marena_client_release(struct inode *inode, struct file *file)
{
	marena_client_end(inode->i_private);
	return marena_file_release(inode, file);
}

const struct file_operations marena_client_fops = {
	.owner = THIS_MODULE,
	.mmap = marena_client_mmap,
	.release = marena_client_release,
	.unlocked_ioctl = marena_client_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

#ifdef MARENA_KUNIT
#include "client_test.c"
#endif
