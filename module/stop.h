/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_STOP_H
#define MARENA_STOP_H

#include <linux/types.h>

struct list_head;
struct marena_arena;
struct marena_client;
struct marena_slot;
struct marena_stop;
struct pid;

struct marena_stop *marena_stop_new(unsigned long stack_end);
void marena_stop_put(struct marena_stop *stop);

void marena_stop_thread(struct marena_stop *stop, struct pid *owner,
			struct marena_client *client,
			const struct marena_slot *slot);
unsigned int marena_stops_count(const struct marena_arena *arena);
bool marena_stops_any(const struct marena_arena *arena,
		      const struct marena_client *client);
void marena_stops_keep_leases(struct marena_arena *arena);
int marena_stops_scan(struct marena_arena *arena);
void marena_stops_release(struct marena_arena *arena);

void marena_stop_exit(void);

#endif /* MARENA_STOP_H */
