// SPDX-License-Identifier: GPL-2.0-only
/*
 * All that the fuzzer can do. An ioctl's fields are those of its structure that
 * are looked at, and its results those that later operations can use. The
 * weights say what is drawn how often: what writes to memory is cheap, what
 * forks, waits or maps is not.
 */
#include <stddef.h>
#include <string.h>

#include "op.h"
#include "runtime.h"

#define FIELD(_struct, _name, _domain, _out)				\
	{								\
		.name = #_name,						\
		.offset = offsetof(_struct, _name),			\
		.width = sizeof(((_struct *)0)->_name),			\
		.domain = _domain,					\
		.out = _out,						\
	}

#define IN(_struct, _name, _domain)	FIELD(_struct, _name, _domain, 0)
#define OUT(_struct, _name, _out)	FIELD(_struct, _name, FZ_NOTHING, _out)
#define ARG(_name, _domain)		{ .name = #_name, .domain = _domain }

#define IOCTL(_name, _number, _struct, _fd, _weight, ...)		\
	{								\
		.name = _name,						\
		.kind = FZ_IOCTL,					\
		.number = _number,					\
		.text = #_number,					\
		.type = #_struct,					\
		.size = sizeof(_struct),				\
		.fd = _fd,						\
		.weight = _weight,					\
		.field = { __VA_ARGS__ },				\
	}

#define SYSCALL(_name, _out, _weight, ...)				\
	{								\
		.name = #_name,						\
		.kind = FZ_SYSCALL,					\
		.number = SYS_##_name,					\
		.text = "SYS_" #_name,					\
		.out = _out,						\
		.weight = _weight,					\
		.field = { __VA_ARGS__ },				\
	}

#define HELPER(_name, _fn, _out, _weight, ...)				\
	{								\
		.name = #_name,						\
		.kind = FZ_HELPER,					\
		.fn = _fn,						\
		.text = #_fn,						\
		.out = _out,						\
		.weight = _weight,					\
		.field = { __VA_ARGS__ },				\
	}

#define BLOCK(_name, _kind, _fn, _out, _weight)				\
	{								\
		.name = _name,						\
		.kind = _kind,						\
		.text = _fn,						\
		.out = _out,						\
		.weight = _weight,					\
		.field = { ARG(ops, FZ_OPS) },				\
	}

