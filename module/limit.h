/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_LIMIT_H
#define MARENA_LIMIT_H

#include <linux/types.h>

/* What limits of a user are counted in. */
enum marena_resource {
	MARENA_USER_PAGES,	/* pages of heap that are charged, and tables */
	MARENA_USER_ARENAS,	/* arenas that exist */
	MARENA_USER_SPACE,	/* bytes of address space of those arenas */
	MARENA_USER_NR
};

struct marena_user;

struct marena_user *marena_user_get(void);
void marena_user_put(struct marena_user *user);
int marena_user_charge(struct marena_user *user, enum marena_resource res,
		       u64 n);
void marena_user_uncharge(struct marena_user *user, enum marena_resource res,
			  u64 n);

#endif /* MARENA_LIMIT_H */
