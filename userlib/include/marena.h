/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * libmarena: garbage-collected shared memory, on /dev/marena.
 *
 * The contract with the code that uses it:
 *
 *  1. A pointer that was loaded from the heap or from a root is good only
 *     inside the section (marena_enter() to marena_leave()) in which it was
 *     loaded, or while a reference to it is held.
 *  2. marena_get() on such a pointer happens inside that section.
 *  3. A pointer goes to another thread or process only while it is held or
 *     stored in the heap.
 *  4. A pointer that is held, or that was loaded in the current section, is
 *     stored into the heap with a plain assignment.
 *  5. A weak field is a struct marena_weak, and is read and written by
 *     marena_weak_get() and marena_weak_set() alone.
 *  6. A pointer that was loaded in a section and is not held is kept, as it is or
 *     as one into the object (not to its end, where the next may begin), in local
 *     variables of the thread alone: not in static or malloc()ed memory, nor in
 *     a coroutine that does not run, or is interrupted by a signal that is
 *     handled on another stack.
 *
 * A section may be long, and its thread may sleep. When a cycle is to begin, a
 * thread that stays in one is stopped for a moment, and what its registers and
 * its stack refer to is kept.
 *
 * Names, of arenas, types and roots, have 1 to 63 bytes, no '/' and no control
 * characters, and are neither "." nor "..".
 *
 * Functions that return int return 0 (or a value that is not negative) or a
 * negative errno. Functions that return a pointer return NULL and set errno.
 * Every function may be called by any thread at any time, except that no other
 * thread may use a handle while it is being closed. None may be called from a
 * signal handler. The errors that every function may give are
 *
 *  ESTALE   the handle was inherited over fork(): open the arena afresh
 *  ENOSPC   the arena has no thread slot left for a thread that is new to it
 *  ENOMEM   no memory
 *
 * and marena_strerror() has words for all of them.
 */
#ifndef _MARENA_H
#define _MARENA_H

#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* In C++, a function may have the name of a structure, but -Wshadow tells. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"

/*
 * A process's handle of an arena. It comes from marena_create(),
 * marena_open() or marena_from_fd() and goes with marena_close(). Each handle
 * counts its own references.
 */
struct marena;

/* struct marena_options, flags: the name stays until marena_unlink(). */
#define MARENA_PERSIST		(1U << 0)

/* struct marena_options, gc_percent: start no cycle because of growth. */
#define MARENA_GC_OFF		(~0U)

/**
 * struct marena_options - how marena_create() makes an arena
 * @size: sizeof(struct marena_options)
 * @flags: MARENA_PERSIST (only with a name), or 0
 * @mode: permission bits, less the umask; 0 for 0600
 * @mem_limit: bytes of memory that the heap may hold; 0 for no limit other
 *             than its size
 * @gc_percent: start a cycle when the memory in use has grown by so many per
 *              cent; 0 for the default of 100; MARENA_GC_OFF for never
 * @reserved: 0
 * @snapshot_limit: bytes of memory that copies of pages may take while the
 *                  collector marks, 0 for the default, a quarter of the memory
 *                  in use and at least 16 MiB, less in cycles that run for
 *                  want of memory
 *
 * Begin with MARENA_OPTIONS_INIT: the structure may grow, and 0 is the default
 * of every field but @size.
 */
struct marena_options {
	size_t size;
	unsigned int flags;
	mode_t mode;
	uint64_t mem_limit;
	unsigned int gc_percent;
	unsigned int reserved;
	uint64_t snapshot_limit;
};

#define MARENA_OPTIONS_INIT	\
	{ sizeof(struct marena_options), 0, 0600, 0, 0, 0, 0 }

/**
 * marena_create() - make an arena and open it
 * @name: a name in the caller's IPC namespace; NULL for an anonymous arena
 * @size: bytes of address space; rounded up to 2 MiB
 * @options: NULL for the defaults
 *
 * The arena lives while a handle, a file or a mapping of it is open anywhere,
 * or, with MARENA_PERSIST, until it is unlinked. Where such an arena was made, but
 * cannot be used, its name is unlinked again; by then it may be that of another
 * arena, if somebody has changed that meanwhile.
 *
 * Return: a handle that the caller closes with marena_close(), or NULL. errno:
 * ENODEV there is no /dev/marena (the module is not loaded); EACCES; EEXIST
 * the name is taken; EINVAL a size, name or option is out of range; E2BIG an
 * option that this library does not know; EDQUOT, ENOSPC, ENOMEM, EMFILE;
 * EADDRINUSE something of this process is in the arena's address range.
 */