struct fz_call fz_calls[] = {
	IOCTL("features", MARENA_FEATURES, struct marena_features,
	      FZ_DEVICE, 2, IN(struct marena_features, size, FZ_SIZE)),
	IOCTL("create", MARENA_CREATE, struct marena_create, FZ_DEVICE, 9,
	      IN(struct marena_create, size, FZ_SIZE),
	      IN(struct marena_create, flags, FZ_CREATE_FLAGS),
	      IN(struct marena_create, arena_size, FZ_ARENA_SIZE),
	      IN(struct marena_create, mem_limit, FZ_MEM_LIMIT),
	      IN(struct marena_create, mode, FZ_MODE),
	      IN(struct marena_create, gc_percent, FZ_PERCENT),
	      IN(struct marena_create, reserved, FZ_ZERO),
	      IN(struct marena_create, name, FZ_NAME),
	      IN(struct marena_create, snapshot_limit, FZ_MEM_LIMIT),
	      OUT(struct marena_create, fd, 'A')),
	IOCTL("open", MARENA_OPEN, struct marena_open, FZ_DEVICE, 8,
	      IN(struct marena_open, size, FZ_SIZE),
	      IN(struct marena_open, flags, FZ_OPEN_FLAGS),
	      IN(struct marena_open, reserved, FZ_ZERO),
	      IN(struct marena_open, name, FZ_NAME),
	      OUT(struct marena_open, fd, 'A')),
	IOCTL("unlink", MARENA_UNLINK, struct marena_unlink, FZ_DEVICE, 3,
	      IN(struct marena_unlink, size, FZ_SIZE),
	      IN(struct marena_unlink, flags, FZ_ZERO),
	      IN(struct marena_unlink, name, FZ_NAME)),
	IOCTL("list", MARENA_LIST, struct marena_list, FZ_DEVICE, 3,
	      IN(struct marena_list, size, FZ_SIZE),
	      IN(struct marena_list, flags, FZ_ZERO),
	      IN(struct marena_list, cursor, FZ_CURSOR),
	      IN(struct marena_list, reserved, FZ_ZERO)),
	IOCTL("info", MARENA_INFO, struct marena_info, FZ_ARENA, 8,
	      IN(struct marena_info, size, FZ_SIZE),
	      IN(struct marena_info, flags, FZ_ZERO),
	      OUT(struct marena_info, base, 'H'),
	      OUT(struct marena_info, arena_size, 'Z'),
	      OUT(struct marena_info, map_size, 'Y')),
	IOCTL("attach", MARENA_ATTACH, struct marena_attach, FZ_ARENA, 6,
	      IN(struct marena_attach, size, FZ_SIZE),
	      IN(struct marena_attach, flags, FZ_ZERO),
	      IN(struct marena_attach, reserved, FZ_ZERO),
	      OUT(struct marena_attach, fd, 'C'),
	      OUT(struct marena_attach, map_size, 'N'),
	      OUT(struct marena_attach, refs_offset, 'R')),
	IOCTL("type", MARENA_TYPE_REGISTER, struct marena_type_desc,
	      FZ_ARENA, 12,
	      IN(struct marena_type_desc, size, FZ_SIZE),
	      IN(struct marena_type_desc, flags, FZ_TYPE_FLAGS),
	      IN(struct marena_type_desc, object_size, FZ_OBJECT_SIZE),
	      IN(struct marena_type_desc, refs, FZ_REFS),
	      IN(struct marena_type_desc, nrefs, FZ_NR_REFS),
	      IN(struct marena_type_desc, name, FZ_NAME)),
	IOCTL("root_set", MARENA_ROOT_SET, struct marena_root, FZ_ARENA, 14,
	      IN(struct marena_root, size, FZ_SIZE),
	      IN(struct marena_root, flags, FZ_ZERO),
	      IN(struct marena_root, object, FZ_OBJECT),
	      IN(struct marena_root, name, FZ_NAME)),
	IOCTL("root_get", MARENA_ROOT_GET, struct marena_root, FZ_ARENA, 10,
	      IN(struct marena_root, size, FZ_SIZE),
	      IN(struct marena_root, flags, FZ_ZERO),
	      IN(struct marena_root, name, FZ_NAME),
	      OUT(struct marena_root, object, 'O')),
	IOCTL("collect", MARENA_COLLECT, struct marena_collect, FZ_ARENA, 20,
	      IN(struct marena_collect, size, FZ_SIZE),
	      IN(struct marena_collect, flags, FZ_COLLECT_FLAGS)),
	IOCTL("stats", MARENA_STATS, struct marena_ioc_stats, FZ_ARENA, 6,
	      IN(struct marena_ioc_stats, size, FZ_SIZE),
	      IN(struct marena_ioc_stats, flags, FZ_ZERO)),
	IOCTL("settings", MARENA_SETTINGS, struct marena_ioc_settings,
	      FZ_ARENA, 8,
	      IN(struct marena_ioc_settings, size, FZ_SIZE),
	      IN(struct marena_ioc_settings, flags, FZ_ZERO),
	      IN(struct marena_ioc_settings, mask, FZ_SET_MASK),
	      IN(struct marena_ioc_settings, memory_limit, FZ_MEM_LIMIT),
	      IN(struct marena_ioc_settings, snapshot_limit, FZ_MEM_LIMIT),
	      IN(struct marena_ioc_settings, gc_percent, FZ_PERCENT),
	      IN(struct marena_ioc_settings, min_interval_ms, FZ_MS),
	      IN(struct marena_ioc_settings, period_ms, FZ_MS),
	      IN(struct marena_ioc_settings, survivals, FZ_SURVIVALS)),
	IOCTL("pages", MARENA_PAGES, struct marena_pages, FZ_ARENA, 10,
	      IN(struct marena_pages, size, FZ_SIZE),
	      IN(struct marena_pages, flags, FZ_ZERO),
	      IN(struct marena_pages, first, FZ_PAGE_NUMBER),
	      IN(struct marena_pages, buf, FZ_BUFFER),
	      IN(struct marena_pages, count, FZ_COUNT),
	      IN(struct marena_pages, reserved, FZ_ZERO)),
	IOCTL("refs_all", MARENA_REFS_ALL, struct marena_refs, FZ_ARENA, 8,
	      IN(struct marena_refs, size, FZ_SIZE),
	      IN(struct marena_refs, flags, FZ_ZERO),
	      IN(struct marena_refs, object, FZ_OBJECT)),
	IOCTL("events", MARENA_EVENTS, struct marena_events, FZ_ARENA, 8,
	      IN(struct marena_events, size, FZ_SIZE),
	      IN(struct marena_events, flags, FZ_ZERO),
	      IN(struct marena_events, capacity, FZ_COUNT),
	      OUT(struct marena_events, fd, 'F')),
	IOCTL("verify", MARENA_VERIFY, struct marena_verify, FZ_ARENA, 4,
	      IN(struct marena_verify, size, FZ_SIZE),
	      IN(struct marena_verify, flags, FZ_VERIFY_FLAGS)),
	IOCTL("slot_acquire", MARENA_SLOT_ACQUIRE, struct marena_slot_op,
	      FZ_CLIENT_FD, 8,
	      IN(struct marena_slot_op, size, FZ_SIZE),
	      IN(struct marena_slot_op, flags, FZ_ZERO),
	      IN(struct marena_slot_op, slot, FZ_ZERO),
	      IN(struct marena_slot_op, reserved, FZ_ZERO),
	      IN(struct marena_slot_op, stack_end, FZ_MEMORY),
	      OUT(struct marena_slot_op, slot, 'T')),
	IOCTL("slot_release", MARENA_SLOT_RELEASE, struct marena_slot_op,
	      FZ_CLIENT_FD, 6,
	      IN(struct marena_slot_op, size, FZ_SIZE),
	      IN(struct marena_slot_op, flags, FZ_ZERO),
	      IN(struct marena_slot_op, slot, FZ_SLOT),
	      IN(struct marena_slot_op, reserved, FZ_ZERO),
	      IN(struct marena_slot_op, stack_end, FZ_ZERO)),
	IOCTL("lease", MARENA_LEASE, struct marena_lease, FZ_CLIENT_FD, 30,
	      IN(struct marena_lease, size, FZ_SIZE),
	      IN(struct marena_lease, flags, FZ_LEASE_FLAGS),
	      IN(struct marena_lease, type, FZ_TYPE),
	      IN(struct marena_lease, bytes, FZ_BYTES),
	      IN(struct marena_lease, gate, FZ_GATE),
	      IN(struct marena_lease, base, FZ_LEASE_AT),
	      IN(struct marena_lease, reserved, FZ_ZERO),
	      OUT(struct marena_lease, base, 'L'),
	      OUT(struct marena_lease, gate, 'G'),
	      OUT(struct marena_lease, bytes, 'B')),
	IOCTL("unlease", MARENA_UNLEASE, struct marena_lease,
	      FZ_CLIENT_FD, 14,
	      IN(struct marena_lease, size, FZ_SIZE),
	      IN(struct marena_lease, flags, FZ_ZERO),
	      IN(struct marena_lease, gate, FZ_GATE),
	      IN(struct marena_lease, base, FZ_LEASE_AT),
	      IN(struct marena_lease, reserved, FZ_ZERO)),
	IOCTL("spill", MARENA_SPILL, struct marena_spill, FZ_CLIENT_FD, 30,
	      IN(struct marena_spill, size, FZ_SIZE),
	      IN(struct marena_spill, flags, FZ_ZERO),
	      IN(struct marena_spill, object, FZ_OBJECT),
	      IN(struct marena_spill, op, FZ_SPILL_OP),
	      IN(struct marena_spill, reserved, FZ_ZERO)),
	IOCTL("wait", MARENA_WAIT, struct marena_wait, FZ_CLIENT_FD, 8,
	      IN(struct marena_wait, size, FZ_SIZE),
	      IN(struct marena_wait, flags, FZ_ZERO),
	      IN(struct marena_wait, gate, FZ_GATE),
	      IN(struct marena_wait, reserved, FZ_ZERO)),
	IOCTL("refs", MARENA_REFS, struct marena_refs, FZ_CLIENT_FD, 10,
	      IN(struct marena_refs, size, FZ_SIZE),
	      IN(struct marena_refs, flags, FZ_ZERO),
	      IN(struct marena_refs, object, FZ_OBJECT)),
	IOCTL("weak_get", MARENA_WEAK_GET, struct marena_weak_get,
	      FZ_CLIENT_FD, 20,
	      IN(struct marena_weak_get, size, FZ_SIZE),
	      IN(struct marena_weak_get, flags, FZ_ZERO),
	      IN(struct marena_weak_get, field, FZ_OBJECT),
	      OUT(struct marena_weak_get, object, 'O')),
	IOCTL("offer", MARENA_OFFER, struct marena_offer, FZ_CLIENT_FD, 12,
	      IN(struct marena_offer, size, FZ_SIZE),
	      IN(struct marena_offer, flags, FZ_ZERO),
	      IN(struct marena_offer, object, FZ_OBJECT),
	      OUT(struct marena_offer, token, 'X')),
	IOCTL("accept", MARENA_ACCEPT, struct marena_offer, FZ_CLIENT_FD, 10,
	      IN(struct marena_offer, size, FZ_SIZE),
	      IN(struct marena_offer, flags, FZ_ZERO),
	      IN(struct marena_offer, token, FZ_TOKEN),
	      OUT(struct marena_offer, object, 'O')),
	IOCTL("withdraw", MARENA_WITHDRAW, struct marena_offer,
	      FZ_CLIENT_FD, 4,
	      IN(struct marena_offer, size, FZ_SIZE),
	      IN(struct marena_offer, flags, FZ_ZERO),
	      IN(struct marena_offer, token, FZ_TOKEN)),
	IOCTL("free", MARENA_FREE, struct marena_free, FZ_CLIENT_FD, 20,
	      IN(struct marena_free, size, FZ_SIZE),
	      IN(struct marena_free, flags, FZ_ZERO),
	      IN(struct marena_free, objects, FZ_OBJECTS),
	      IN(struct marena_free, nr, FZ_NR_REFS)),
	IOCTL("uffd_api", UFFDIO_API, struct uffdio_api, FZ_FILE, 1,
	      IN(struct uffdio_api, api, FZ_ZERO),
	      IN(struct uffdio_api, features, FZ_ZERO)),
	IOCTL("uffd_register", UFFDIO_REGISTER, struct uffdio_register,
	      FZ_FILE, 1,
	      IN(struct uffdio_register, range.start, FZ_MAPPING),
	      IN(struct uffdio_register, range.len, FZ_LENGTH),
	      IN(struct uffdio_register, mode, FZ_UFFD_MODE)),

