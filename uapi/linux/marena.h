/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/marena: garbage-collected shared memory.
 *
 * Four kinds of file:
 *
 *  - the device, /dev/marena: creates, opens, lists and unlinks arenas;
 *  - an arena file (MARENA_CREATE, MARENA_OPEN): names one arena and carries
 *    the rights to it (O_RDONLY or O_RDWR). It holds no state of a process,
 *    so it may be inherited, duplicated and sent over a Unix socket. Mapping
 *    it maps the heap, at the same address in every process;
 *  - a client file (MARENA_ATTACH on an arena file): one process's references,
 *    thread slots and leases. It belongs to the address space that attached
 *    it; others get ESTALE. It ends when it is released or when its mapping
 *    goes away (munmap, exec, exit, SIGKILL), whichever comes first;
 *  - an event file (MARENA_EVENTS on an arena file): a queue of the deaths of
 *    objects whose types ask for that. It is read and polled.
 *
 * Every command takes a pointer to a structure that begins with its own size
 * in bytes. A size below that of the first published version is EINVAL. A
 * larger one is accepted, up to 4096, if the bytes unknown to this kernel are
 * zero, else it is E2BIG. Results are copied back up to the size that both know,
 * and @size then says how much that is.
 *
 * Errors with one meaning throughout:
 *
 *  ENOTTY      the command is unknown to this kind of file
 *  EINVAL      a field is out of range, a reserved field or an unknown flag is
 *              set, or a size is too small
 *  E2BIG       a larger structure than this kernel knows, with unknown bytes set
 *  EFAULT      a pointer does not point to memory that can be used
 *  EACCES      the file's mode, or the rights of this file, do not permit it
 *  ESTALE      the client has ended, or belongs to another address space
 *  ENOENT      there is nothing of that name
 *  EEXIST      the name is taken (by another layout, for a type)
 *  ENOSPC      the arena's memory limit or address space is used up, or one of
 *              its tables (types, roots, clients, slots) is full
 *  EDQUOT      the owner's limit of memory, arenas or address space is reached
 *  ENOMEM      the system or the caller's memory cgroup is out of memory
 *  EADDRINUSE  (mmap) something else is mapped where the arena must be
 *  EBUSY       the cycle was given up: a thread in a section could not be read, or
 *              the arena's tables were in use at each of 28 tries
 *  EINTR       the caller was killed while it waited
 */
#ifndef _UAPI_LINUX_MARENA_H
#define _UAPI_LINUX_MARENA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MARENA_ABI_VERSION	1

#define MARENA_GRANULE_SHIFT	4
#define MARENA_GRANULE		(1 << MARENA_GRANULE_SHIFT)
#define MARENA_PAGE_SHIFT	12
#define MARENA_REGION_SHIFT	21

/* Names of arenas, types and roots: 1 to 63 bytes, NUL-terminated. */
#define MARENA_NAME_LEN		64

#define MARENA_TYPE_BYTE	0xBE

enum {
	/* on /dev/marena */
	MARENA_CMD_FEATURES = 0x00,
	MARENA_CMD_CREATE = 0x01,
	MARENA_CMD_OPEN = 0x02,
	MARENA_CMD_UNLINK = 0x03,
	MARENA_CMD_LIST = 0x04,
	/* on an arena file */
	MARENA_CMD_INFO = 0x10,
	MARENA_CMD_ATTACH = 0x11,
	MARENA_CMD_TYPE = 0x12,
	MARENA_CMD_ROOT_SET = 0x13,
	MARENA_CMD_ROOT_GET = 0x14,
	MARENA_CMD_COLLECT = 0x15,
	MARENA_CMD_STATS = 0x16,
	MARENA_CMD_PAGES = 0x17,
	MARENA_CMD_REFS_ALL = 0x18,
	MARENA_CMD_SETTINGS = 0x19,
	MARENA_CMD_EVENTS = 0x1a,
	MARENA_CMD_VERIFY = 0x1b,
	/* on a client file */
	MARENA_CMD_SLOT_ACQUIRE = 0x20,
	MARENA_CMD_SLOT_RELEASE = 0x21,
	MARENA_CMD_LEASE = 0x22,
	MARENA_CMD_UNLEASE = 0x23,
	MARENA_CMD_SPILL = 0x24,
	MARENA_CMD_WAIT = 0x25,
	MARENA_CMD_REFS = 0x26,
	MARENA_CMD_WEAK_GET = 0x27,
	MARENA_CMD_OFFER = 0x28,
	MARENA_CMD_ACCEPT = 0x29,
	MARENA_CMD_WITHDRAW = 0x2a,
	MARENA_CMD_FREE = 0x2b,
};

/**
 * struct marena_features - MARENA_FEATURES: what this module can do
 * @size: sizeof(struct marena_features)
 * @abi_version: out: MARENA_ABI_VERSION of the module
 * @features: out: bits of MARENA_FEATURE_*; none is defined yet
 * @max_arena_size: out: largest arena, in bytes
 * @max_object_size: out: largest object, in bytes (an arena's own size is a
 *                   tighter limit)
 */