struct marena *marena_create(const char *name, size_t size,
			     const struct marena_options *options);

/* marena_open(): the heap can be read, not written. */
#define MARENA_RDONLY		(1U << 0)

/**
 * marena_open() - open an arena by name
 * @name: its name
 * @flags: MARENA_RDONLY, or 0
 *
 * In a handle that may only read, marena_new() and its kin, marena_type(),
 * marena_set_root() and marena_collect() give EACCES, and a store into the heap
 * is a SIGSEGV; references are counted as in any other. But all handles of a
 * process share one mapping: where it has the arena open for writing when this
 * handle is opened, stores are not caught.
 *
 * Return: a handle that the caller closes with marena_close(), or NULL. errno:
 * ENODEV, ENOENT no such name, EACCES, EINVAL, EMFILE, ENOSPC the arena has too
 * many clients; EADDRINUSE something of this process is in the arena's address
 * range, or the process has the arena open with MARENA_RDONLY and now asks for
 * more.
 */
struct marena *marena_open(const char *name, unsigned int flags);

/**
 * marena_from_fd() - open an arena by its file
 * @fd: an arena's file, as marena_fd() gives it: inherited, or received over
 *      a Unix socket. The handle takes a duplicate; @fd stays the caller's
 *
 * Return: a handle with the rights of the file, that the caller closes with
 * marena_close(), or NULL. errno: EBADF; ENOTTY the file is not an arena's;
 * EMFILE, ENOSPC, EADDRINUSE as for marena_open().
 */
struct marena *marena_from_fd(int fd);

/**
 * marena_fd() - the arena's file
 * @a: a handle
 *
 * It can be sent to another process or left to a child (ask for it before
 * fork()): it carries the right to the arena that the handle has. It belongs
 * to the handle, which closes it, and it closes on exec.
 *
 * Return: the file descriptor, or -ESTALE.
 */
int marena_fd(struct marena *a);

/**
 * marena_close() - close a handle
 * @a: a handle, also one that was inherited over fork(); NULL does nothing
 *
 * The references that the handle counted are gone, and the arena's address
 * range is unmapped with the last handle of it in the process. No other thread
 * may be using the handle.
 *
 * Return: 0.
 */
int marena_close(struct marena *a);

/**
 * marena_unlink() - remove an arena's name
 * @name: its name
 *
 * The arena lives on while a handle, a file or a mapping of it is open.
 *
 * Return: 0, or -ENODEV, -ENOENT no such name, -EACCES the caller does not own
 * it, -EINVAL.
 */
int marena_unlink(const char *name);

/**
 * marena_base() - where an arena is
 * @a: a handle
 *
 * Return: the address of its first byte, the same in every process; or NULL
 * with errno ESTALE.
 */
void *marena_base(struct marena *a);

/**
 * marena_size() - how large an arena is
 * @a: a handle
 *
 * Return: its size in bytes, a multiple of 2 MiB; or 0 with errno ESTALE.
 */
size_t marena_size(struct marena *a);

/* Types that every arena has: elements of a byte, and words of 8 bytes. */
#define MARENA_TYPE_OPAQUE		0	/* no references in it */
#define MARENA_TYPE_CONSERVATIVE	1	/* every word may be one */

/* struct marena_type, flags: any aligned word of it may be a reference. */
#define MARENA_TYPE_F_CONSERVATIVE	(1U << 0)
/* struct marena_type, flags: objects, and what they refer to, are never freed. */
#define MARENA_TYPE_F_PERMANENT		(1U << 3)

/* struct marena_type, flags: deaths of its objects are events. */
#define MARENA_TYPE_F_EVENTS		(1U << 1)