	HELPER(device, fz_open_device, 'D', 3),
	HELPER(fill, fz_fill, 0, 240,
	       ARG(at, FZ_MEMORY), ARG(times, FZ_TIMES),
	       ARG(stride, FZ_STRIDE), ARG(width, FZ_WIDTH),
	       ARG(value, FZ_WORD), ARG(step, FZ_STEP)),
	HELPER(scan, fz_scan, 0, 30,
	       ARG(at, FZ_MEMORY), ARG(times, FZ_TIMES),
	       ARG(stride, FZ_STRIDE)),
	HELPER(alloc, fz_alloc, 0, 90,
	       ARG(arena, FZ_INDEX), ARG(client, FZ_INDEX),
	       ARG(lease, FZ_INDEX), ARG(slot, FZ_COUNT)),
	HELPER(ref, fz_ref, 0, 60,
	       ARG(arena, FZ_INDEX), ARG(client, FZ_INDEX),
	       ARG(object, FZ_OBJECT), ARG(value, FZ_REFCOUNT)),
	HELPER(section, fz_section, 0, 2,
	       ARG(client, FZ_INDEX), ARG(slot, FZ_SLOT),
	       ARG(value, FZ_BOOL)),
	HELPER(map_client, fz_mmap, 'M', 6,
	       ARG(at, FZ_MAPPING), ARG(bytes, FZ_LENGTH),
	       ARG(prot, FZ_PROT), ARG(flags, FZ_MAP_FLAGS),
	       ARG(fd, FZ_CLIENT_FD), ARG(offset, FZ_ZERO)),
	HELPER(map, fz_mmap, 0, 8,
	       ARG(at, FZ_MAPPING), ARG(bytes, FZ_LENGTH),
	       ARG(prot, FZ_PROT), ARG(flags, FZ_MAP_FLAGS),
	       ARG(fd, FZ_ARENA), ARG(offset, FZ_ZERO)),
	HELPER(munmap, fz_munmap, 0, 5,
	       ARG(at, FZ_MAPPING), ARG(bytes, FZ_LENGTH)),
	HELPER(mprotect, fz_mprotect, 0, 8,
	       ARG(at, FZ_MAPPING), ARG(bytes, FZ_LENGTH),
	       ARG(prot, FZ_PROT)),
	HELPER(madvise, fz_madvise, 0, 14,
	       ARG(at, FZ_MAPPING), ARG(bytes, FZ_LENGTH),
	       ARG(advice, FZ_ADVICE)),
	HELPER(mremap, fz_mremap, 0, 4,
	       ARG(at, FZ_MAPPING), ARG(bytes, FZ_LENGTH),
	       ARG(new_bytes, FZ_LENGTH), ARG(to, FZ_MAPPING)),
	HELPER(vm_copy, fz_vm_copy, 0, 10,
	       ARG(pid, FZ_PID), ARG(here, FZ_MEMORY), ARG(there, FZ_MEMORY),
	       ARG(bytes, FZ_COUNT), ARG(write, FZ_BOOL)),
	HELPER(pin, fz_pin, 0, 8,
	       ARG(pipe, FZ_PIPE), ARG(at, FZ_MEMORY), ARG(bytes, FZ_COUNT)),
	HELPER(direct, fz_direct, 0, 8,
	       ARG(at, FZ_MEMORY), ARG(bytes, FZ_COUNT), ARG(write, FZ_BOOL)),
	HELPER(sendfd, fz_sendfd, 0, 6,
	       ARG(socket, FZ_SEND), ARG(fd, FZ_FILE)),
	HELPER(recvfd, fz_recvfd, 'F', 5, ARG(socket, FZ_RECV)),
	HELPER(recv_arena, fz_recvfd, 'A', 2, ARG(socket, FZ_RECV)),
	HELPER(recv_client, fz_recvfd, 'C', 2, ARG(socket, FZ_RECV)),
	HELPER(signal, fz_kill, 0, 3,
	       ARG(pid, FZ_PID), ARG(signal, FZ_SIGNAL)),
	HELPER(signal_child, fz_kill, 0, 3,
	       ARG(pid, FZ_CHILD), ARG(signal, FZ_CHILD_SIGNAL)),
	HELPER(alarm, fz_alarm, 0, 4, ARG(usec, FZ_USEC)),