struct marena_features {
	__u32 size;
	__u32 abi_version;
	__u64 features;
	__u64 max_arena_size;
	__u64 max_object_size;
};

#define MARENA_FEATURES _IO(MARENA_TYPE_BYTE, MARENA_CMD_FEATURES)

/* The name outlives the last file and mapping, until MARENA_UNLINK. */
#define MARENA_CREATE_PERSIST	(1U << 0)

/* gc_percent: start no cycle because the heap has grown. */
#define MARENA_GC_OFF		(~0U)

/**
 * struct marena_create - MARENA_CREATE: make an arena and open it
 * @size: sizeof(struct marena_create)
 * @flags: MARENA_CREATE_PERSIST (needs a name)
 * @arena_size: bytes of address space, 1 to max_arena_size; rounded up to
 *              a whole region (2 MiB). Out: the size as rounded
 * @mem_limit: bytes of memory that the heap may hold, rounded up to pages;
 *             0 for no other limit than the size
 * @mode: permission bits, less the caller's umask, as for open(2)
 * @gc_percent: start a cycle when the memory in use has grown by so many per
 *              cent since the last; 0 for the default of 100; MARENA_GC_OFF
 * @fd: out: the arena file, O_RDWR | O_CLOEXEC
 * @reserved: must be 0
 * @name: name in the caller's IPC namespace, without '/' or control
 *        characters; empty for an anonymous arena
 * @snapshot_limit: bytes of memory that copies of pages may take while the
 *                  collector marks, rounded up to pages; 0 for the default, a
 *                  quarter of the memory in use and at least 16 MiB, less
 *                  in cycles that run for want of memory. Past it pages
 *                  are shaded (see struct marena_ioc_stats)
 *
 * Errors: EEXIST, EDQUOT, ENOMEM, EMFILE; ENOSPC where no address range
 * is free.
 */
struct marena_create {
	__u32 size;
	__u32 flags;
	__u64 arena_size;
	__u64 mem_limit;
	__u32 mode;
	__u32 gc_percent;
	__s32 fd;
	__u32 reserved;
	__u8  name[MARENA_NAME_LEN];
	__u64 snapshot_limit;
};

#define MARENA_CREATE _IO(MARENA_TYPE_BYTE, MARENA_CMD_CREATE)

/* Open for reading the heap only: no allocation, no roots, no types. */
#define MARENA_OPEN_RDONLY	(1U << 0)

/**
 * struct marena_open - MARENA_OPEN: open an arena by name
 * @size: sizeof(struct marena_open)
 * @flags: MARENA_OPEN_RDONLY
 * @fd: out: the arena file, O_CLOEXEC
 * @reserved: must be 0
 * @name: its name in the caller's IPC namespace
 *
 * Errors: ENOENT, EACCES, EMFILE.
 */
struct marena_open {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
	__u8  name[MARENA_NAME_LEN];
};

#define MARENA_OPEN _IO(MARENA_TYPE_BYTE, MARENA_CMD_OPEN)

/**
 * struct marena_unlink - MARENA_UNLINK: remove an arena's name
 * @size: sizeof(struct marena_unlink)
 * @flags: must be 0
 * @name: its name in the caller's IPC namespace
 *
 * The arena itself lives on while a file or a mapping of it is open. Only the
 * owner, or a caller with CAP_FOWNER, may do it. Errors: ENOENT, EACCES.
 */
struct marena_unlink {
	__u32 size;
	__u32 flags;
	__u8  name[MARENA_NAME_LEN];
};

#define MARENA_UNLINK _IO(MARENA_TYPE_BYTE, MARENA_CMD_UNLINK)

/**
 * struct marena_list - MARENA_LIST: the next named arena
 * @size: sizeof(struct marena_list)
 * @flags: must be 0, at every call; out: MARENA_CREATE_PERSIST where it was set
 * @cursor: in: 0 to begin, then as the last call left it
 * @id: out: number of the arena, never used again until the module is unloaded
 * @arena_size: out: bytes
 * @uid: out: owner, in the caller's user namespace
 * @gid: out: group, in the caller's user namespace
 * @mode: out: permission bits
 * @reserved: must be 0
 * @name: out: its name
 *
 * Lists the names of the caller's IPC namespace. Errors: ENOENT past the last.
 */
struct marena_list {
	__u32 size;
	__u32 flags;
	__u64 cursor;
	__u64 id;
	__u64 arena_size;
	__u32 uid;
	__u32 gid;
	__u32 mode;
	__u32 reserved;
	__u8  name[MARENA_NAME_LEN];
};

#define MARENA_LIST _IO(MARENA_TYPE_BYTE, MARENA_CMD_LIST)

