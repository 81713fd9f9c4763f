/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the operations of the fuzzer do. This and runtime.c are part of the fuzzer,
 * and of the C programs that it makes of what it found, so that both do the
 * same. They need nothing but the C library and the kernel's headers.
 *
 * Operations leave their results in variables, for those that follow: an array
 * of eight for each kind of thing. An argument is a constant or a variable and
 * an offset.
 *
 * Every program starts with the same world: FZ_SCRATCH is mapped anew, and
 * nothing else in the windows below; no descriptor below FZ_FD_KEPT is open but
 * the three of every process and those in K.
 */
#ifndef FUZZ_RUNTIME_H
#define FUZZ_RUNTIME_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <linux/marena.h>
#include <linux/userfaultfd.h>

#define FZ_VARS		8
#define FZ_CALLS	12	/* threads and processes that a program starts */

/* Eight pages: six to be written, one to be read, one that is not there. */
#define FZ_SCRATCH	0x10000000UL
#define FZ_PAGE		0x1000UL
#define FZ_READABLE	6

/* Where clients are to be mapped, and where arenas are (two machines). */
#define FZ_CLIENTS	0x200000000UL
#define FZ_CLIENT	0x1c0000000UL	/* one of eight places */
#define FZ_ARENAS	0x1000000000UL
#define FZ_ARENAS_END	0x500000000000UL

/* Descriptors from here on outlive a program. */
#define FZ_FD_KEPT	200
#define FZ_FD_SEND	200
#define FZ_FD_RECV	201
#define FZ_FD_KCOV	202
#define FZ_FD_LOG	203
#define FZ_FD_KMSG	204
#define FZ_FD_DISK	205
#define FZ_FD_END	256

extern uint64_t A[FZ_VARS];	/* arena file */
extern uint64_t B[FZ_VARS];	/* bytes of a slot of the lease L */
extern uint64_t C[FZ_VARS];	/* client file */
extern uint64_t D[FZ_VARS];	/* the device */
extern uint64_t F[FZ_VARS];	/* any other file */
extern uint64_t G[FZ_VARS];	/* the gate of the lease L */
extern uint64_t H[FZ_VARS];	/* address of the heap of A */
extern uint64_t K[FZ_VARS];	/* see fz_begin() */
extern uint64_t L[FZ_VARS];	/* address of a lease */
extern uint64_t M[FZ_VARS];	/* address of the mapping of C */
extern uint64_t N[FZ_VARS];	/* its bytes */
extern uint64_t O[FZ_VARS];	/* an object */
extern uint64_t P[FZ_VARS];	/* a child */
extern uint64_t R[FZ_VARS];	/* where in it the reference map is */
extern uint64_t S[FZ_VARS];	/* pages of scratch memory */
extern uint64_t T[FZ_VARS];	/* index of a thread slot */
extern uint64_t V[FZ_VARS];	/* address of O */
extern uint64_t X[FZ_VARS];	/* the token of an offer */
extern uint64_t Y[FZ_VARS];	/* bytes of the mapping of A */
extern uint64_t Z[FZ_VARS];	/* bytes of the heap of A */

#define FZ_NR_NAMES	12

extern const char fz_names[FZ_NR_NAMES][MARENA_NAME_LEN + 1];

/* Who runs beside, for K[6]. */
extern pid_t fz_neighbour;

long fz_open_device(const uint64_t *a);
long fz_fill(const uint64_t *a);
long fz_scan(const uint64_t *a);
long fz_alloc(const uint64_t *a);
long fz_ref(const uint64_t *a);
long fz_section(const uint64_t *a);
long fz_mmap(const uint64_t *a);
long fz_munmap(const uint64_t *a);
long fz_mprotect(const uint64_t *a);
long fz_madvise(const uint64_t *a);
long fz_mremap(const uint64_t *a);
long fz_vm_copy(const uint64_t *a);
long fz_pin(const uint64_t *a);
long fz_direct(const uint64_t *a);
long fz_sendfd(const uint64_t *a);
long fz_recvfd(const uint64_t *a);
long fz_kill(const uint64_t *a);
long fz_alarm(const uint64_t *a);
long fz_exec_other(const uint64_t *a);
long fz_ioctl(uint64_t fd, unsigned long cmd, uint64_t at, void *arg,
	      size_t size, uint64_t tail);
long fz_fork(void *(*fn)(void *arg), void *arg);
long fz_start(void *(*fn)(void *arg), void *arg);

void fz_init(void);
void fz_begin(void);
void fz_end(void);
void fz_clean(void);

#endif /* FUZZ_RUNTIME_H */
