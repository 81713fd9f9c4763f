/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cycles, and programs that run meanwhile: no object is freed that can still be
 * reached, and in the end all garbage is.
 *
 *	here			there
 *	thread: enter, leave	section_enter(), section_leave(): section.pml
 *	thread: load, store	plain loads and stores of the program
 *	thread: get, put	marena_get(), marena_put()
 *	thread: new		slot_take()
 *	lease, unlease		marena_lease(), marena_unlease(), and with them
 *				marena_class_take(), marena_span_zero_free()
 *	blacken			marena_span_blacken()
 *	thread: set the root	marena_root_set(), marena_root_let_go()
 *	end_threads		marena_client_end()
 *	write_page		marena_heap_mkwrite(), marena_page_save()
 *	write_map		marena_refs_mkwrite(), marena_refs_save()
 *	shade			marena_mark_slot(), marena_shade()
 *	prepare			marena_prepare()
 *	protect_page, _map	marena_remember(), marena_refs_protect_run()
 *	grow_older		marena_generation_end()
 *	STAYS			marena_sections_wait()
 *	cut			marena_barrier_cut(), marena_rendezvous_cut()
 *	mark_all		marena_mark(), marena_roots_visit()
 *	visit_map		marena_refs_visit_cut()
 *	scan			marena_scan_snapshot(), marena_look_at()
 *	end_marking		marena_mark_is_complete(), marena_mark_end()
 *	sweep_span		marena_span_sweep(), marena_span_settle()
 *
 * There are three objects at most, and two threads. The anchor is held by all
 * programs, and stays. It has a reference, and so has the inner object; the leaf
 * has none. Those two are slots of one span. A client's counts are a page, and
 * are 0 or 1. Marked objects are scanned in any order.
 *
 * Threads do what the contract allows, at random: they use what they hold, and
 * in a section what they loaded there. A write, with its fault, is one step, and
 * so is the cut: barrier.pml has what goes on in those.
 *
 * What is tried, by itself or together:
 * ONE_CLIENT	both threads are of one process
 * SOLO		there is but one thread
 * SHADE	pages that are written while marking are shaded, not copied
 * STEPS	the cut goes page by page
 * PIECEMEAL	(with it) and keeps each page as it was when its turn came
 * LEASES	a thread allocates where it has leased before; else each object
 *		has a lease of its own, which is over at once
 * ROOTS	there is a named root
 * DEATH	clients die
 * STOP		threads may be stopped in a section: their registers are roots,
 *		and their leases last
 * MINOR	cycles may be minor: marks of old objects stay, and an old one
 *		is scanned again where its page is remembered; cycles may be
 *		given up
 * WEAK		there is a weak reference. To load it is a call, which tells the
 *		marker; it is cleared in one step with the end of marking
 *
 * The rules that can be left out are where an #ifdef or #ifndef has a NO_..., or
 * one of LOADS_OUTSIDE and PUTS_OUTSIDE. The file "variants" has them all.
 */
#define NONE		0
#define ANCHOR		0
#define INNER		1
#define LEAF		2
#define THREADS		2
#ifdef ONE_CLIENT
#define CLIENTS		1
#define CLIENT(t)	0
#else
#define CLIENTS		2
#define CLIENT(t)	(t)
#endif
#define BIT(n)		(1 << (n))
#define SLOTS		(BIT(INNER) | BIT(LEAF))

/* Sets of slots: alloc bits; mark bits; those of them that were scanned. */
byte alloc, mark, scanned;

/* The references of the anchor and of the inner object: NONE, INNER or LEAF. */
byte field[2];

/* Each of the two is on a page of its own: what that was at the cut. */
byte copy[2];
bool copied[2];
bool protected[2];

/* Of the span of the two slots: it is leased; nothing is dead on it. */
bool leased;
bool swept = true;

/* Of each client: the set of objects that it holds; and that at the cut. */
byte held[CLIENTS];
byte held_copy[CLIENTS];
bool held_copied[CLIENTS];
bool held_protected[CLIENTS];
bool counting[CLIENTS];
bool ended[CLIENTS];

#ifdef ROOTS
byte root;
bool roots_pending;
#endif

#ifdef WEAK
/* The weak reference, and whether what it refers to has been freed since. */
byte weak;
bool weak_is_stale;
#endif

#ifdef MINOR
/* How many cycles an object has survived: old ones, as many as arena->survivals. */
#define OLD		1
byte age[3];

/* For so many cycles pages, and maps, are remembered: they were written. */
byte remembered[2];
byte held_remembered[CLIENTS];