/**
 * struct marena_info - MARENA_INFO: where an arena is
 * @size: sizeof(struct marena_info)
 * @flags: must be 0; out: MARENA_OPEN_RDONLY if this file may only read
 * @id: out: number of the arena, never used again until the module is unloaded
 * @base: out: address at which every process maps it
 * @arena_size: out: bytes of heap, from @base
 * @map_size: out: bytes to map: the heap, then the alloc map. mmap(2) wants
 *            offset 0, exactly this length, MAP_SHARED and no PROT_EXEC
 * @alloc_offset: out: where in the mapping the alloc map begins: one bit a
 *                granule of heap, bit n % 8 of byte n / 8, set where an
 *                object starts
 * @mem_limit: out: bytes of memory that the heap may hold
 */
struct marena_info {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u64 base;
	__u64 arena_size;
	__u64 map_size;
	__u64 alloc_offset;
	__u64 mem_limit;
};

#define MARENA_INFO _IO(MARENA_TYPE_BYTE, MARENA_CMD_INFO)

/**
 * struct marena_attach - MARENA_ATTACH: become a client
 * @size: sizeof(struct marena_attach)
 * @flags: must be 0
 * @fd: out: the client file, O_RDWR | O_CLOEXEC
 * @nr_slots: out: thread slots
 * @map_size: out: bytes to map of the client file (offset 0, exactly this
 *            length, MAP_SHARED, PROT_READ | PROT_WRITE), once
 * @slots_offset: out: where in the mapping struct marena_slot [@nr_slots] is.
 *                struct marena_control is at 0
 * @refs_offset: out: where the reference map is: one byte a granule of heap
 * @reserved: must be 0
 *
 * The rights of the client are those of the arena file it was made from.
 * Errors: ENOSPC where the arena has too many clients (4096; 64 of one process),
 * EMFILE, ENOMEM, EINTR. Waits while the gate is closed (struct marena_control).
 */
struct marena_attach {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 nr_slots;
	__u64 map_size;
	__u64 slots_offset;
	__u64 refs_offset;
	__u64 reserved;
};

#define MARENA_ATTACH _IO(MARENA_TYPE_BYTE, MARENA_CMD_ATTACH)

/**
 * struct marena_control - first page of a client's mapping
 * @gate: written by the kernel. Odd while the gate is closed (rendezvous).
 *        A rendezvous that succeeds leaves it two higher, and whatever was
 *        leased under another value is no longer leased. One that does not
 *        succeed puts the old value back
 * @weak: written by the kernel. Non-zero from a rendezvous until the weak fields
 *        whose targets died by then have been cleared: a weak field is then
 *        read by MARENA_WEAK_GET, and else with a plain load. Read with acquire
 *        order, before the field. If @gate, but for its lowest bit, is not the
 *        same before and after all that, it is to be done anew
 * @reserved: reads 0
 *
 * To enter a section, a thread stores a non-zero value into the @section of
 * its slot and then loads @gate, in program order; no fence is needed, as the
 * kernel interrupts the CPUs that run the client. If the gate is odd, it
 * stores 0 again and calls MARENA_WAIT, also where it is in a section through
 * another client: clients are looked at one after the other. To leave, it stores
 * 0 with release order.
 */
struct marena_control {
	__u32 gate;
	__u32 weak;
	__u32 reserved[14];
};

/**
 * struct marena_slot - what a thread tells the collector
 * @section: non-zero while the thread is inside a section
 * @gate: which leases it may be using inside a section: 1 plus the even value
 *        of marena_control.gate for which they hold; 0: any of its client
 * @reserved: leave 0
 *
 * A thread that stays in a section while a cycle wants to begin is stopped
 * there, and read: pointers into the arena, or into the middle of objects,
 * keep these alive if they are in its registers or on its stack. Leases of the
 * gate that it tells last until it leaves, or tells another. It stores @gate,
 * and then looks once more whether that is the gate, with the order of a thread
 * that enters; if it is not, what was leased for it is no longer leased.
 */
struct marena_slot {
	__u32 section;
	__u32 gate;
	__u32 reserved[14];
};

/* The ids of the types that every arena has. */
#define MARENA_TYPE_OPAQUE		0	/* no references in it */
#define MARENA_TYPE_CONSERVATIVE	1	/* every aligned word may be one */

/* flags: ignore nrefs; every aligned word of an object may be a reference. */
#define MARENA_TYPE_F_CONSERVATIVE	(1U << 0)
/* flags: objects are never freed, and neither is what they refer to. */
#define MARENA_TYPE_F_PERMANENT		(1U << 3)

/* flags: the deaths of the type's objects are events, see MARENA_EVENTS. */
#define MARENA_TYPE_F_EVENTS		(1U << 1)

/*
 * flags: references that clients hold, and offers, keep the type's objects alive,
 * and nothing else: words of the heap are not followed to them, and they cannot be
 * roots, and weak fields must not refer to them. The type has no references, and is
 * not a permanent one. They pass from client to client by offers alone, also where
 * both are of one process. See MARENA_FREE.
 */
#define MARENA_TYPE_F_COUNTED		(1U << 2)

