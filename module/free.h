/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_FREE_H
#define MARENA_FREE_H

struct marena_client;
struct marena_free;

int marena_free(struct marena_client *client, struct marena_free *arg);

#endif /* MARENA_FREE_H */