/* The marks of old objects are gone: the next cycle is a major one. */
bool marks_are_lost;
#endif

bool gate_closed, protecting, marking, marks_hold;

/* Threads: in a section; with this in a register; stopped there. */
bool inside[THREADS];
byte reg[THREADS];
bool stopped[THREADS];

/* Threads come to an end of what they do. */
bool quiet;

/* Scratch, within a step. */
hidden byte live;

/* ---- what the kernel does for threads ------------------------------------ */

#define IS_OBJECT(s)	((s) != NONE && (alloc & BIT(s)))

inline shade(s)
{
	if
	:: IS_OBJECT(s) -> mark = mark | BIT(s)
	:: else
	fi
}

/* NO_GATE: writes do not wait. PIECEMEAL: nor that, but they are all copied. */
#if defined(NO_GATE) || defined(PIECEMEAL)
#define WAITS		false
#else
#define WAITS		protecting
#endif

#ifdef PIECEMEAL
#define SAVES		(marking || protecting)
#else
#define SAVES		marking
#endif

#define MAY_WRITE(p)	(!WAITS || !protected[p])
#define MAY_COUNT(c)	(!WAITS || !held_protected[c])

/* The page is written. A page of the anchor has it alone, so both are short. */
inline write_page(p)
{
	if
	:: protected[p] ->
		protected[p] = false;
		if
		:: SAVES ->
#ifdef SHADE
			if
			:: p == ANCHOR || (alloc & BIT(INNER)) ->
				shade(field[p])
			:: else
			fi
#else
#ifndef NO_COPY
			copied[p] = true;
			copy[p] = field[p]
#endif
#endif
			skip
		:: else
		fi
	:: else
	fi
}

/* The client's counts are written. */
inline write_map(c)
{
	if
	:: held_protected[c] ->
		held_protected[c] = false;
#ifndef NO_MAP_COPY
		if
		:: counting[c] ->
			held_copied[c] = true;
			held_copy[c] = held[c]
		:: else
		fi
#endif
	:: else
	fi
}

/* The client's map goes, or is the marker's no more. */
inline end_counting(c)
{
	held_copied[c] = false;
	held_copy[c] = 0;
#ifndef MINOR
	held_protected[c] = false;
#endif
	counting[c] = false
}

/* ---- what is true -------------------------------------------------------- */

inline add_live(s, is)
{
	if
	:: is && s != NONE -> live = live | BIT(s)
	:: else
	fi
}

#define HOLDING(c)	(ended[c] -> 0 : held[c])

/* Sets @live: what can be reached by the contract. Chains are short. */
inline find_live()
{
	live = 0;
	add_live(field[ANCHOR], true);
#ifdef ROOTS
	add_live(root, true);
#endif
	add_live(reg[0], inside[0]);
	add_live(reg[1], inside[1]);
	live = live | HOLDING(0);
#if CLIENTS > 1
	live = live | HOLDING(1);
#endif
	add_live(field[INNER], live & BIT(INNER))
}

/* Frees what is not marked. */
inline sweep_span()
{
	find_live();
	assert(!(alloc & ~mark & live));
#ifdef WEAK
	if
	:: weak != NONE && (alloc & ~mark & BIT(weak)) -> weak_is_stale = true
	:: else
	fi;
#endif
	alloc = alloc & mark;
	if
	:: alloc & BIT(INNER)
	:: else -> field[INNER] = NONE
	fi;
	swept = true;
#ifndef MINOR
	/* They mean nothing any more. */
	mark = 0;
	scanned = 0;
#endif
	marks_hold = false
}

/* ---- threads ------------------------------------------------------------- */

#define AWAKE		(!stopped[me] && !ended[CLIENT(me)] && \
			 (inside[me] || !quiet))

#ifdef LOADS_OUTSIDE
#define MAY_LOAD	AWAKE
#else
#define MAY_LOAD	(AWAKE && inside[me])
#endif

#ifdef PUTS_OUTSIDE
#define MAY_PUT		AWAKE
#else
#define MAY_PUT		(AWAKE && inside[me])
#endif

/* What the thread may use, in a section or outside. All hold the anchor. */
#define HOLDS(s)	(held[CLIENT(me)] & BIT(s))
#define HAS(s)		(HOLDS(s) || reg[me] == (s))

#define CAN_USE(s)	(AWAKE && HAS(s))
#define CAN_LOAD	(MAY_LOAD && HAS(INNER) && field[INNER] != NONE)
#define CAN_GET		(MAY_LOAD && reg[me] != NONE && MAY_COUNT(CLIENT(me)))
#define CAN_PUT(s)	(MAY_PUT && HOLDS(s) && MAY_COUNT(CLIENT(me)))

