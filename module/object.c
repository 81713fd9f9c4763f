// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an address stands for, and how a caller gets one.
 */
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "region.h"
#include "span.h"

/* More often than that, a page is not taken away just after a fault. */
#define MARENA_TELL_TRIES	100

/*
 * Does an object start at @offset, as far as user space says? Spans stay, as
 * the caller holds arena->lock, or marking goes on.
 */
bool marena_object_starts(struct marena_arena *arena, u64 offset)
{
	const struct marena_span *span;

	return offset < arena->size &&
	       marena_slot_start(arena, offset, &span) == offset &&
	       marena_alloc_test(arena, offset);
}

/*
 * Call @visit for each slot that has bytes on the page, with which of its bytes
 * those are. Spans stay.
 */
void marena_slots_visit(struct marena_arena *arena, u64 page,
			void (*visit)(void *ctx, const struct marena_span *span,
				      u64 start, u64 from, u64 to),
			void *ctx)
{
	u64 begin = page << MARENA_PAGE_SHIFT, end = begin + MARENA_PAGE_SIZE;
	const struct marena_span *span;
	u64 start = marena_slot_start(arena, begin, &span);

	while (start < end) {
		visit(ctx, span, start, begin > start ? begin - start : 0,
		      min(end - start, span->slot_size));
		start = marena_slot_start(arena, start + span->slot_size,
					  &span);
	}
}

/* The type of the object at an address that user space gave, or NULL. */
const struct marena_type *marena_object_type(struct marena_arena *arena,
					     u64 address)
{
	const struct marena_type *type = NULL;
	u64 offset = address - arena->base;

	if (offset >= arena->size)
		return NULL;
	offset = array_index_nospec(offset, arena->size);
	mutex_lock(&arena->lock);
	if (marena_object_starts(arena, offset))
		type = marena_span_at(arena, offset)->type;
	mutex_unlock(&arena->lock);
	return type;
}

/*
 * Write an address to the caller's memory. Whoever lets go of what leads to the
 * object, or takes the snapshot, waits for a lock that is held here: so at each
 * moment it can be found there, or in the caller's memory. -EFAULT: this is not
 * there just now.
 */
int marena_address_tell(u64 __user *to, u64 address)
{
	int err;

	pagefault_disable();
	err = put_user(address, to);
	pagefault_enable();
	return err;
}

/*
 * It could not be told: see that the memory is there. May it be tried again? There
 * is memory to which nobody can write, although the fault succeeds (shadow stacks).
 */
bool marena_address_retry(u64 __user *to, int err, unsigned int *tries)
{
	return err == -EFAULT && ++*tries < MARENA_TELL_TRIES &&
	       !fault_in_safe_writeable((void __user *)to, sizeof(*to));
}