/*
 * Added to the offset of a reference field: a weak one. It keeps nothing alive;
 * it holds the address of an object's first byte, or 0, and becomes 0 in the
 * cycle that finds the object dead.
 */
#define MARENA_REF_WEAK			(1U << 0)

/**
 * struct marena_type_desc - MARENA_TYPE: describe a type
 * @size: sizeof(struct marena_type_desc)
 * @flags: MARENA_TYPE_F_*
 * @object_size: bytes of one object (or of an array's element). With
 *               references, a multiple of 8
 * @refs: user pointer to @nrefs ascending offsets (__u32) of the reference
 *        fields, each a multiple of 8 and below @object_size - 7, plus
 *        MARENA_REF_WEAK where the field is weak
 * @nrefs: number of reference fields, 0 to 4096; 0: the type is opaque
 * @id: out: the type's id in this arena
 * @name: its name
 *
 * The same description gives the same id to every client. Needs the right to
 * write. Errors: EEXIST where the name has another layout, ENOSPC where the
 * arena has too many types.
 */
struct marena_type_desc {
	__u32 size;
	__u32 flags;
	__u64 object_size;
	__u64 refs;
	__u32 nrefs;
	__u32 id;
	__u8  name[MARENA_NAME_LEN];
};

#define MARENA_TYPE_REGISTER _IO(MARENA_TYPE_BYTE, MARENA_CMD_TYPE)

/**
 * struct marena_root - MARENA_ROOT_SET, MARENA_ROOT_GET: named roots
 * @size: sizeof(struct marena_root)
 * @flags: must be 0
 * @object: address of an object's first byte. For ROOT_SET, 0 removes the
 *          name. Out, for ROOT_GET: the address
 * @name: name of the root in this arena
 *
 * A caller of ROOT_SET holds a reference to the object; a caller of ROOT_GET
 * is inside a section until it has taken one, and has this structure on its
 * stack. ROOT_SET needs the right to
 * write. Errors: ENOENT (ROOT_GET, or ROOT_SET with 0, of an unknown name);
 * EINVAL where no object starts at the address, or one of a counted type; ENOSPC.
 */
struct marena_root {
	__u32 size;
	__u32 flags;
	__u64 object;
	__u8  name[MARENA_NAME_LEN];
};

#define MARENA_ROOT_SET _IO(MARENA_TYPE_BYTE, MARENA_CMD_ROOT_SET)
#define MARENA_ROOT_GET _IO(MARENA_TYPE_BYTE, MARENA_CMD_ROOT_GET)

/* Ask for a cycle and return at once. */
#define MARENA_COLLECT_NOWAIT	(1U << 0)
/*
 * A minor cycle will do: it looks at young objects, and takes the old ones, which
 * have survived some cycles, for live.
 */
#define MARENA_COLLECT_MINOR	(1U << 1)

/**
 * struct marena_collect - MARENA_COLLECT: run a cycle
 * @size: sizeof(struct marena_collect)
 * @flags: MARENA_COLLECT_NOWAIT, MARENA_COLLECT_MINOR
 * @cycle: out: how many cycles had been completed by then (0 with NOWAIT)
 *
 * Returns when a cycle that began after the call is over. A caller inside a
 * section is stopped like others. Needs the right to write. Errors: EBUSY, EINTR.
 */
struct marena_collect {
	__u32 size;
	__u32 flags;
	__u64 cycle;
};

#define MARENA_COLLECT _IO(MARENA_TYPE_BYTE, MARENA_CMD_COLLECT)

/* Where a cycle is. Programs run in all of them, but wait in RENDEZVOUS. */
enum marena_phase {
	MARENA_PHASE_IDLE = 0,
	MARENA_PHASE_PREPARE = 1,	/* pages are protected, marks cleared */
	MARENA_PHASE_RENDEZVOUS = 2,	/* the gate is closed, now and then */
	MARENA_PHASE_MARK = 3,
	MARENA_PHASE_SWEEP = 4,
	MARENA_PHASE_CLEAR = 5,		/* after MARK: weak fields are cleared */
};

/* Why a cycle began. */
enum marena_reason {
	MARENA_REASON_NONE = 0,		/* there has been none */
	MARENA_REASON_REQUEST = 1,	/* MARENA_COLLECT */
	MARENA_REASON_GROWTH = 2,	/* gc_percent */
	MARENA_REASON_LIMIT = 3,	/* memory_limit, or a lease had no room */
	MARENA_REASON_PERIODIC = 4,	/* none had begun for so long */
	MARENA_REASON_PRESSURE = 5,	/* the system is short of memory */
};