/* The span may be leased; what is dead on it is swept first. */
#define CAN_LEASE	(AWAKE && !leased && (swept || marks_hold) && \
			 (!gate_closed || inside[me]) && !protecting && \
			 (alloc & SLOTS) != SLOTS)
#ifdef LEASES
#define MAY_MAKE	leased
#else
#define MAY_MAKE	CAN_LEASE
#endif
#define CAN_MAKE(s)	(AWAKE && inside[me] && MAY_MAKE && !(alloc & BIT(s)))

/* One of the two that fits. Waits until there is one. */
#define PICK(s, fits)			\
	if				\
	:: fits(INNER) -> s = INNER	\
	:: fits(LEAF) -> s = LEAF	\
	fi

/* Or none. */
#define PICK_OR_NONE(s, fits)		\
	if				\
	:: AWAKE -> s = NONE		\
	:: fits(INNER) -> s = INNER	\
	:: fits(LEAF) -> s = LEAF	\
	fi

inline blacken()
{
#ifndef NO_BLACKEN
	mark = mark | (SLOTS & ~alloc);
	scanned = scanned | (SLOTS & ~alloc);
#endif
	skip
}

/* What was said of objects that are gone. */
inline forget_free()
{
#ifdef MINOR
	mark = mark & alloc;
	scanned = scanned & (alloc | BIT(ANCHOR));
	age[INNER] = (alloc & BIT(INNER) -> age[INNER] : 0);
	age[LEAF] = (alloc & BIT(LEAF) -> age[LEAF] : 0);
#endif
	skip
}

inline lease()
{
	if
	:: swept
	:: else -> sweep_span()
	fi;
	if
	:: marking -> blacken()
	:: else -> forget_free()
	fi;
	leased = true
}

inline unlease()
{
	leased = false;
	if
	:: marks_hold && !swept -> sweep_span()
	:: else
	fi
}

inline end_threads()
{
	ended[CLIENT(me)] = true;
	inside[me] = false;
	reg[me] = NONE;
#ifdef ONE_CLIENT
	inside[0] = false;
	reg[0] = NONE;
	inside[1] = false;
	reg[1] = NONE;
#endif
	if
#ifndef NO_ORPHAN
	:: marking && counting[CLIENT(me)]
#endif
	:: else ->
		held[CLIENT(me)] = 0;
		end_counting(CLIENT(me))
	fi
}

proctype thread(byte me)
{
	byte s;

end:	do
	:: /* enter */
		atomic {
			AWAKE && !inside[me] && !gate_closed;
			inside[me] = true
		}
	:: /* leave */
		atomic {
			AWAKE && inside[me];
			inside[me] = false;
			reg[me] = NONE
		}
	:: /* load */
		atomic { MAY_LOAD && field[ANCHOR] != NONE; reg[me] = field[ANCHOR] }
	:: /* load */
		atomic { CAN_LOAD; reg[me] = field[INNER] }
	:: /* get */
		atomic {
			CAN_GET;
			write_map(CLIENT(me));
			held[CLIENT(me)] = held[CLIENT(me)] | BIT(reg[me])
		}
	:: /* put */
		atomic {
			PICK(s, CAN_PUT);
			write_map(CLIENT(me));
			held[CLIENT(me)] = held[CLIENT(me)] & ~BIT(s);
			s = NONE
		}
	:: /* store */
		atomic {
			AWAKE && MAY_WRITE(ANCHOR);
			PICK_OR_NONE(s, CAN_USE);
			write_page(ANCHOR);
			field[ANCHOR] = s;
			s = NONE
		}
	:: /* store something else on that page */
		atomic { AWAKE && MAY_WRITE(ANCHOR); write_page(ANCHOR) }
	:: /* store */
		atomic {
			CAN_USE(INNER) && MAY_WRITE(INNER);
			PICK_OR_NONE(s, CAN_USE);
			write_page(INNER);
			field[INNER] = s;
			s = NONE
		}
	:: /* new: what is in the register is not counted yet */
		atomic {
			PICK(s, CAN_MAKE);
#ifndef LEASES
			lease();
			leased = false;
#endif
			alloc = alloc | BIT(s);
			reg[me] = s;
			s = NONE
		}
#ifdef LEASES
	:: /* lease */
		atomic { CAN_LEASE; lease() }
	:: /* give it back */
		atomic { AWAKE && leased; unlease() }
#endif
#ifdef ROOTS
	:: /* load the root */
		atomic { MAY_LOAD && root != NONE; reg[me] = root }
	:: /* set it */
		atomic {
			PICK_OR_NONE(s, CAN_USE);
#ifndef NO_ROOT_SHADE
			if
			:: roots_pending -> shade(root)
			:: else
			fi;
#endif
			root = s;
			s = NONE
		}
#endif
#ifdef DEATH
	:: /* die */
		atomic {
			AWAKE && !quiet && !protecting;
			end_threads()
		}
#endif
#ifdef WEAK
	:: /* store the weak reference */
		atomic {
			PICK(s, CAN_USE);
			weak = s;
			weak_is_stale = false;
			s = NONE
		}
	:: /* load it, by a call */
		atomic {
			AWAKE && inside[me] && weak != NONE;
			assert(!weak_is_stale);
#ifndef NO_WEAK_SHADE
			if
			:: marking -> shade(weak)
			:: else
			fi;
#endif
			reg[me] = weak
		}
#endif
	od
}

