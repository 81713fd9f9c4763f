/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The write barrier: write faults against protection. What the marker gets of
 * each page has in it what that page held at one and the same moment: when
 * marking began.
 *
 *	here			there
 *	thread: store		a plain store; the processor, and the fault
 *	thread: fault		marena_heap_mkwrite()
 *	thread: note, list	marena_page_note_written()
 *	thread: save		marena_page_save(), marena_page_save_locked()
 *	thread: map		the kernel, after page_mkwrite
 *	collector: unlist	marena_heap_protect_round(), marena_barrier_cut(), and
 *				marena_region_protect()
 *	collector: take		xchg() in marena_region_protect()
 *	collector: drain	marena_page_drain()
 *	collector: protect	marena_write_protect()
 *	collector: cut		marena_barrier_cut()
 *	collector: read		marena_scan_snapshot(), marena_look_at()
 *	collector: drop		marena_mark_end(), marena_barrier_drop()
 *
 * Pages of reference maps follow the same protocol (marena_refs_mkwrite(),
 * marena_refs_save(), marena_refs_protect_run(), marena_refs_visit_cut()).
 * Each thread is a process of its own: a page is made writable for one of them.
 * The pages are of one region, which is looked at only if it is in the list.
 * Whether a page is copied or shaded is open each time. Pinned pages, which may
 * be written without a fault, are not in here.
 *
 * Rules that can be left out:
 * NO_DRAIN	faults that are under way are not waited for
 * NO_GATE	pages become writable while the snapshot is taken
 * NOTE_LATE	a page is noted after the look whether it may become writable
 * LISTED_EARLY	a region says that it is in the list before it is
 * NO_COPY	pages are neither copied nor shaded
 * NO_RECHECK	the marker does not look again for a copy
 * NO_RELOCK	that marking goes on is not looked at once more under the lock
 */
#define THREADS		2
#define PAGES		2
#define CYCLES		2
#define NOTHING		255

/* What a page holds: who wrote it last, or 0. */
byte live[PAGES];
byte copy[PAGES] = NOTHING;
bool saved[PAGES];
bool written[PAGES];
bool locked[PAGES];
bool protecting;
bool marking;

/* The region of the pages: what it says, what is true, and its lock. */
bool listed;
bool in_list;
bool region_locked;

/* Which pages a thread may write without a fault: a bit each. */
byte writable[THREADS];

/* What pages held when marking began, and what the marker knows of: as bits. */
byte cut[PAGES];
byte known[PAGES];

#define BIT(n)		(1 << (n))
#define CAN_WRITE(t, p)	(writable[t] & BIT(p))

#ifdef NO_GATE
#define IS_PROTECTING	false
#else
#define IS_PROTECTING	protecting
#endif

#ifdef NO_RELOCK
#define IS_MARKING	true
#else
#define IS_MARKING	marking
#endif

/* Under the lock of the region. */
inline save(p)
{
	if
	:: IS_MARKING && !saved[p] ->
		saved[p] = true;
#ifndef NO_COPY
		if
		:: copy[p] = live[p]
		:: known[p] = known[p] | BIT(live[p])
		fi
#endif
	:: else
	fi
}

inline note(p)
{
	written[p] = true;
	if
	:: listed
#ifdef LISTED_EARLY
	:: atomic { !listed -> listed = true };
		in_list = true
#else
	:: !listed ->
		atomic { !region_locked -> region_locked = true };
		if
		:: !listed ->
			in_list = true;
			listed = true
		:: else
		fi;
		region_locked = false
#endif
	fi
}

inline fault(me, p)
{
	!IS_PROTECTING;
	atomic { !locked[p] -> locked[p] = true };
#ifdef NOTE_LATE
	if
	:: IS_PROTECTING
	:: !IS_PROTECTING ->
		note(p);
#else
	note(p);
	if
	:: IS_PROTECTING
	:: !IS_PROTECTING ->
#endif
		if
		:: marking && !saved[p] ->
			atomic { save(p) }
		:: else
		fi;
		/* map */
		writable[me] = writable[me] | BIT(p)
	fi;
	locked[p] = false
}

proctype thread(byte me)
{
	byte p;

end:	do
	:: p = 0;
		do
		:: atomic { CAN_WRITE(me, p) -> live[p] = me + 1; break }
		:: !CAN_WRITE(me, p) -> fault(me, p)
		od;
		p = 0
	:: p = 1;
		do
		:: atomic { CAN_WRITE(me, p) -> live[p] = me + 1; break }
		:: !CAN_WRITE(me, p) -> fault(me, p)
		od;
		p = 0
	od
}

inline protect_page(p)
{
	if
	:: atomic { written[p] -> written[p] = false };
#ifndef NO_DRAIN
		if
		:: locked[p] -> !locked[p]
		:: else
		fi;
#endif
		writable[0] = writable[0] & ~BIT(p);
		writable[1] = writable[1] & ~BIT(p)
	:: else
	fi
}

inline protect_region()
{
	if
	:: atomic { in_list -> in_list = false };
		atomic { !region_locked -> listed = false };
		protect_page(0);
		protect_page(1)
	:: else
	fi
}

inline take_snapshot()
{
	protecting = true;
	protect_region();
	d_step {
		marking = true;
		cut[0] = live[0];
		cut[1] = live[1]
	};
	protecting = false
}

inline read_page(p)
{
	do
	:: had = copy[p];
		if
		:: had != NOTHING -> known[p] = known[p] | BIT(had)
		:: else -> known[p] = known[p] | BIT(live[p])
		fi;
#ifdef NO_RECHECK
		break
#else
		if
		:: copy[p] == had -> break
		:: else
		fi
#endif
	od;
	had = NOTHING
}

inline drop(p)
{
	d_step {
		copy[p] = NOTHING;
		saved[p] = false;
		known[p] = 0;
		cut[p] = 0
	}
}

active proctype collector()
{
	byte cycle, had = NOTHING;

	do
	:: cycle < CYCLES ->
		protect_region();
		take_snapshot();
		read_page(0);
		read_page(1);
		assert(known[0] & BIT(cut[0]));
		assert(known[1] & BIT(cut[1]));
		marking = false;
		drop(0);
		drop(1);
		cycle++
	:: else -> break
	od
}

init
{
	atomic {
		run thread(0);
		run thread(1)
	}
}