/**
 * struct marena_ioc_stats - MARENA_STATS: figures of an arena
 * @size: sizeof(struct marena_ioc_stats)
 * @flags: must be 0
 * @objects_live: objects that the last cycle found live
 * @bytes_live: bytes of their slots, so rounded up to size classes
 * @objects_freed: objects that cycles and MARENA_FREE have freed, in all
 * @pages_resident: pages of heap that have memory now
 * @pages_charged: pages that count against the limits now: those with a
 *                 reference count above zero, resident or not
 * @pages_limit: what @pages_charged may reach
 * @pages_reclaimed: pages that cycles and MARENA_FREE have given back, in all
 * @pages_metadata: pages of memory that the tables beside the heap take: the
 *                  maps of the arena and the reference maps of its clients
 * @cycles: cycles completed
 * @cycles_failed: cycles given up, see EBUSY
 * @rendezvous_retries: rendezvous that were tried again
 * @pause_last_ns: how long the gate was closed in the last cycle, in ns
 * @pause_max_ns: the longest such time of a completed cycle, in ns
 * @mark_last_ns: time spent marking in the last cycle, in ns
 * @sweep_last_ns: time spent sweeping in the last cycle, in ns
 * @spans: spans that exist now
 * @leases: spans that are leased now
 * @clients: clients attached now
 * @types: types registered, with the built-in ones
 * @roots: named roots
 * @mark_overflows: how often the mark stack overflowed in the last cycle
 * @phase: enum marena_phase: where the cycle is now
 * @pages_copied: pages that were copied in the last cycle, as they were written
 *                while the collector marked
 * @pages_shaded: pages that were shaded in the last cycle, for want of a copy:
 *                all that their objects referred to was kept until the next
 * @cycles_minor: how many of @cycles were minor ones
 * @objects_marked: objects that the last cycle marked; a minor one finds the old
 *                  ones marked, and adds those that it finds live
 * @objects_old: objects that are old: minor cycles do not look at them
 * @pages_goal: what @pages_charged is meant not to exceed, as cycles are timed;
 *              the highest number where nothing but requests starts one
 * @pages_trigger: value of @pages_charged that starts the next cycle
 * @last_reason: enum marena_reason: why the last attempt at a cycle began
 * @assists: leases that were delayed, as programs outran the collector
 * @assists_ns: how long, in all, in ns
 * @threads_stopped: threads that were stopped inside sections in the last cycle
 *
 * The figures of the last cycle are taken together; the others are each read
 * on their own.
 */
struct marena_ioc_stats {
	__u32 size;
	__u32 flags;
	__u64 objects_live;
	__u64 bytes_live;
	__u64 objects_freed;
	__u64 pages_resident;
	__u64 pages_charged;
	__u64 pages_limit;
	__u64 pages_reclaimed;
	__u64 pages_metadata;
	__u64 cycles;
	__u64 cycles_failed;
	__u64 rendezvous_retries;
	__u64 pause_last_ns;
	__u64 pause_max_ns;
	__u64 mark_last_ns;
	__u64 sweep_last_ns;
	__u64 spans;
	__u64 leases;
	__u64 clients;
	__u64 types;
	__u64 roots;
	__u64 mark_overflows;
	__u64 phase;
	__u64 pages_copied;
	__u64 pages_shaded;
	__u64 cycles_minor;
	__u64 objects_marked;
	__u64 objects_old;
	__u64 pages_goal;
	__u64 pages_trigger;
	__u64 last_reason;
	__u64 assists;
	__u64 assists_ns;
	__u64 threads_stopped;
};

#define MARENA_STATS _IO(MARENA_TYPE_BYTE, MARENA_CMD_STATS)

/* Fields of struct marena_ioc_settings that are to be set. */
#define MARENA_SET_GC_PERCENT		(1ULL << 0)
#define MARENA_SET_MEMORY_LIMIT		(1ULL << 1)
#define MARENA_SET_SNAPSHOT_LIMIT	(1ULL << 2)
#define MARENA_SET_MIN_INTERVAL		(1ULL << 3)
#define MARENA_SET_PERIOD		(1ULL << 4)
#define MARENA_SET_SURVIVALS		(1ULL << 5)

/**
 * struct marena_ioc_settings - MARENA_SETTINGS: when cycles begin by themselves
 * @size: sizeof(struct marena_ioc_settings)
 * @flags: must be 0
 * @mask: in: MARENA_SET_*: the fields to be set; out: those that the module has
 * @memory_limit: bytes that the memory in use and the tables beside it are
 *                meant not to exceed, rounded down to pages: near it, cycles
 *                begin more often, but take no more than half of the time.
 *                Nothing is refused beyond it, unlike mem_limit of
 *                struct marena_create. 0: none, the default
 * @snapshot_limit: as in struct marena_create; from the next cycle on
 * @gc_percent: as in struct marena_create. With MARENA_GC_OFF, @memory_limit
 *              still starts cycles, and @period_ms does not
 * @min_interval_ms: milliseconds between the end of a cycle and the begin of one
 *                   that nobody asked for; 1 by default
 * @period_ms: milliseconds after which a cycle begins if none has, and there is
 *             something on the heap; 0: never; 120000 by default
 * @survivals: cycles that an object survives until it is old, 1 to 3; 0: 2, the
 *             default. From the end of the next major cycle on, which the next
 *             cycle is, and after which all that it has found live is old
 *
 * Fields that are not in @mask are not looked at. All come back as they are now.
 * Setting needs the right to write; reading (a @mask of 0) does not.
 * Errors: EINVAL where @mask has unknown bits, or @survivals is beyond 3.
 */