	SYSCALL(close, 0, 6, ARG(fd, FZ_FILE)),
	SYSCALL(dup, 'F', 4, ARG(fd, FZ_FILE)),
	SYSCALL(fcntl, 0, 3,
		ARG(fd, FZ_FILE), ARG(cmd, FZ_FCNTL), ARG(arg, FZ_ANY)),
	SYSCALL(ioctl, 0, 10,
		ARG(fd, FZ_FILE), ARG(cmd, FZ_COMMAND), ARG(arg, FZ_BUFFER)),
	SYSCALL(read, 0, 4,
		ARG(fd, FZ_FILE), ARG(buf, FZ_BUFFER), ARG(bytes, FZ_COUNT)),
	SYSCALL(write, 0, 4,
		ARG(fd, FZ_FILE), ARG(buf, FZ_BUFFER), ARG(bytes, FZ_COUNT)),
	SYSCALL(pread64, 0, 8,
		ARG(fd, FZ_MEM_FILE), ARG(buf, FZ_BUFFER),
		ARG(bytes, FZ_COUNT), ARG(at, FZ_MEMORY)),
	SYSCALL(pwrite64, 0, 8,
		ARG(fd, FZ_MEM_FILE), ARG(buf, FZ_BUFFER),
		ARG(bytes, FZ_COUNT), ARG(at, FZ_MEMORY)),
	SYSCALL(lseek, 0, 1,
		ARG(fd, FZ_FILE), ARG(offset, FZ_ANY), ARG(whence, FZ_BOOL)),
	SYSCALL(ftruncate, 0, 1, ARG(fd, FZ_FILE), ARG(bytes, FZ_ARENA_SIZE)),
	SYSCALL(fallocate, 0, 1,
		ARG(fd, FZ_FILE), ARG(mode, FZ_BOOL), ARG(at, FZ_OFFSET),
		ARG(bytes, FZ_COUNT)),
	SYSCALL(fchmod, 0, 2, ARG(fd, FZ_FILE), ARG(mode, FZ_MODE)),
	SYSCALL(fsync, 0, 1, ARG(fd, FZ_FILE)),
	SYSCALL(msync, 0, 2,
		ARG(at, FZ_MAPPING), ARG(bytes, FZ_LENGTH),
		ARG(flags, FZ_BOOL)),
	SYSCALL(mlock, 0, 2, ARG(at, FZ_MAPPING), ARG(bytes, FZ_COUNT)),
	SYSCALL(munlock, 0, 1, ARG(at, FZ_MAPPING), ARG(bytes, FZ_LENGTH)),
	SYSCALL(munlockall, 0, 1),
	SYSCALL(mincore, 0, 1,
		ARG(at, FZ_MAPPING), ARG(bytes, FZ_COUNT),
		ARG(vec, FZ_BUFFER)),
	SYSCALL(userfaultfd, 'F', 1, ARG(flags, FZ_BOOL)),
	SYSCALL(sched_yield, 0, 4),