/*
 * struct marena_type, flags: references that are held keep its objects alive, and
 * nothing else. They have no reference fields, are not roots, are not referred to
 * by fields of other objects, weak ones neither, and go to another handle, also one
 * of the same process, by marena_ref_transfer() alone. marena_free() frees them
 * without a cycle.
 */
#define MARENA_TYPE_F_COUNTED		(1U << 2)

/* struct marena_type, refs: added to the offset of a weak field. */
#define MARENA_REF_WEAK			(1U << 0)

/**
 * struct marena_weak - a weak field: a reference that keeps nothing alive
 * @target: an object, or NULL, which it becomes in the cycle that finds the
 *          object dead. Leave it to marena_weak_get() and marena_weak_set()
 *
 * Objects are made with NULL in it.
 */
struct marena_weak {
	void *target;
};

/**
 * struct marena_type - where the references of a kind of object are
 * @name: its name in the arena
 * @size: bytes of an object, or of an element of an array of them. If it has
 *        references, a multiple of 8
 * @nrefs: number of reference fields, 0 to 4096
 * @refs: their offsets in bytes, ascending, each a multiple of 8, plus
 *        MARENA_REF_WEAK where the field is weak; only read during the call
 * @flags: MARENA_TYPE_F_CONSERVATIVE (then @nrefs is ignored),
 *         MARENA_TYPE_F_EVENTS, MARENA_TYPE_F_COUNTED (then @nrefs is 0),
 *         MARENA_TYPE_F_PERMANENT, or 0
 */
struct marena_type {
	const char *name;
	size_t size;
	uint32_t nrefs;
	const uint32_t *refs;
	uint32_t flags;
};

/**
 * marena_type() - register a type
 * @a: a handle
 * @type: its description
 *
 * The same description has the same id in every process. Every handle
 * registers the types that it allocates: an id that it was merely told is
 * EINVAL to marena_new().
 *
 * Return: the type's id, or -EINVAL the description is malformed, -EEXIST the
 * name has another layout, -ENOSPC too many types, -EACCES, -ESTALE, -ENOMEM.
 */
int marena_type(struct marena *a, const struct marena_type *type);

#define MARENA_TYPE_FIELDS	16

/**
 * struct marena_fields - the fields that MARENA_TYPE() names
 * @nr: number of them
 * @offsets: where they are, in bytes, in any order; plus MARENA_REF_WEAK where
 *           they are weak
 */
struct marena_fields {
	uint32_t nr;
	uint32_t offsets[MARENA_TYPE_FIELDS];
};

/**
 * marena_type_fields() - register a type; what MARENA_TYPE() calls
 * @a: a handle
 * @name: the type's name
 * @size: bytes of an object
 * @fields: its reference fields, in any order
 *
 * Return: as marena_type().
 */
int marena_type_fields(struct marena *a, const char *name, size_t size,
		       const struct marena_fields *fields);

static inline struct marena_fields marena_field_(struct marena_fields fields,
						 size_t offset)
{
	/* A seventeenth field has no macro, so there is always room. */
	fields.offsets[fields.nr++] = (uint32_t)offset;
	return fields;
}

static inline struct marena_fields marena_no_field_(void)
{
	struct marena_fields fields = { 0, { 0 } };

	return fields;
}

static inline int marena_type_of_(struct marena *a, const char *name,
				  size_t size, struct marena_fields fields)
{
	return marena_type_fields(a, name, size, &fields);
}

#ifdef __cplusplus
#define MARENA_SAME_(type1, type2) __is_same(type1, type2)
#else
#define MARENA_SAME_(type1, type2) __builtin_types_compatible_p(type1, type2)
#endif

/* What is added to the offset of a field of that type. */
#define MARENA_KIND_(type)						\
	(MARENA_SAME_(type, struct marena_weak) ? MARENA_REF_WEAK : 0)

/* Adds field f of type T to s. Does not compile if f is not of pointer size. */
#define MARENA_ADD_(s, T, f)						\
	marena_field_(s, offsetof(T, f) +				\
		      MARENA_KIND_(__typeof__(((T *)0)->f)) +		\
		      0 * sizeof(char[sizeof(((T *)0)->f) ==		\
				      sizeof(void *) ? 1 : -1]))

