/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_LEASE_H
#define MARENA_LEASE_H

#include <linux/gfp.h>
#include <linux/types.h>

#include <linux/marena.h>

struct marena_arena;
struct marena_client;
struct marena_span;

/*
 * How a lease gets memory for what it needs. Where there is none, nobody is killed
 * for it: a cycle may find some, and marena_lease() runs one. (The kernel's own page
 * tables, for a table that is got by vmalloc, are asked for as always; no memory
 * cgroup is charged for them.)
 */
#define MARENA_GFP_LEASE \
	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

int marena_lease(struct marena_client *client, struct marena_lease *arg);
int marena_unlease(struct marena_client *client,
		   const struct marena_lease *arg);
void marena_span_unlease(struct marena_arena *arena, struct marena_span *span);
void marena_leases_drop(struct marena_client *client);
void marena_leases_keep(struct marena_client *client, u32 gate);
void marena_leases_revoke(struct marena_arena *arena);

#endif /* MARENA_LEASE_H */
