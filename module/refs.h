/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_REFS_H
#define MARENA_REFS_H

#include "client.h"

struct marena_span;

vm_fault_t marena_refs_fault(struct marena_client *client,
			     unsigned long index, gfp_t gfp, struct page **page);
int marena_refs_count(struct marena_client *client, struct marena_refs *arg);
int marena_refs_count_all(struct marena_arena *arena, struct marena_refs *arg);
bool marena_refs_any(struct marena_client *client, u64 offset);
int marena_refs_take(struct marena_client *client, u64 offset);
int marena_spill(struct marena_client *client, const struct marena_spill *arg);
void marena_refs_visit(struct marena_client *client,
		       void (*visit)(void *ctx, u64 offset), void *ctx);
void marena_refs_keep(struct marena_client *client,
		      const struct marena_span *span);
void marena_refs_age(struct marena_client *client);
void marena_refs_look(struct marena_client *client,
		      void (*visit)(void *ctx, u64 offset), void *ctx);
void marena_spills_visit(struct marena_client *client,
			 void (*visit)(void *ctx, u64 offset), void *ctx);
vm_fault_t marena_refs_mkwrite(struct marena_client *client,
			       unsigned long index, struct page *page);
unsigned long marena_refs_protect_run(struct marena_client *client,
				      unsigned long *index);
void marena_refs_cut(struct marena_client *client);
void marena_refs_uncut(struct marena_client *client);
void marena_refs_trim(struct marena_client *client);
void marena_refs_detach(struct marena_client *client);
void marena_refs_drop(struct marena_client *client);

#endif /* MARENA_REFS_H */