/* Adds so many fields of type T to s, one after the other. */
#define MARENA_ADD_0_(s, T) (s)
#define MARENA_ADD_1_(s, T, f) MARENA_ADD_(s, T, f)
#define MARENA_ADD_2_(s, T, f, ...)					\
	MARENA_ADD_1_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_3_(s, T, f, ...)					\
	MARENA_ADD_2_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_4_(s, T, f, ...)					\
	MARENA_ADD_3_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_5_(s, T, f, ...)					\
	MARENA_ADD_4_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_6_(s, T, f, ...)					\
	MARENA_ADD_5_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_7_(s, T, f, ...)					\
	MARENA_ADD_6_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_8_(s, T, f, ...)					\
	MARENA_ADD_7_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_9_(s, T, f, ...)					\
	MARENA_ADD_8_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_10_(s, T, f, ...)					\
	MARENA_ADD_9_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_11_(s, T, f, ...)					\
	MARENA_ADD_10_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_12_(s, T, f, ...)					\
	MARENA_ADD_11_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_13_(s, T, f, ...)					\
	MARENA_ADD_12_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_14_(s, T, f, ...)					\
	MARENA_ADD_13_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_15_(s, T, f, ...)					\
	MARENA_ADD_14_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)
#define MARENA_ADD_16_(s, T, f, ...)					\
	MARENA_ADD_15_(MARENA_ADD_(s, T, f), T, __VA_ARGS__)

/* The macro for the number of arguments, which are a type and its fields. */
#define MARENA_PICK_(T, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, \
		     f13, f14, f15, f16, add, ...) add
#define MARENA_ADD_ALL_(...)						\
	(MARENA_PICK_(__VA_ARGS__, MARENA_ADD_16_, MARENA_ADD_15_,	\
		      MARENA_ADD_14_, MARENA_ADD_13_, MARENA_ADD_12_,	\
		      MARENA_ADD_11_, MARENA_ADD_10_, MARENA_ADD_9_,	\
		      MARENA_ADD_8_, MARENA_ADD_7_, MARENA_ADD_6_,	\
		      MARENA_ADD_5_, MARENA_ADD_4_, MARENA_ADD_3_,	\
		      MARENA_ADD_2_, MARENA_ADD_1_, MARENA_ADD_0_, 0)	\
		     (marena_no_field_(), __VA_ARGS__))
#define MARENA_NAME_(T, ...) (#T)
#define MARENA_SIZE_(T, ...) sizeof(T)

/**
 * MARENA_TYPE() - register a C type
 * @a: a handle
 * @...: the type, then the names of its 0 to 16 fields that are references,
 *       in any order: MARENA_TYPE(a, struct node, left, right). An element of
 *       an array is named as in child[0]. Those that are a struct marena_weak
 *       are weak, the others keep alive what they point to
 *
 * The type's name in the arena is the C type as it is written.
 *
 * Return: as marena_type().
 */
#define MARENA_TYPE(a, ...)						\
	marena_type_of_(a, MARENA_NAME_(__VA_ARGS__, 0),		\
			MARENA_SIZE_(__VA_ARGS__, 0),			\
			MARENA_ADD_ALL_(__VA_ARGS__))

/**
 * marena_new() - make an object
 * @a: a handle
 * @type: a type's id, as marena_type() gave it to this handle
 *
 * The object is zeroed, on a boundary of 16 bytes, and has reference count 1,
 * held by the caller, who drops it with marena_put(). Outside a section a
 * cycle is run before an allocation fails for want of memory; inside one that
 * is impossible, so an allocation may fail sooner there.
 *
 * Return: the object, or NULL. errno: EINVAL no such type; ENOSPC, EDQUOT,
 * ENOMEM a limit or the memory is used up; EACCES, ESTALE.
 */
void *marena_new(struct marena *a, int type);

/**
 * marena_new_array() - make an array, as one object
 * @a: a handle
 * @type: a type's id
 * @n: number of elements, 1 and more
 *
 * Return: as marena_new(); errno is EINVAL also where @n is 0 or @n elements
 * have more bytes than a size_t can tell.
 */
void *marena_new_array(struct marena *a, int type, size_t n);

