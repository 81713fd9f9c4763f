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
struct lease *marena_lease_slot(struct lease_table *table, uint64_t key,
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
 * Asks for a lease. Outside a section this may wait for a cycle. In one it does
 * not; then, if the gate has changed since the section began, the thread's other
 * leases are over. So may be this one, already. Where there is no room they are,
 * too: else a thread that stays in its section could keep all there is leased.
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
		cmd.flags = MARENA_LEASE_NOWAIT;
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
 * The thread exits: gives back leases that are not used up. A lease that is
 * over must not be given back, since the same span may have been leased to
 * another thread of the process meanwhile; inside a section in which the gate
 * is as it was, none is over. The caller closes the section.
 */
void marena_leases_return(struct marena *a, struct marena_thread *t)
{
	struct marena_lease cmd = { .size = sizeof(cmd) };
	const struct lease *lease;
	uint32_t i;

	section_open(t);
	if (section_gate(a) != t->gate)
		return;
	for (i = 0; i <= t->leases.mask; i++) {
		lease = &t->leases.leases[i];
		if (!lease->key || lease->gate != t->gate ||
		    lease->next >= lease->end)
			continue;
		cmd.base = lease->base;
		cmd.gate = lease->gate;
		/* Where this fails, the lease lasts until the next cycle. */
		marena_ioctl(marena_keep(a)->client_fd, MARENA_UNLEASE, &cmd);
	}
}