struct marena_ioc_settings {
	__u32 size;
	__u32 flags;
	__u64 mask;
	__u64 memory_limit;
	__u64 snapshot_limit;
	__u32 gc_percent;
	__u32 min_interval_ms;
	__u32 period_ms;
	__u32 survivals;
};

#define MARENA_SETTINGS _IO(MARENA_TYPE_BYTE, MARENA_CMD_SETTINGS)

/* States of a page. Others will follow: compressed, swapped, meshed. */
enum marena_page_state {
	MARENA_PAGE_EMPTY = 0,		/* has no memory */
	MARENA_PAGE_RESIDENT = 1,
};

#define MARENA_PAGE_F_LEASED	(1U << 0)	/* its span is leased */
#define MARENA_PAGE_F_SPAN_HEAD	(1U << 1)	/* first page of its span */

/**
 * struct marena_page_info - one page of a span
 * @page: number of the page in the arena
 * @object_size: bytes of a slot of its span
 * @type: type id of its span
 * @refs: reference count: objects that lie on it, and one if it is leased
 * @state: enum marena_page_state
 * @flags: MARENA_PAGE_F_*
 */
struct marena_page_info {
	__u64 page;
	__u64 object_size;
	__u32 type;
	__u16 refs;
	__u8  state;
	__u8  flags;
};

/**
 * struct marena_pages - MARENA_PAGES: what the kernel knows of pages
 * @size: sizeof(struct marena_pages)
 * @flags: must be 0
 * @first: in: number of the page to begin with; out: to go on with, or the
 *         arena's number of pages when all are told
 * @buf: user pointer to struct marena_page_info [@count]
 * @count: in: room in @buf, 1 to 65536; out: entries written
 * @reserved: must be 0
 *
 * Pages that belong to no span are left out.
 */
struct marena_pages {
	__u32 size;
	__u32 flags;
	__u64 first;
	__u64 buf;
	__u32 count;
	__u32 reserved;
};

#define MARENA_PAGES _IO(MARENA_TYPE_BYTE, MARENA_CMD_PAGES)

/**
 * struct marena_refs - MARENA_REFS_ALL, MARENA_REFS: an object's reference count
 * @size: sizeof(struct marena_refs)
 * @flags: must be 0
 * @object: address of an object's first byte
 * @refs: out: references held: by all clients (REFS_ALL, on an arena file)
 *        or by this one (REFS, on a client file)
 *
 * Errors: EINVAL where no object starts at the address.
 */
struct marena_refs {
	__u32 size;
	__u32 flags;
	__u64 object;
	__u64 refs;
};

#define MARENA_REFS_ALL _IO(MARENA_TYPE_BYTE, MARENA_CMD_REFS_ALL)
#define MARENA_REFS _IO(MARENA_TYPE_BYTE, MARENA_CMD_REFS)

/* Deaths that an event file holds by default, and at most. */
#define MARENA_EVENTS_DEFAULT	1024
#define MARENA_EVENTS_MAX	65536

/**
 * struct marena_events - MARENA_EVENTS: be told of deaths
 * @size: sizeof(struct marena_events)
 * @flags: must be 0
 * @capacity: in: deaths that may wait to be read; 0 for MARENA_EVENTS_DEFAULT.
 *            Out: how many
 * @fd: out: the event file, O_RDONLY | O_CLOEXEC
 *
 * From here on, whenever the sweep or MARENA_FREE frees an object of a type with
 * MARENA_TYPE_F_EVENTS, a struct marena_death is put into the file's queue,
 * unless that is full. read(2) takes as many whole ones as there are and fit,
 * and waits for the first; with O_NONBLOCK it gives EAGAIN; EINVAL for less
 * than one. poll(2) tells POLLIN. The file keeps the arena.
 *
 * Errors: ENOSPC where the arena has 16 event files, EINVAL, EMFILE, ENOMEM.
 */
struct marena_events {
	__u32 size;
	__u32 flags;
	__u32 capacity;
	__s32 fd;
};

#define MARENA_EVENTS _IO(MARENA_TYPE_BYTE, MARENA_CMD_EVENTS)

/**
 * struct marena_death - what is read from an event file
 * @arena: number of the arena
 * @object: address that the object had; another may be there by now. 0: this
 *          is no death, but tells of @lost alone
 * @cookie: the first 8 bytes of the object
 * @lost: deaths that were dropped before this one, as the queue was full
 * @type: its type id
 * @reserved: 0
 */
struct marena_death {
	__u64 arena;
	__u64 object;
	__u64 cookie;
	__u64 lost;
	__u32 type;
	__u32 reserved;
};

/* The cycle is a minor one, if nobody asks for a major one at that time. */
#define MARENA_VERIFY_MINOR	(1U << 0)