/**
 * marena_alloc() - make an object without references in it
 * @a: a handle
 * @size: bytes, 1 and more
 *
 * Return: as marena_new().
 */
void *marena_alloc(struct marena *a, size_t size);

/**
 * marena_get() - take a reference
 * @a: a handle
 * @p: an object. It is held already, or was loaded in the current section
 *
 * Return: 0, or -EINVAL @p is not in the arena or not on a boundary of 16
 * bytes (that an object begins there is not checked), -ESTALE, -ENOSPC,
 * -ENOMEM.
 */
int marena_get(struct marena *a, const void *p);

/**
 * marena_put() - drop a reference
 * @a: a handle
 * @p: an object to which this handle holds a reference; NULL does nothing
 *
 * Return: 0, or -EINVAL the handle holds none, or as marena_get().
 */
int marena_put(struct marena *a, const void *p);

/**
 * marena_free() - drop a reference, and free the object if it was the last
 * @a: a handle
 * @p: an object to which this handle holds a reference; NULL: free now what this
 *     thread has dropped
 *
 * Objects of a type with MARENA_TYPE_F_COUNTED that nobody holds any more are freed
 * without waiting for a cycle: 64 together, as each thread drops them, or those that
 * there are when it drops a large one (more than 32 KiB), has used up its room for
 * new ones of a type, exits, or closes the handle. Where that cannot be, as through
 * a handle that may only read, and for objects of other types, it is marena_put(): a
 * cycle will do.
 *
 * Return: as marena_put(); with NULL also -EACCES the handle may only read.
 */
int marena_free(struct marena *a, const void *p);

/**
 * marena_refs() - references to an object, of this handle
 * @a: a handle
 * @p: an object
 *
 * Return: their number; 0 with errno set where that is an error: EINVAL where
 * no object starts at @p, ESTALE. errno is left as it was otherwise.
 */
unsigned long marena_refs(struct marena *a, const void *p);

/**
 * marena_refs_all() - references to an object, of all clients of the arena
 * @a: a handle
 * @p: an object
 *
 * Return: as marena_refs(). Other threads may be changing it meanwhile.
 */
unsigned long marena_refs_all(struct marena *a, const void *p);

/**
 * marena_ref_transfer() - hand a reference over to another handle
 * @a: a handle
 * @p: an object to which this handle holds a reference
 * @token: where to put a number, to be sent to who is to have it
 *
 * The other handle may be one of another process, or of this. The reference leaves
 * the handle and travels with the kernel, until it is accepted, by any handle of the
 * arena that has the token, or withdrawn. If this process dies or closes the handle
 * before, it is gone, and so is the offer.
 *
 * Return: 0, or -EINVAL no object starts at @p or the handle holds no
 * reference, -ENOSPC 1024 references of this handle travel already, -ESTALE,
 * -ENOMEM.
 */
int marena_ref_transfer(struct marena *a, const void *p, uint64_t *token);

/**
 * marena_ref_accept() - take over a reference from another handle
 * @a: a handle
 * @token: as marena_ref_transfer() gave it, here or elsewhere
 *
 * Return: the object, with the reference, that the caller drops with
 * marena_put(); or NULL. errno: ENOENT it has been accepted or withdrawn, or
 * who sent it has died; ESTALE, ENOSPC, ENOMEM.
 */
void *marena_ref_accept(struct marena *a, uint64_t token);

/**
 * marena_ref_withdraw() - drop a reference that travels
 * @a: the handle that gave it to marena_ref_transfer()
 * @token: as it was given by that
 *
 * To have it back instead, accept it.
 *
 * Return: 0, or -ENOENT it has been accepted already, or was never this
 * handle's; -ESTALE.
 */
int marena_ref_withdraw(struct marena *a, uint64_t token);

/**
 * marena_weak_set() - let a weak field refer to an object
 * @a: a handle
 * @field: a weak field of an object that is held, or was loaded in the current
 *         section
 * @p: an object that is held, of a type without MARENA_TYPE_F_COUNTED; NULL clears
 *     the field
 *
 * One store of 8 bytes: other threads and processes may read and write the
 * field meanwhile. What the object's type is, is not checked: a field that refers to
 * a counted one may be read when that has been freed, and is cleared by the next
 * cycle.
 *
 * Return: 0, or -EINVAL @p is not in the arena or not on a boundary of 16
 * bytes, -ESTALE.
 */
