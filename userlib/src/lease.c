// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Leases: getting them, keeping them, giving them back. */
#include <stdlib.h>
#include <string.h>

#include "section.h"

/* Opaque objects of all classes have places of their own in it. */
#define LEASES_MIN	64

static struct lease *leases_alloc(size_t nr)
{
	size_t bytes = nr * sizeof(struct lease);
	struct lease *leases = aligned_alloc(sizeof(struct lease), bytes);

	return leases ? memset(leases, 0, bytes) : NULL;
}

int marena_leases_init(struct lease_table *table)
{
	table->leases = leases_alloc(LEASES_MIN);
	table->mask = LEASES_MIN - 1;
	table->used = 0;
	return table->leases ? 0 : -ENOMEM;
}

void marena_leases_free(struct lease_table *table)
{
	free(table->leases);
}

/* Moves what holds for this value of the gate into a table with room. */
static int leases_rehash(struct lease_table *table, uint32_t gate)
{
	struct lease_table new = { .mask = LEASES_MIN - 1 };
	uint32_t i;

	for (i = 0; i <= table->mask; i++)
		if (table->leases[i].key && table->leases[i].gate == gate)
			new.used++;
	while (4 * new.used > new.mask)
		new.mask = 2 * new.mask + 1;
	new.leases = leases_alloc((size_t)new.mask + 1);
	if (!new.leases)
		return -ENOMEM;
	for (i = 0; i <= table->mask; i++)
		if (table->leases[i].key && table->leases[i].gate == gate)
			*lease_find(&new, table->leases[i].key) =
				table->leases[i];
	free(table->leases);
	*table = new;
	return 0;
}

/*
 * The entry for a key, which may be over, or new and empty. @gate is the value
 * of the gate that the thread saw last. NULL where there is no memory.
 */
struct lease *marena_lease_slot(struct lease_table *table, uint32_t key,
				uint32_t gate)
{
	struct lease *lease = lease_find(table, key);

	if (lease->key)
		return lease;
	if (2 * table->used >= table->mask) {
		if (leases_rehash(table, gate))
			return NULL;
		lease = lease_find(table, key);
	}
	table->used++;
	lease->key = key;
	return lease;
}

/*
 * Asks for a lease, in place of one that is used up, if that is there. Outside a
 * section this may wait for a cycle. In one it does not; then, if the gate has
 * changed since the section began, the thread's other leases are over. So may be
 * this one, already. Where there is no room they are, too: else a thread that stays
 * in its section could keep all there is leased.
 */
int marena_lease(struct marena *a, struct marena_thread *t,
		 const struct lease_request *request, struct lease *lease)
{
	struct marena_lease cmd = {
		.size = sizeof(cmd),
		.type = request->type,
		.bytes = request->bytes,
	};
	int err;

	if (t->depth)
		cmd.flags |= MARENA_LEASE_NOWAIT;
	/* It ends even where this fails; and one that was given back has none. */
	if (lease->next >= lease->end && lease->base != lease->end) {
		cmd.flags |= MARENA_LEASE_REPLACE;
		cmd.base = lease->base;
		cmd.gate = lease->gate;
		lease->next = lease->end;
		lease->base = lease->end;
	}
	err = marena_ioctl(marena_keep(a)->client_fd, MARENA_LEASE, &cmd);
	if (err) {
		if (t->depth)
			marena_section_renew(a, t);
		return err;
	}
	lease->bytes = cmd.bytes;
	lease->base = cmd.base;
	lease->next = cmd.base;
	lease->end = cmd.base + cmd.nr_slots * cmd.bytes;
	lease->gate = cmd.gate;
	if (t->depth && t->gate != cmd.gate)
		marena_section_renew(a, t);
	return 0;
}

/*
 * Gives a lease back that the thread uses no more, and of which it thinks that it
 * holds. The kernel knows by the gate if a rendezvous has ended it, even if the
 * same span has been leased to another thread of the process since.
 */
void marena_lease_return(struct marena *a, const struct marena_thread *t,
			 struct lease *lease)
{
	struct marena_lease cmd = {
		.size = sizeof(cmd),
		.base = lease->base,
		.gate = lease->gate,
	};

	if (lease->gate != t->gate || lease->base == lease->end)
		return;
	lease->base = lease->end;
	lease->next = lease->end;
	/* Where this fails, the lease lasts until the next cycle. */
	marena_ioctl(marena_keep(a)->client_fd, MARENA_UNLEASE, &cmd);
}

/* The thread exits. */
void marena_leases_return(struct marena *a, struct marena_thread *t)
{
	uint32_t i;

	for (i = 0; i <= t->leases.mask; i++)
		marena_lease_return(a, t, &t->leases.leases[i]);
}
