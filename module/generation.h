/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_GENERATION_H
#define MARENA_GENERATION_H

#include <linux/types.h>

struct marena_arena;
struct marena_marker;
struct marena_region;
struct marena_settled;
struct marena_span;
struct marena_type;

/* Cycles that an object may have to survive until it is old. */
#define MARENA_MAX_SURVIVALS	3

void marena_generation_init(struct marena_arena *arena);
void marena_generation_set(struct marena_arena *arena, u32 survivals);
bool marena_generation_is_changing(const struct marena_arena *arena);
void marena_generation_prepare(struct marena_arena *arena);
void marena_generation_visit(struct marena_marker *marker);
void marena_permanent_visit(struct marena_marker *marker);
void marena_young_spans(struct marena_arena *arena,
			bool (*wanted)(const struct marena_type *type),
			void (*visit)(void *ctx,
				      const struct marena_span *span),
			void *ctx);
void marena_remembered_visit(struct marena_arena *arena,
			     bool (*visit)(void *ctx, u64 page), void *ctx);
void marena_generation_end(struct marena_arena *arena,
			   struct marena_settled *done);
void marena_generation_give_up(struct marena_arena *arena,
			       struct marena_settled *done);

void marena_remember(struct marena_region *region, const unsigned long *pages);
void marena_span_set_young(struct marena_arena *arena,
			   struct marena_span *span);
void marena_slot_forget(struct marena_arena *arena, struct marena_span *span,
			u64 offset);
void marena_span_forget_free(struct marena_arena *arena,
			     struct marena_span *span);
void marena_span_forget_dead(struct marena_arena *arena,
			     struct marena_span *span);

#endif /* MARENA_GENERATION_H */