int marena_weak_set(struct marena *a, struct marena_weak *field,
		    const void *p);

/**
 * marena_weak_get() - the object that a weak field refers to
 * @a: a handle
 * @field: as for marena_weak_set()
 *
 * Once this has given NULL for an object that died, no field gives it.
 *
 * Return: the object, with a reference taken that the caller drops with
 * marena_put(); or NULL. errno: ENOENT the field refers to no object, or it has
 * died; EINVAL, ESTALE, ENOSPC, ENOMEM.
 */
void *marena_weak_get(struct marena *a, const struct marena_weak *field);

/**
 * marena_enter() - begin a section
 * @a: a handle
 *
 * Sections nest. They are the thread's own, and are meant to be short: threads that
 * enter one wait a moment when a cycle begins, and longer while another stays in
 * its section, until that is stopped.
 *
 * Return: 0, or -ESTALE, -ENOSPC, -ENOMEM; then there is no section to leave.
 */
int marena_enter(struct marena *a);

/**
 * marena_leave() - end a section
 * @a: a handle
 *
 * Return: 0, or -EINVAL the thread is not in a section, -ESTALE.
 */
int marena_leave(struct marena *a);

/**
 * marena_set_root() - give an object a name, which keeps it alive
 * @a: a handle
 * @name: a name in the arena
 * @p: an object that the caller holds, which replaces the one that had the
 *     name; NULL removes the name
 *
 * Return: 0, or -EINVAL no object starts at @p, -ENOENT there was no name to
 * remove, -ENOSPC the arena has too many roots, -EACCES, -ESTALE, -ENOMEM.
 */
int marena_set_root(struct marena *a, const char *name, const void *p);

/**
 * marena_root() - the object of that name
 * @a: a handle
 * @name: name of a root
 *
 * Return: the object, with a reference taken that the caller drops with
 * marena_put(); or NULL. errno: ENOENT there is no such root, EINVAL, ESTALE.
 */
void *marena_root(struct marena *a, const char *name);

/* marena_collect(): ask for a cycle, do not wait for it. */
#define MARENA_NOWAIT		(1U << 0)
/*
 * marena_collect(): a minor cycle will do: it looks at young objects, and takes
 * old ones, which have survived some cycles, for live.
 */
#define MARENA_MINOR		(1U << 1)

/**
 * marena_collect() - run a cycle
 * @a: a handle
 * @flags: MARENA_NOWAIT, MARENA_MINOR, or 0
 *
 * Return: 0 when a cycle that began after the call is over (with MARENA_NOWAIT,
 * at once); or -EDEADLK the caller would wait for itself, as it is in a section
 * of the arena, -EBUSY a thread in a section could not be read and the cycle was
 * given up, -EINVAL, -EACCES, -ESTALE.
 */
int marena_collect(struct marena *a, unsigned int flags);

/**
 * struct marena_event - the death of an object
 * @arena: number of the arena
 * @object: address that the object had; another may be there by now. NULL: this
 *          is no death, but tells of @lost alone
 * @cookie: the first 8 bytes of the object
 * @lost: deaths that were dropped before this one, because nobody read
 * @type: its type's id
 * @reserved: 0
 */
struct marena_event {
	__u64 arena;
	void *object;
	__u64 cookie;
	__u64 lost;
	__u32 type;
	__u32 reserved;
};

/**
 * marena_events() - be told of deaths
 * @a: a handle
 * @capacity: events that may wait to be read, up to 65536; 0 for 1024. What
 *            comes when so many wait is dropped, and counted
 *
 * From here on, each object of a type with MARENA_TYPE_F_EVENTS that a cycle
 * finds dead is an event, whoever made it, and whoever it was that died. Every
 * file has all events. read(2) gives as many whole struct marena_event as there
 * are and fit, and waits for the first, or gives EAGAIN where O_NONBLOCK is set
 * with fcntl(2); poll(2) tells POLLIN.
 *
 * Return: a file descriptor that is closed on exec, and that the caller closes;
 * or -EINVAL, -ENOSPC the arena has too many such files, -EMFILE, -ENOMEM,
 * -ESTALE.
 */
