/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/* Objects that a thread has dropped, and that are to be freed together. */
#ifndef _LIBMARENA_FREE_H
#define _LIBMARENA_FREE_H

#include "thread.h"

int marena_doomed_free(struct marena *a, struct marena_thread *t);

#endif /* _LIBMARENA_FREE_H */