/**
 * struct marena_verify - MARENA_VERIFY: run a cycle and check it
 * @size: sizeof(struct marena_verify)
 * @flags: MARENA_VERIFY_MINOR; out: 0
 * @cycle: out: how many cycles there have been then
 * @objects: out: objects that can be reached, found by other means than the
 *           collector's
 * @pages: out: pages of spans, whose reference counts were compared
 * @unmarked: out: objects that can be reached, and that the cycle did not mark
 * @dangling: out: references to free slots: of roots, of counts, and of typed
 *            fields of objects that can be reached; without counts of what a
 *            stopped thread may be making, and of processes that end
 * @miscounted: out: pages whose reference count or memory is not what the alloc
 *              map says
 * @misaccounted: out: sums of the arena that are not those of its pages and
 *                spans: charged, resident, free pages, spans, leases
 * @first: out: address of the first of these, or 0
 *
 * For debugging: all threads that enter a section wait until the heap has been
 * gone over, and so do stores to pages that were not written since the last
 * cycle. The caller must not be inside a section. Where the program breaks the
 * contract, or writes nonsense to the maps, that is found as well.
 *
 * Needs the right to write. Errors: EBUSY, EINTR, ENOMEM.
 */
struct marena_verify {
	__u32 size;
	__u32 flags;
	__u64 cycle;
	__u64 objects;
	__u64 pages;
	__u64 unmarked;
	__u64 dangling;
	__u64 miscounted;
	__u64 misaccounted;
	__u64 first;
};

#define MARENA_VERIFY _IO(MARENA_TYPE_BYTE, MARENA_CMD_VERIFY)

/**
 * struct marena_slot_op - MARENA_SLOT_ACQUIRE, MARENA_SLOT_RELEASE
 * @size: sizeof(struct marena_slot_op)
 * @flags: must be 0
 * @slot: index of the slot: in for RELEASE; for ACQUIRE, 0 and then out
 * @reserved: must be 0
 * @stack_end: ACQUIRE: where the caller's stack ends, the address behind what was
 *             pushed first; 0: where its mapping ends. RELEASE: must be 0
 *
 * A slot belongs to the thread that acquired it, and is for the sections of that
 * alone: it is the one that is stopped, and whose registers and stack are read,
 * where a cycle does not wait for the section's end. The kernel takes the slot
 * back when the thread has exited. Acquired slots read 0. Errors: ENOSPC where all are
 * taken; EINVAL where @slot is not the caller's.
 */
struct marena_slot_op {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 reserved;
	__u64 stack_end;
};

#define MARENA_SLOT_ACQUIRE _IO(MARENA_TYPE_BYTE, MARENA_CMD_SLOT_ACQUIRE)
#define MARENA_SLOT_RELEASE _IO(MARENA_TYPE_BYTE, MARENA_CMD_SLOT_RELEASE)

/* Do not wait for a cycle where memory is short: the caller is in a section. */
#define MARENA_LEASE_NOWAIT	(1U << 0)
/* The lease of @base and @gate is used up: it ends, if it has not. */
#define MARENA_LEASE_REPLACE	(1U << 1)

/**
 * struct marena_lease - MARENA_LEASE, MARENA_UNLEASE: the right to allocate
 * @size: sizeof(struct marena_lease)
 * @flags: MARENA_LEASE_NOWAIT, MARENA_LEASE_REPLACE
 * @type: type id
 * @gate: out: the lease holds while marena_control.gate has this value, or is
 *        closed from it. May have passed already when the call returns. In,
 *        for UNLEASE and REPLACE: as LEASE gave it
 * @bytes: in: bytes of one object, a multiple of the type's object_size;
 *         1 and more. Out: bytes of a slot
 * @base: out: address of slot 0; in, for UNLEASE and REPLACE: the lease to give
 *        back
 * @nr_slots: out: slots in the span, from @base, @bytes apart. One whose bit
 *            in the alloc map is clear is free and all its bytes are 0
 * @reserved: must be 0
 *
 * Until the gate changes, only the caller's client sets alloc bits in the
 * span, and longer where a thread of it stays in a section (struct marena_slot).
 * To allocate, inside a section in which the gate was seen to be @gate, also
 * by asking for a lease:
 * set the slot's bit in the alloc map and its byte in the reference map to 1.
 *
 * Where a limit is reached, a cycle is run and the lease tried again, up to three
 * times, before it fails. Needs the right to write. Errors: ENOSPC, EDQUOT,
 * ENOMEM, EINTR; for UNLEASE: ENOENT where the caller's client has no such lease,
 * or not any more.
 */
struct marena_lease {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 gate;
	__u64 bytes;
	__u64 base;
	__u32 nr_slots;
	__u32 reserved;
};

#define MARENA_LEASE _IO(MARENA_TYPE_BYTE, MARENA_CMD_LEASE)
#define MARENA_UNLEASE _IO(MARENA_TYPE_BYTE, MARENA_CMD_UNLEASE)

/* What one MARENA_SPILL moves between a map's byte and the kernel. */
#define MARENA_SPILL_UNIT	128