int marena_events(struct marena *a, unsigned int capacity);

/**
 * struct marena_findings - what a cycle that was verified found
 * @cycle: how many cycles there have been then
 * @objects: objects that can be reached, counted beside the collector
 * @pages: pages whose reference counts were compared
 * @unmarked: objects that can be reached, and that the cycle took for dead
 * @dangling: references to free memory: of roots, of counts, and of typed fields
 *            of objects that can be reached
 * @miscounted: pages whose reference count or memory is not what is on them
 * @misaccounted: figures of the arena that are not the sums of its pages
 * @first: the address of the first of these, or 0
 *
 * The structure may grow at its end.
 */
struct marena_findings {
	__u64 cycle;
	__u64 objects;
	__u64 pages;
	__u64 unmarked;
	__u64 dangling;
	__u64 miscounted;
	__u64 misaccounted;
	__u64 first;
};

/**
 * marena_verify_sized() - run a cycle and check it; what marena_verify() calls
 * @a: a handle
 * @flags: MARENA_MINOR, or 0
 * @findings: where to put what was found
 * @size: bytes of @findings. What the library or the module does not know is 0
 *
 * Return: as marena_verify().
 */
int marena_verify_sized(struct marena *a, unsigned int flags,
			struct marena_findings *findings, size_t size);

/**
 * marena_verify() - run a cycle and check it
 * @a: a handle
 * @flags: MARENA_MINOR, or 0
 * @findings: where to put what was found
 *
 * For debugging: all threads wait at their next section until the heap has been
 * gone over. A program that breaks the rules of marena_put() or of sections has
 * dangling references as well.
 *
 * Return: 0, whatever was found; or as marena_collect(), or -ENOMEM.
 */
static inline int marena_verify(struct marena *a, unsigned int flags,
				struct marena_findings *findings)
{
	return marena_verify_sized(a, flags, findings, sizeof(*findings));
}

/**
 * struct marena_stats - figures of an arena
 * @objects_live: objects that the last cycle found live
 * @bytes_live: bytes of memory that those take, rounded up to size classes
 * @objects_freed: objects that cycles have freed, in all
 * @pages_resident: pages of 4 KiB of the heap that have memory now
 * @pages_charged: pages that count against the limits now
 * @pages_limit: what @pages_charged may reach
 * @pages_reclaimed: pages that cycles have given back, in all
 * @pages_metadata: pages of memory that the tables beside the heap take
 * @cycles: cycles completed
 * @cycles_failed: cycles given up, as a thread in a section could not be read
 * @rendezvous_retries: rendezvous that were tried again
 * @pause_last_ns: how long threads were kept out of sections in the last cycle
 * @pause_max_ns: the longest such time of a completed cycle
 * @mark_last_ns: time spent marking in the last cycle
 * @sweep_last_ns: time spent sweeping in the last cycle
 * @spans: spans that exist now
 * @leases: spans that are leased now
 * @clients: clients (handles of all processes) now
 * @types: types registered, with the built-in ones
 * @roots: named roots
 * @mark_overflows: how often the mark stack overflowed in the last cycle
 * @phase: where the cycle is now: 0 idle, 1 prepare, 2 rendezvous, 3 mark,
 *         4 sweep; 5 between 3 and 4: weak fields are cleared
 * @pages_copied: pages that were copied in the last cycle, as they were written
 *                while the collector marked
 * @pages_shaded: pages that were shaded in the last cycle, for want of a copy:
 *                all that their objects referred to was kept until the next
 * @cycles_minor: how many of @cycles were minor ones
 * @objects_marked: objects that the last cycle marked; a minor one finds the old
 *                  ones marked, and adds those that it finds live
 * @objects_old: objects that are old: minor cycles do not look at them
 * @pages_goal: what @pages_charged is meant not to exceed, as cycles are timed
 * @pages_trigger: value of @pages_charged that starts the next cycle
 * @last_reason: why the last cycle began: 0 there was none, 1 it was asked for,
 *               2 growth (gc_percent), 3 a limit, 4 none had begun for so long,
 *               5 the system is short of memory
 * @assists: allocations that were delayed, as the program outran the collector
 * @assists_ns: how long, in all
 * @threads_stopped: threads that were stopped inside sections in the last cycle
 *
 * The structure may grow at its end. Times are in nanoseconds.
 */
