/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_SLOT_H
#define MARENA_SLOT_H

#include "client.h"

int marena_slot_acquire(struct marena_client *client,
			struct marena_slot_op *arg);
int marena_slot_release(struct marena_client *client,
			const struct marena_slot_op *arg);
struct page *marena_slots_page_get(struct marena_client *client,
				   unsigned int index);
bool marena_slots_in_section(struct marena_client *client);
void marena_slots_stop(struct marena_client *client);
void marena_slots_free(struct marena_client *client);

#endif /* MARENA_SLOT_H */
