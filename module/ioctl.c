// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of the kinds of file that take any, behind one dispatcher: it checks
 * and copies the structure in, lets the command work on the copy, copies it
 * out again, and only then publishes a file that the command made. A command
 * that fails writes nothing to user space but what its text says.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "client.h"
#include "compat.h"
#include "event.h"
#include "free.h"
#include "fs.h"
#include "ioctl.h"
#include "lease.h"
#include "name.h"
#include "offer.h"
#include "pace.h"
#include "page.h"
#include "plant.h"
#include "refs.h"
#include "root.h"
#include "slot.h"
#include "space.h"
#include "span.h"
#include "stats.h"
#include "type.h"
#include "verify.h"
#include "weak.h"

union marena_args {
	struct marena_features features;
	struct marena_create create;
	struct marena_open open;
	struct marena_unlink unlink;
	struct marena_list list;
	struct marena_info info;
	struct marena_attach attach;
	struct marena_type_desc type;
	struct marena_root root;
	struct marena_collect collect;
	struct marena_ioc_stats stats;
	struct marena_ioc_settings settings;
	struct marena_pages pages;
	struct marena_verify verify;
	struct marena_refs refs;
	struct marena_events events;
	struct marena_slot_op slot;
	struct marena_lease lease;
	struct marena_spill spill;
	struct marena_wait wait;
	struct marena_weak_get weak_get;
	struct marena_offer offer;
	struct marena_free free;
};

/**
 * struct marena_request - a command that is being carried out
 * @file: the file that it was given to
 * @user: its structure, in the caller's memory
 * @args: its arguments, and then its results
 * @made: a file that it made, or NULL
 * @fd: the descriptor reserved for @made
 * @named: the arena of @made has a new name, that goes if the command fails
 */
struct marena_request {
	struct file *file;
	void __user *user;
	union marena_args args;
	struct file *made;
	int fd;
	bool named;
};

/**
 * struct marena_command - a command
 * @cmd: its number
 * @size: of its structure, as this module knows it
 * @min_size: of its structure, as first published
 * @run: carries it out: 0 or an error
 */
struct marena_command {
	unsigned int cmd;
	unsigned int size;
	unsigned int min_size;
	int (*run)(struct marena_request *req);
};

/* @last is the last field that the structure had when first published. */
#define MARENA_COMMAND(_cmd, _run, _struct, _last)			\
	{								\
		.cmd = _cmd,						\
		.size = sizeof(_struct),				\
		.min_size = offsetofend(_struct, _last),		\
		.run = _run,						\
	}

/* Reserve a descriptor for the file that a command made. */
static int marena_request_file(struct marena_request *req, struct file *file,
			       __s32 *fd)
{
	req->fd = get_unused_fd_flags(O_CLOEXEC);
	if (req->fd < 0) {
		fput(file);
		return req->fd;
	}
	req->made = file;
	*fd = req->fd;
	return 0;
}

static int marena_run_features(struct marena_request *req)
{
	struct marena_features *args = &req->args.features;

	args->abi_version = MARENA_ABI_VERSION;
	args->features = 0;
	args->max_arena_size = MARENA_SPACE_LARGEST;
	args->max_object_size = MARENA_SPACE_LARGEST;
	return 0;
}

static int marena_run_create(struct marena_request *req)
{
	struct marena_create *args = &req->args.create;
	struct marena_arena *arena;
	struct file *file;
	int err;

	err = marena_fs_pin();
	if (err)
		return err;
	arena = marena_arena_new(args);
	if (IS_ERR(arena)) {
		err = PTR_ERR(arena);
		goto out_unpin;
	}
	args->arena_size = arena->size;
	file = marena_arena_open(arena, false);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_forget;
	}
	/* The file takes over our reference to the inode. */
	ihold(arena->inode);
	err = marena_request_file(req, file, &args->fd);
	if (!err) {
		req->named = true;
		goto out_iput;
	}
err_forget:
	marena_name_forget(arena);
out_iput:
	iput(arena->inode);
out_unpin:
	marena_fs_unpin();
	return err;
}