struct marena_stats {
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

/**
 * marena_stats_sized() - figures of an arena; what marena_stats() calls
 * @a: a handle
 * @stats: where to put them
 * @size: bytes of @stats. What the library or the module does not know is 0
 *
 * Return: as marena_stats().
 */
int marena_stats_sized(struct marena *a, struct marena_stats *stats,
		       size_t size);

/**
 * marena_stats() - figures of an arena
 * @a: a handle
 * @stats: where to put them
 *
 * @objects_live and @bytes_live are exact as of the end of the last cycle.
 *
 * Return: 0 or -ESTALE.
 */
static inline int marena_stats(struct marena *a, struct marena_stats *stats)
{
	return marena_stats_sized(a, stats, sizeof(*stats));
}

/* marena_settings(): the fields of struct marena_settings to be set. */
#define MARENA_SET_GC_PERCENT		(1ULL << 0)
#define MARENA_SET_MEMORY_LIMIT		(1ULL << 1)
#define MARENA_SET_SNAPSHOT_LIMIT	(1ULL << 2)
#define MARENA_SET_MIN_INTERVAL		(1ULL << 3)
#define MARENA_SET_PERIOD		(1ULL << 4)
#define MARENA_SET_SURVIVALS		(1ULL << 5)

/**
 * struct marena_settings - when cycles begin by themselves
 * @memory_limit: bytes that the memory in use, with the tables beside it, is
 *                meant not to exceed: near it, cycles begin more often, but take
 *                no more than half of the time. Nothing fails beyond it, unlike
 *                mem_limit of struct marena_options. 0: none, the default
 * @snapshot_limit: as in struct marena_options; from the next cycle on
 * @gc_percent: as in struct marena_options. With MARENA_GC_OFF, @memory_limit
 *              still starts cycles, and @period_ms does not
 * @min_interval_ms: milliseconds between the end of a cycle and the begin of one
 *                   that nobody asked for; 1 by default
 * @period_ms: milliseconds after which a cycle begins if none has; 0: never;
 *             120000 by default
 * @survivals: cycles that an object survives until it is old, 1 to 3; 0: 2, the
 *             default. From the end of the next cycle on, which is a major one, and
 *             after which all that it has found live is old
 *
 * The structure may grow at its end.
 */
struct marena_settings {
	__u64 memory_limit;
	__u64 snapshot_limit;
	__u32 gc_percent;
	__u32 min_interval_ms;
	__u32 period_ms;
	__u32 survivals;
};

/**
 * marena_settings_sized() - set and get; what marena_settings() calls
 * @a: a handle
 * @mask: MARENA_SET_*
 * @settings: what to set, and then what is set
 * @size: bytes of @settings. What the library or the module does not know is 0
 *
 * Return: as marena_settings().
 */
int marena_settings_sized(struct marena *a, uint64_t mask,
			  struct marena_settings *settings, size_t size);

/**
 * marena_settings() - set when an arena's cycles begin, and get what is set
 * @a: a handle
 * @mask: MARENA_SET_* of the fields of @settings that are to be set; 0 to get
 * @settings: what to set; all fields come back as they are then
 *
 * What is set holds at once, for everybody, as long as the arena lives.
 *
 * Return: 0 or a negative errno: -EACCES the handle may not write, and @mask is
 * not 0; -EINVAL @mask has a bit that the module does not know; -ESTALE.
 */
static inline int marena_settings(struct marena *a, uint64_t mask,
				  struct marena_settings *settings)
{
	return marena_settings_sized(a, mask, settings, sizeof(*settings));
}

/**
 * marena_strerror() - an errno in this library's words
 * @error: an errno, or the negative of one
 *
 * Return: a string that is never freed or changed.
 */
const char *marena_strerror(int error);

#pragma GCC diagnostic pop
#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* _MARENA_H */