	BLOCK("fork", FZ_FORK, "fz_fork", 'P', 1),
	BLOCK("thread", FZ_THREAD, "fz_start", 0, 6),
	HELPER(exec, fz_exec_other, 0, 0),
};

const unsigned int fz_nr_calls = ARRAY_SIZE(fz_calls);

void fz_table_init(void)
{
	struct fz_call *call;

	for (call = fz_calls; call < fz_calls + fz_nr_calls; call++)
		while (call->nr_fields < FZ_MAX_FIELDS &&
		       call->field[call->nr_fields].name)
			call->nr_fields++;
}

static unsigned int fz_inputs(const struct fz_call *call)
{
	unsigned int i, n = 0;

	for (i = 0; i < call->nr_fields; i++)
		n += call->field[i].domain != FZ_NOTHING;
	return n;
}

/* The arguments of an ioctl: file, address, inputs, what is behind. */
unsigned int fz_call_args(const struct fz_call *call)
{
	return fz_inputs(call) + (call->kind == FZ_IOCTL ? 3 : 0);
}

enum fz_domain fz_call_domain(const struct fz_call *call, unsigned int arg)
{
	if (call->kind != FZ_IOCTL)
		return call->field[arg].domain;
	if (arg == 0)
		return call->fd;
	if (arg == 1)
		return FZ_AT;
	if (arg == fz_inputs(call) + 2)
		return FZ_TAIL;
	return call->field[arg - 2].domain;
}

const char *fz_call_arg_name(const struct fz_call *call, unsigned int arg)
{
	if (call->kind != FZ_IOCTL)
		return call->field[arg].name;
	if (arg == 0)
		return "fd";
	if (arg == 1)
		return "at";
	if (arg == fz_inputs(call) + 2)
		return "tail";
	return call->field[arg - 2].name;
}

/* Returns fz_nr_calls for a name that is unknown. */
unsigned int fz_call_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < fz_nr_calls; i++)
		if (!strcmp(fz_calls[i].name, name))
			break;
	return i;
}
