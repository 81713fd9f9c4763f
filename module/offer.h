/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_OFFER_H
#define MARENA_OFFER_H

#include <linux/types.h>

struct marena_arena;
struct marena_client;
struct marena_offer;

int marena_offer(struct marena_client *client, struct marena_offer *arg);
int marena_accept(struct marena_client *client, struct marena_offer *arg);
int marena_withdraw(struct marena_client *client,
		    const struct marena_offer *arg);
void marena_offers_drop(struct marena_client *client);
void marena_offers_look(struct marena_arena *arena,
			void (*visit)(void *ctx, u64 offset), void *ctx);
void marena_offers_visit(struct marena_arena *arena,
			 void (*visit)(void *ctx, u64 offset), void *ctx);

#endif /* MARENA_OFFER_H */