static int marena_run_open(struct marena_request *req)
{
	struct marena_open *args = &req->args.open;
	bool rdonly = args->flags & MARENA_OPEN_RDONLY;
	struct marena_arena *arena;
	struct file *file;
	int err;

	if (args->flags & ~MARENA_OPEN_RDONLY || args->reserved)
		return -EINVAL;
	err = marena_name_check((const char *)args->name);
	if (err)
		return err;
	err = marena_fs_pin();
	if (err)
		return err;
	arena = marena_name_open((const char *)args->name);
	if (IS_ERR(arena)) {
		err = PTR_ERR(arena);
		goto out_unpin;
	}
	err = inode_permission(MARENA_NOP_IDMAP, arena->inode,
			       rdonly ? MAY_READ : MAY_READ | MAY_WRITE);
	if (err)
		goto out_iput;
	file = marena_arena_open(arena, rdonly);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto out_iput;
	}
	/* The file has our reference to the inode now. */
	err = marena_request_file(req, file, &args->fd);
	goto out_unpin;

out_iput:
	iput(arena->inode);
out_unpin:
	marena_fs_unpin();
	return err;
}

static int marena_run_unlink(struct marena_request *req)
{
	struct marena_unlink *args = &req->args.unlink;
	int err;

	if (args->flags)
		return -EINVAL;
	err = marena_name_check((const char *)args->name);
	return err ? err : marena_name_unlink((const char *)args->name);
}

static int marena_run_list(struct marena_request *req)
{
	struct marena_list *args = &req->args.list;

	if (args->flags || args->reserved)
		return -EINVAL;
	return marena_name_list(args);
}

static int marena_run_info(struct marena_request *req)
{
	struct marena_arena *arena = marena_arena_of(req->file);
	struct marena_info *args = &req->args.info;

	if (args->flags)
		return -EINVAL;
	if (!(req->file->f_mode & FMODE_WRITE))
		args->flags = MARENA_OPEN_RDONLY;
	args->id = arena->id;
	args->base = arena->base;
	args->arena_size = arena->size;
	args->map_size = marena_mapping_size(arena);
	args->alloc_offset = arena->size;
	args->mem_limit = arena->limit << MARENA_PAGE_SHIFT;
	return 0;
}

static int marena_run_attach(struct marena_request *req)
{
	struct marena_arena *arena = marena_arena_of(req->file);
	struct marena_attach *args = &req->args.attach;
	struct file *file;

	file = marena_client_attach(arena, current->mm,
				    !(req->file->f_mode & FMODE_WRITE), args);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return marena_request_file(req, file, &args->fd);
}

static int marena_run_type(struct marena_request *req)
{
	if (!(req->file->f_mode & FMODE_WRITE))
		return -EACCES;
	return marena_type_register(marena_arena_of(req->file),
				    &req->args.type);
}

static int marena_run_root_set(struct marena_request *req)
{
	if (req->args.root.flags)
		return -EINVAL;
	if (!(req->file->f_mode & FMODE_WRITE))
		return -EACCES;
	return marena_root_set(marena_arena_of(req->file), &req->args.root);
}

static int marena_run_root_get(struct marena_request *req)
{
	if (req->args.root.flags)
		return -EINVAL;
	return marena_root_get(marena_arena_of(req->file), &req->args.root,
			       &((struct marena_root __user *)
				 req->user)->object);
}

