// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * References that travel. The kernel takes one of its own before the sender's
 * goes, and gives it to the receiver before it lets go of it: at no instruction
 * is there none, and one that is too many ends with the process.
 */
#include "ref.h"
#include "section.h"

int marena_ref_transfer(struct marena *a, const void *p, uint64_t *token)
{
	struct marena_offer offer = {
		.size = sizeof(offer),
		.object = (uintptr_t)p,
	};
	int err;

	if (marena_inherited(a))
		return -ESTALE;
	err = marena_ioctl(marena_keep(a)->client_fd, MARENA_OFFER, &offer);
	if (err)
		return err;
	err = marena_put(a, p);
	if (err) {
		/* There was none to be handed over. */
		marena_ref_withdraw(a, offer.token);
		return err;
	}
	*token = offer.token;
	return 0;
}

void *marena_ref_accept(struct marena *a, uint64_t token)
{
	struct marena_offer offer = { .size = sizeof(offer), .token = token };
	struct marena_thread *t = marena_thread(a);
	int err;

	if (unlikely(!t))
		return NULL;
	err = section_enter(a, t);
	if (unlikely(err))
		return marena_fail(err);
	err = marena_ioctl(marena_keep(a)->client_fd, MARENA_ACCEPT, &offer);
	section_leave(t);
	return err ? marena_fail(err) : (void *)(uintptr_t)offer.object;
}

int marena_ref_withdraw(struct marena *a, uint64_t token)
{
	struct marena_offer offer = { .size = sizeof(offer), .token = token };

	if (marena_inherited(a))
		return -ESTALE;
	return marena_ioctl(marena_keep(a)->client_fd, MARENA_WITHDRAW, &offer);
}