/* ---- the collector ------------------------------------------------------- */

inline protect_page(p)
{
#ifdef MINOR
#ifndef NO_REMEMBERED
	remembered[p] = (protected[p] -> remembered[p] : OLD);
#endif
#endif
	protected[p] = true
}

inline protect_map(c)
{
#ifdef MINOR
#ifndef NO_MAP_REMEMBERED
	held_remembered[c] = (held_protected[c] -> held_remembered[c] : OLD);
#endif
#endif
	held_protected[c] = true
}

/* All marks are cleared; in a minor cycle, those of young objects. */
inline prepare()
{
	marks_hold = false;
#ifdef MINOR
	if
	:: minor ->
		mark = mark & ((age[INNER] == OLD -> BIT(INNER) : 0) |
			       (age[LEAF] == OLD -> BIT(LEAF) : 0));
		scanned = scanned & (mark | BIT(ANCHOR))
	:: else ->
		mark = 0;
		scanned = 0
	fi;
	protect_page(ANCHOR);
	protect_page(INNER);
	protect_map(0);
#if CLIENTS > 1
	protect_map(1);
#endif
	skip
#else
	mark = 0;
	scanned = 0
#endif
}

#ifdef STOP
#define STAYS(t)	(inside[t] && (!stopped[t] || quiet))
#else
#define STAYS(t)	inside[t]
#endif

/* All leases end, unless a thread is stopped that may go on with one. */
inline end_leases()
{
	if
	:: leased && (stopped[0] || stopped[1]) -> blacken()
	:: else -> leased = false
	fi
}

/* What a stopped thread has in its registers, before it runs again. */
inline scan_registers(t)
{
	if
	:: stopped[t] ->
#ifndef NO_REGISTERS
		shade(reg[t]);
#endif
		stopped[t] = false
	:: else
	fi
}

#ifdef MINOR
/* What is old is scanned again where its page is remembered. */
inline remember(s)
{
	if
	:: remembered[s] -> scanned = scanned & ~BIT(s)
	:: else
	fi
}

#define LESS(n)		((n) > 0 -> (n) - 1 : 0)
#define OLDER(s)	(!(alloc & mark & BIT(s)) -> 0 : \
			 (age[s] < OLD -> age[s] + 1 : OLD))

/* Marking is over: what is marked has survived. */
inline grow_older()
{
	age[INNER] = OLDER(INNER);
	age[LEAF] = OLDER(LEAF);
	remembered[ANCHOR] = LESS(remembered[ANCHOR]);
	remembered[INNER] = LESS(remembered[INNER]);
	held_remembered[0] = LESS(held_remembered[0]);
#if CLIENTS > 1
	held_remembered[1] = LESS(held_remembered[1]);
#endif
	skip
}
#endif

/* Steps that others may see one by one, where that is to be tried. */
#ifdef STEPS
#define STEP		}; atomic {
#else
#define STEP		;
#endif

inline cut()
{
	atomic {
		!STAYS(0) && !STAYS(1);
#ifdef ROOTS
		roots_pending = true;
#endif
		protecting = true
		STEP
		protect_page(ANCHOR)
		STEP
		protect_map(0);
		counting[0] = !ended[0]
		STEP
#if CLIENTS > 1
		protect_map(1);
		counting[1] = !ended[1]
		STEP
#endif
		protect_page(INNER)
		STEP
		marking = true;
		protecting = false;
#ifdef MINOR
		remember(ANCHOR);
		remember(INNER);
#endif
		end_leases();
		scan_registers(0);
		scan_registers(1);
		gate_closed = false
	}
}

