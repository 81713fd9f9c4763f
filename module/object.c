// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an address stands for.
 */
#include <linux/nospec.h>

#include "arena.h"
#include "region.h"
#include "span.h"

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
