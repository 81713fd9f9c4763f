/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sections against the rendezvous, with the store buffers of the processors:
 * when the collector takes the snapshot, no thread is in a section that is not
 * stopped; and no thread allocates in a span that it does not lease any more.
 *
 *	here			there
 *	thread: enter		section_enter(), marena_section_wait()
 *	thread: leave		section_leave()
 *	thread: allocate	lease_take()
 *	thread: lease		marena_lease() (library), marena_lease_try()
 *	thread: exit		marena_owner_has_exited()
 *	collector: close	marena_gate_set()
 *	collector: interrupt	marena_cpus_barrier()
 *	collector: look		marena_any_in_section()
 *	collector: stop		a thread that stays is stopped where it is
 *	collector: cut		marena_rendezvous_cut()
 *
 * A store goes to the buffer of the thread's processor, and to memory at some
 * time later. Loads read memory: none here reads what the thread itself wrote.
 *
 * STOP		threads may be stopped in their sections
 *
 * Rules that can be left out:
 * NO_INTERRUPT	the buffers are not flushed
 * STALE_LEASE	a thread does not compare the gate of its lease
 * REVOKE_STOPPED (with STOP) stopped threads lose their leases as others do
 */
#define THREADS		2

/* Gates that succeeded, at most. The value of the gate is twice as much. */
#define CYCLES		3

byte gate;
byte slot[THREADS];
bool inside[THREADS];
bool exited[THREADS];
bool stopped[THREADS];
bool leased[THREADS];

/* What a processor has stored and others do not see yet: at most two stores. */
chan buffer[THREADS] = [2] of { bit };

/* Stores reach memory in order. */
active proctype memory()
{
end:	do
	:: atomic { nempty(buffer[0]) -> buffer[0] ? slot[0] }
	:: atomic { nempty(buffer[1]) -> buffer[1] ? slot[1] }
	od
}

inline flush(t)
{
	do
	:: nempty(buffer[t]) -> buffer[t] ? slot[t]
	:: empty(buffer[t]) -> break
	od
}

proctype thread(byte me) provided (!stopped[me])
{
	byte seen, value, lease = 255;

end:	do
	:: /* enter */
		buffer[me] ! 1;
		value = gate;
		do
		:: value != seen && (value & 1) ->
			buffer[me] ! 0;
			/* MARENA_WAIT */
waits:			!(gate & 1);
			buffer[me] ! 1;
			value = gate
		:: else -> break
		od;
		/* In the section, from the load of the gate on. */
		atomic { seen = value; value = 0; inside[me] = true };
		do
		:: /* allocate */
#ifdef STALE_LEASE
			lease != 255;
#else
			lease == seen;
#endif
			assert(leased[me])
		:: /* leave */
			break
		:: /* exit */
			atomic {
				flush(me);
				exited[me] = true;
				inside[me] = false;
			}
			goto over
		od;
		inside[me] = false;
		buffer[me] ! 0
	:: /* lease: under arena->lock, with the gate open */
		atomic {
			!(gate & 1) ->
			lease = gate;
			leased[me] = true
		}
	od;
over:	skip
}

#define IN_SECTION(t)	(slot[t] && !exited[t])

inline take_leases(t)
{
	if
#ifndef REVOKE_STOPPED
	:: stopped[t]
#endif
	:: else -> leased[t] = false
	fi;
	stopped[t] = false
}

proctype collector()
{
	byte t, cycle;

	do
	:: cycle < CYCLES ->
		/* close */
		gate = gate | 1;
#ifndef NO_INTERRUPT
		/* interrupt */
		t = 0;
		do
		:: t < THREADS -> atomic { flush(t); t++ }
		:: else -> break
		od;
#endif
		/* look, until the budget is spent */
		t = 0;
		do
		:: t < THREADS && !IN_SECTION(t) -> t++
		:: t < THREADS && IN_SECTION(t) ->
			if
			:: !IN_SECTION(t)
#ifdef STOP
			:: atomic { stopped[t] = true; flush(t) };
				if
				:: IN_SECTION(t) -> t++
				:: else -> stopped[t] = false
				fi
#else
			:: /* given up: the gate is opened as it was */
				break
#endif
			fi
		:: t == THREADS -> break
		od;
		if
		:: t == THREADS ->
			/* cut */
			assert(!inside[0] || stopped[0]);
			assert(!inside[1] || stopped[1]);
			atomic {
				take_leases(0);
				take_leases(1);
				gate = gate + 1;
				cycle++
			}
		:: else -> gate = gate & 254
		fi;
		t = 0
	:: else -> break
	od
}

init
{
	atomic {
		run thread(0);
		run thread(1);
		run collector()
	}
}