#ifdef MINOR
#define NOT_LOOKED_AT(c) (minor && !held_remembered[c])
#else
#define NOT_LOOKED_AT(c) false
#endif

/* One count after the other; then the copy, if there is one by now. */
inline visit_map(c)
{
	/* One that is not remembered has counts of old objects alone. */
	atomic { had = held_copied[c] || NOT_LOOKED_AT(c) };
	atomic {
		if
		:: !had && (held[c] & BIT(INNER)) -> shade(INNER)
		:: else
		fi
	};
	atomic {
		if
		:: !had && (held[c] & BIT(LEAF)) -> shade(LEAF)
		:: else
		fi;
#ifdef NO_MAP_RECHECK
		had = had && held_copied[c];
#else
		had = held_copied[c];
#endif
		mark = mark | (had -> held_copy[c] & alloc : 0);
		had = false;
		end_counting(c)
	}
}

#define IS_MARKED(s)	((s) == ANCHOR || (mark & alloc & BIT(s)))
#define TO_SCAN(s)	(IS_MARKED(s) && !(scanned & BIT(s)))

/*
 * Looks for a copy, reads, and looks again. What was read is marked in any case,
 * so it does no harm to read once more at the same time.
 */
inline scan(p)
{
	do
	:: atomic { had = copied[p] };
		atomic {
			if
			:: had -> shade(copy[p])
			:: else -> shade(field[p])
			fi;
#ifndef NO_RECHECK
			if
			:: copied[p] == had ->
#endif
				scanned = scanned | BIT(p);
				had = false;
				break
#ifndef NO_RECHECK
			:: else
			fi
#endif
		}
	od
}

inline end_marking()
{
	marking = false;
	marks_hold = true;
	swept = false;
	copied[ANCHOR] = false;
	copied[INNER] = false;
	copy[ANCHOR] = NONE;
	copy[INNER] = NONE;
#ifndef MINOR
	/* It means nothing before the next cut. */
	protected[ANCHOR] = false;
	protected[INNER] = false;
#endif
	end_counting(0);
	held[0] = HOLDING(0);
#if CLIENTS > 1
	end_counting(1);
	held[1] = HOLDING(1);
#endif
#ifdef WEAK
#ifndef NO_WEAK_CLEAR
	if
	:: weak != NONE && !(mark & BIT(weak)) -> weak = NONE
	:: else
	fi;
#endif
#endif
	skip
}

inline mark_all()
{
#ifdef ROOTS
	atomic { shade(root); roots_pending = false };
#endif
	visit_map(0);
#if CLIENTS > 1
	visit_map(1);
#endif
	do
	:: TO_SCAN(ANCHOR) -> scan(ANCHOR)
	:: TO_SCAN(INNER) -> scan(INNER)
	:: atomic {
			!TO_SCAN(ANCHOR) && !TO_SCAN(INNER) ->
#ifdef WEAK
			/* In one step: a load of the weak reference may come. */
			end_marking();
#endif
			break
		}
	od;
#ifndef WEAK
	atomic { end_marking() }
#endif
}

init
{
	bool had, minor;

	atomic {
		run thread(0);
#ifndef SOLO
		run thread(1)
#endif
	};
again:	do
	:: quiet -> break
	:: !quiet ->
		/* Or nobody does anything any more, and all garbage goes. */
		atomic {
			if
			:: minor = false
#ifdef MINOR
#ifdef MINOR_AFTER_GIVEN_UP
			:: minor = true
#else
			:: !marks_are_lost -> minor = true
#endif
#endif
			:: quiet = true; minor = false
			fi;
			prepare();
			gate_closed = true
		};
#ifdef MINOR
		if
		:: atomic {
				!quiet ->
				/* It is given up. */
				gate_closed = false;
				marks_are_lost = marks_are_lost || !minor
			};
			goto again
		:: true
		fi;
#endif
#ifdef STOP
		do
		:: atomic { STAYS(0) && !quiet -> stopped[0] = true }
		:: atomic { STAYS(1) && !quiet -> stopped[1] = true }
		:: break
		od;
#endif
		cut();
		mark_all();
#ifdef MINOR
		atomic { marks_are_lost = false; grow_older() };
#endif
		/* A span that is leased is left alone. */
		atomic {
			if
			:: leased || swept
			:: else -> sweep_span()
			fi
		}
	od;
	atomic {
		!inside[0] && !inside[1];
		find_live();
		assert(alloc == live)
	}
}