static int marena_run_collect(struct marena_request *req)
{
	struct marena_arena *arena = marena_arena_of(req->file);
	struct marena_collect *args = &req->args.collect;
	bool major = !(args->flags & MARENA_COLLECT_MINOR);

	if (args->flags & ~(MARENA_COLLECT_NOWAIT | MARENA_COLLECT_MINOR))
		return -EINVAL;
	if (!(req->file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (!(args->flags & MARENA_COLLECT_NOWAIT))
		return marena_collector_run(arena, MARENA_REASON_REQUEST, major,
					    &args->cycle);
	marena_collector_request(arena, MARENA_REASON_REQUEST, major);
	args->cycle = 0;
	return 0;
}

static int marena_run_stats(struct marena_request *req)
{
	marena_plant(marena_arena_of(req->file));
	return marena_stats_get(marena_arena_of(req->file), &req->args.stats);
}

static int marena_run_pages(struct marena_request *req)
{
	return marena_pages_info(marena_arena_of(req->file), &req->args.pages);
}

static int marena_run_refs_all(struct marena_request *req)
{
	return marena_refs_count_all(marena_arena_of(req->file),
				     &req->args.refs);
}

static int marena_run_settings(struct marena_request *req)
{
	struct marena_ioc_settings *args = &req->args.settings;

	if (args->flags)
		return -EINVAL;
	if (args->mask && !(req->file->f_mode & FMODE_WRITE))
		return -EACCES;
	return marena_settings(marena_arena_of(req->file), args);
}

static int marena_run_events(struct marena_request *req)
{
	struct marena_arena *arena = marena_arena_of(req->file);
	struct marena_events *args = &req->args.events;
	struct file *file;

	if (args->flags)
		return -EINVAL;
	file = marena_events_open(arena, &args->capacity);
	return IS_ERR(file) ? PTR_ERR(file) :
			      marena_request_file(req, file, &args->fd);
}

static int marena_run_verify(struct marena_request *req)
{
	if (req->args.verify.flags & ~MARENA_VERIFY_MINOR)
		return -EINVAL;
	if (!(req->file->f_mode & FMODE_WRITE))
		return -EACCES;
	return marena_verify(marena_arena_of(req->file), &req->args.verify);
}

static int marena_run_slot_acquire(struct marena_request *req)
{
	return marena_slot_acquire(marena_client_of(req->file),
				   &req->args.slot);
}

static int marena_run_slot_release(struct marena_request *req)
{
	return marena_slot_release(marena_client_of(req->file),
				   &req->args.slot);
}

static int marena_run_lease(struct marena_request *req)
{
	struct marena_client *client = marena_client_of(req->file);

	if (req->args.lease.reserved)
		return -EINVAL;
	if (client->rdonly)
		return -EACCES;
	return marena_lease(client, &req->args.lease);
}

static int marena_run_unlease(struct marena_request *req)
{
	if (req->args.lease.reserved)
		return -EINVAL;
	return marena_unlease(marena_client_of(req->file), &req->args.lease);
}

static int marena_run_spill(struct marena_request *req)
{
	return marena_spill(marena_client_of(req->file), &req->args.spill);
}

static int marena_run_wait(struct marena_request *req)
{
	struct marena_arena *arena = marena_client_of(req->file)->arena;
	struct marena_wait *args = &req->args.wait;

	if (args->flags || args->reserved)
		return -EINVAL;
	if (READ_ONCE(arena->gate) != args->gate)
		return 0;
	return marena_gate_wait(arena);
}

static int marena_run_refs(struct marena_request *req)
{
	return marena_refs_count(marena_client_of(req->file), &req->args.refs);
}

static int marena_run_weak_get(struct marena_request *req)
{
	return marena_weak_get(marena_client_of(req->file)->arena,
			       &req->args.weak_get,
			       &((struct marena_weak_get __user *)
				 req->user)->object);
}

static int marena_run_offer(struct marena_request *req)
{
	return marena_offer(marena_client_of(req->file), &req->args.offer);
}

static int marena_run_accept(struct marena_request *req)
{
	return marena_accept(marena_client_of(req->file), &req->args.offer);
}

static int marena_run_withdraw(struct marena_request *req)
{
	return marena_withdraw(marena_client_of(req->file), &req->args.offer);
}

static int marena_run_free(struct marena_request *req)
{
	struct marena_client *client = marena_client_of(req->file);

	if (client->rdonly)
		return -EACCES;
	return marena_free(client, &req->args.free);
}

static const struct marena_command marena_device_commands[] = {
	MARENA_COMMAND(MARENA_FEATURES, marena_run_features,
		       struct marena_features, max_object_size),
	MARENA_COMMAND(MARENA_CREATE, marena_run_create,
		       struct marena_create, name),
	MARENA_COMMAND(MARENA_OPEN, marena_run_open,
		       struct marena_open, name),
	MARENA_COMMAND(MARENA_UNLINK, marena_run_unlink,
		       struct marena_unlink, name),
	MARENA_COMMAND(MARENA_LIST, marena_run_list,
		       struct marena_list, name),
	{}
};

static const struct marena_command marena_arena_commands[] = {
	MARENA_COMMAND(MARENA_INFO, marena_run_info,
		       struct marena_info, mem_limit),
	MARENA_COMMAND(MARENA_ATTACH, marena_run_attach,
		       struct marena_attach, reserved),
	MARENA_COMMAND(MARENA_TYPE_REGISTER, marena_run_type,
		       struct marena_type_desc, name),
	MARENA_COMMAND(MARENA_ROOT_SET, marena_run_root_set,
		       struct marena_root, name),
	MARENA_COMMAND(MARENA_ROOT_GET, marena_run_root_get,
		       struct marena_root, name),
	MARENA_COMMAND(MARENA_COLLECT, marena_run_collect,
		       struct marena_collect, cycle),
	MARENA_COMMAND(MARENA_STATS, marena_run_stats,
		       struct marena_ioc_stats, mark_overflows),
	MARENA_COMMAND(MARENA_PAGES, marena_run_pages,
		       struct marena_pages, reserved),
	MARENA_COMMAND(MARENA_REFS_ALL, marena_run_refs_all,
		       struct marena_refs, refs),
	MARENA_COMMAND(MARENA_SETTINGS, marena_run_settings,
		       struct marena_ioc_settings, survivals),
	MARENA_COMMAND(MARENA_EVENTS, marena_run_events,
		       struct marena_events, fd),
	MARENA_COMMAND(MARENA_VERIFY, marena_run_verify,
		       struct marena_verify, first),
	{}
};

static const struct marena_command marena_client_commands[] = {
	MARENA_COMMAND(MARENA_SLOT_ACQUIRE, marena_run_slot_acquire,
		       struct marena_slot_op, reserved),
	MARENA_COMMAND(MARENA_SLOT_RELEASE, marena_run_slot_release,
		       struct marena_slot_op, reserved),
	MARENA_COMMAND(MARENA_LEASE, marena_run_lease,
		       struct marena_lease, reserved),
	MARENA_COMMAND(MARENA_UNLEASE, marena_run_unlease,
		       struct marena_lease, reserved),
	MARENA_COMMAND(MARENA_SPILL, marena_run_spill,
		       struct marena_spill, reserved),
	MARENA_COMMAND(MARENA_WAIT, marena_run_wait,
		       struct marena_wait, reserved),
	MARENA_COMMAND(MARENA_REFS, marena_run_refs,
		       struct marena_refs, refs),
	MARENA_COMMAND(MARENA_WEAK_GET, marena_run_weak_get,
		       struct marena_weak_get, object),
	MARENA_COMMAND(MARENA_OFFER, marena_run_offer,
		       struct marena_offer, token),
	MARENA_COMMAND(MARENA_ACCEPT, marena_run_accept,
		       struct marena_offer, token),
	MARENA_COMMAND(MARENA_WITHDRAW, marena_run_withdraw,
		       struct marena_offer, token),
	MARENA_COMMAND(MARENA_FREE, marena_run_free,
		       struct marena_free, freed),
	{}
};

static const struct marena_command *
marena_command_find(const struct marena_command *table, unsigned int cmd)
{
	for (; table->run; table++)
		if (table->cmd == cmd)
			return table;
	return NULL;
}

/* Copy the structure in. @size: its size as user space gave it. */
static int marena_args_get(const struct marena_command *command,
			   union marena_args *args, void __user *from,
			   u32 *size)
{
	int err;

	if (get_user(*size, (u32 __user *)from))
		return -EFAULT;
	if (*size < command->min_size)
		return -EINVAL;
	if (*size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(args, command->size, from, *size);
	if (err)
		return err;
	/* Else the command would be carried out, and nobody told. */
	if (fault_in_safe_writeable(from, min(*size, command->size)))
		return -EFAULT;
	return 0;
}

/* Copy the results out, and publish the file that was made. */
static int marena_request_finish(struct marena_request *req,
				 void __user *to, u32 size)
{
	/* The size is the one that was checked, whatever it is by now. */
	req->args.features.size = size;
	if (!copy_to_user(to, &req->args,
			  min_t(u32, size, sizeof(req->args)))) {
		if (req->made)
			fd_install(req->fd, req->made);
		return 0;
	}
	if (req->named)
		marena_name_forget(marena_arena_of(req->made));
	if (req->made) {
		put_unused_fd(req->fd);
		fput(req->made);
	}
	return -EFAULT;
}

static long marena_ioctl(const struct marena_command *table, struct file *file,
			 unsigned int cmd, unsigned long arg)
{
	const struct marena_command *command = marena_command_find(table, cmd);
	void __user *user = (void __user *)arg;
	struct marena_request req = { .file = file, .user = user };
	u32 size;
	int err;

	if (!command)
		return -ENOTTY;
	err = marena_args_get(command, &req.args, user, &size);
	if (err)
		return err;
	err = command->run(&req);
	if (err)
		return err;
	return marena_request_finish(&req, user, min(size, command->size));
}

long marena_device_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg)
{
	return marena_ioctl(marena_device_commands, file, cmd, arg);
}

long marena_arena_ioctl(struct file *file, unsigned int cmd,
			unsigned long arg)
{
	return marena_ioctl(marena_arena_commands, file, cmd, arg);
}

long marena_client_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg)
{
	struct marena_client *client = marena_client_of(file);

	if (!marena_command_find(marena_client_commands, cmd))
		return -ENOTTY;
	if (current->mm != client->mm || READ_ONCE(client->ended))
		return -ESTALE;
	return marena_ioctl(marena_client_commands, file, cmd, arg);
}