#define MARENA_SPILL_OUT	0	/* from the byte to the kernel */
#define MARENA_SPILL_IN		1	/* from the kernel to the byte */

/**
 * struct marena_spill - MARENA_SPILL: counts that a byte cannot hold
 * @size: sizeof(struct marena_spill)
 * @flags: must be 0
 * @object: address of an object's first byte
 * @op: MARENA_SPILL_OUT: if the byte is at least MARENA_SPILL_UNIT, take so
 *      much from it and add it to what the kernel holds. MARENA_SPILL_IN: if
 *      the byte is below, the reverse
 * @reserved: must be 0
 *
 * The caller is inside a section. Both succeed and do nothing where the byte does
 * not ask for it, or is no longer 0 (another thread was faster). A put that finds
 * 0 in the byte tries SPILL_IN, and looks again. Errors: ENOENT (SPILL_IN) where
 * there is none, neither in the kernel nor in the byte; EINVAL where no object
 * starts at the address.
 */
struct marena_spill {
	__u32 size;
	__u32 flags;
	__u64 object;
	__u32 op;
	__u32 reserved;
};

#define MARENA_SPILL _IO(MARENA_TYPE_BYTE, MARENA_CMD_SPILL)

/**
 * struct marena_wait - MARENA_WAIT: wait until the gate is open
 * @size: sizeof(struct marena_wait)
 * @flags: must be 0
 * @gate: the value that was seen; returns when it is another, or even. It may
 *        have closed again by then
 * @reserved: must be 0
 *
 * Errors: EINTR.
 */
struct marena_wait {
	__u32 size;
	__u32 flags;
	__u32 gate;
	__u32 reserved;
};

#define MARENA_WAIT _IO(MARENA_TYPE_BYTE, MARENA_CMD_WAIT)

/**
 * struct marena_weak_get - MARENA_WEAK_GET: read a weak field while a cycle runs
 * @size: sizeof(struct marena_weak_get)
 * @flags: must be 0
 * @field: address of the field, a multiple of 8
 * @object: out: the object that it refers to, which then stays alive in this
 *          cycle; 0 if it refers to none, or to one that has died or is of a
 *          counted type
 *
 * The caller is inside a section until it has taken a reference. Errors: EINVAL
 * where @field is not in the heap.
 */
struct marena_weak_get {
	__u32 size;
	__u32 flags;
	__u64 field;
	__u64 object;
};

#define MARENA_WEAK_GET _IO(MARENA_TYPE_BYTE, MARENA_CMD_WEAK_GET)

/**
 * struct marena_offer - MARENA_OFFER, MARENA_ACCEPT, MARENA_WITHDRAW: a
 *			 reference that travels
 * @size: sizeof(struct marena_offer)
 * @flags: must be 0
 * @object: address of an object's first byte: in for OFFER, out for ACCEPT; for
 *          WITHDRAW not used
 * @token: out for OFFER: a random number that stands for the offer; in for the
 *         others
 *
 * OFFER takes one more reference to an object that the caller holds. It belongs
 * to the kernel until it is accepted, once, by whichever client of the arena
 * knows the token; or withdrawn, by the client that made it; or goes with that
 * client. ACCEPT adds it to the caller's reference map; the caller is inside a
 * section.
 *
 * Errors: EINVAL where no object starts at @object; ENOSPC where the client has
 * 1024 offers, or (ACCEPT) as for MARENA_SPILL; ENOENT where there is no such
 * offer, or not any more.
 */
struct marena_offer {
	__u32 size;
	__u32 flags;
	__u64 object;
	__u64 token;
};

#define MARENA_OFFER _IO(MARENA_TYPE_BYTE, MARENA_CMD_OFFER)
#define MARENA_ACCEPT _IO(MARENA_TYPE_BYTE, MARENA_CMD_ACCEPT)
#define MARENA_WITHDRAW _IO(MARENA_TYPE_BYTE, MARENA_CMD_WITHDRAW)

/* Objects that one MARENA_FREE may name. */
#define MARENA_FREE_MAX		64

/**
 * struct marena_free - MARENA_FREE: free objects without waiting for a cycle
 * @size: sizeof(struct marena_free)
 * @flags: must be 0
 * @objects: user pointer to the addresses (__u64) of @nr objects
 * @nr: 1 to MARENA_FREE_MAX
 * @freed: out: how many were freed
 *
 * Frees those of the objects that are of a type with MARENA_TYPE_F_COUNTED and to
 * which nobody holds a reference. The others are left as they are, and so are all
 * of them while objects of such types are offered: the next cycle will see to them.
 * Who allocates an object of such a type sets the byte in the reference map
 * first, and then the bit in the alloc map. Needs the right to write.
 */
struct marena_free {
	__u32 size;
	__u32 flags;
	__u64 objects;
	__u32 nr;
	__u32 freed;
};

#define MARENA_FREE _IO(MARENA_TYPE_BYTE, MARENA_CMD_FREE)

#endif /* _UAPI_LINUX_MARENA_H */
