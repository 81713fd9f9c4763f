/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_RENDEZVOUS_H
#define MARENA_RENDEZVOUS_H

#include <linux/list.h>
#include <linux/types.h>

struct marena_arena;

int marena_rendezvous(struct marena_arena *arena, struct list_head *clients,
		      u64 *pause_ns);

#endif /* MARENA_RENDEZVOUS_H */
