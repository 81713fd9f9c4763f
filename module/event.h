/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_EVENT_H
#define MARENA_EVENT_H

#include <linux/types.h>

struct file;
struct marena_arena;
struct marena_span;

struct file *marena_events_open(struct marena_arena *arena, u32 *capacity);
void marena_events_tell(struct marena_arena *arena,
			const struct marena_span *span, unsigned int word,
			unsigned long dead);

#endif /* MARENA_EVENT_H */
