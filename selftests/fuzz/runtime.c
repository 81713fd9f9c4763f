// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the operations of the fuzzer do: see runtime.h.
 */
#include "runtime.h"
#include "../loop_device.h"

uint64_t A[FZ_VARS];
uint64_t B[FZ_VARS];
uint64_t C[FZ_VARS];
uint64_t D[FZ_VARS];
uint64_t F[FZ_VARS];
uint64_t G[FZ_VARS];
uint64_t H[FZ_VARS];
uint64_t K[FZ_VARS];
uint64_t L[FZ_VARS];
uint64_t M[FZ_VARS];
uint64_t N[FZ_VARS];
uint64_t O[FZ_VARS];
uint64_t P[FZ_VARS];
uint64_t R[FZ_VARS];
uint64_t S[FZ_VARS];
uint64_t T[FZ_VARS];
uint64_t V[FZ_VARS];
uint64_t X[FZ_VARS];
uint64_t Y[FZ_VARS];
uint64_t Z[FZ_VARS];

const char fz_names[FZ_NR_NAMES][MARENA_NAME_LEN + 1] = {
	"", "fz0", "fz1", "fz2", "fz3", ".", "..", "a/b", "\n", "x",
	"a name of 63 bytes is the longest that there can be, such as is",
	"a name of 64 bytes is one too many, and so has no NUL to end at.",
};

#define FZ_DISK		(256 * FZ_PAGE)

pid_t fz_neighbour;

static pid_t fz_child[FZ_CALLS];
static pthread_t fz_thread[FZ_CALLS];
static int fz_nr_children, fz_nr_threads;
static bool fz_is_child;
static struct iovec fz_stray[FZ_CALLS];
static int fz_nr_stray;

/* ------------------------------------------------- memory that may not be */

#define FZ_LOAD(at)		__atomic_load_n(at, __ATOMIC_RELAXED)
#define FZ_STORE(at, value)	__atomic_store_n(at, value, __ATOMIC_RELAXED)

static __thread sigjmp_buf *fz_landing;

/* How many accesses were done before one that could not be. */
static __thread uint64_t fz_done;

static void fz_fault(int sig)
{
	if (fz_landing)
		siglongjmp(*fz_landing, 1);
	signal(sig, SIG_DFL);
}

static void fz_nothing(int sig)
{
}

/* Runs the statement until it is done, or touches what is not there. */
#define FZ_TRY(statement)						\
({									\
	sigjmp_buf landing_;						\
	int fault_ = sigsetjmp(landing_, 0);				\
									\
	if (!fault_) {							\
		FZ_STORE(&fz_landing, &landing_);					\
		statement;						\
	}								\
	FZ_STORE(&fz_landing, NULL);					\
	fault_;								\
})

static void fz_handle(int sig, void (*handler)(int sig))
{
	struct sigaction action = { .sa_handler = handler };

	action.sa_flags = SA_NODEFER;
	sigaction(sig, &action, NULL);
}

/* May the operations write there, and change what is mapped? */
static int fz_ours(uint64_t at)
{
	return (at >= FZ_SCRATCH && at < FZ_SCRATCH + FZ_VARS * FZ_PAGE) ||
	       (at >= FZ_CLIENTS && at < FZ_ARENAS_END &&
		!(at >= 0x5000000000UL && at < 0x110000000000UL));
}

static void fz_put(uint64_t at, uint64_t width, uint64_t value)
{
	switch (width) {
	case 1:
		FZ_STORE((uint8_t *)at, value);
		break;
	case 4:
		FZ_STORE((uint32_t *)at, value);
		break;
	default:
		FZ_STORE((uint64_t *)at, value);
	}
}

static void fz_put_all(const uint64_t *a)
{
	uint64_t i;

	for (i = 0; i < a[1] && fz_ours(a[0] + i * a[2]); i++) {
		fz_put(a[0] + i * a[2], a[3], a[4] + i * a[5]);
		FZ_STORE(&fz_done, i + 1);
	}
}

/*
 * Stores to memory: address, how many, how far apart, width, the first value,
 * by how much each is more than the last. Returns how many were done.
 */
long fz_fill(const uint64_t *a)
{
	fz_done = 0;
	FZ_TRY(fz_put_all(a));
	return FZ_LOAD(&fz_done);
}

static void fz_get_all(const uint64_t *a)
{
	uint64_t i;

	for (i = 0; i < a[1]; i++) {
		(void)FZ_LOAD((uint8_t *)(a[0] + i * a[2]));
		FZ_STORE(&fz_done, i + 1);
	}
}

/* Loads from memory: address, how many, how far apart. Returns the number. */
long fz_scan(const uint64_t *a)
{
	fz_done = 0;
	FZ_TRY(fz_get_all(a));
	return FZ_LOAD(&fz_done);
}

static void fz_copy_all(char *to, const char *from, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		FZ_STORE(&to[i], FZ_LOAD(&from[i]));
}

/* Copies bytes as far as it can: only one side is in doubt. */
static void fz_copy(void *to, const void *from, size_t size)
{
	FZ_TRY(fz_copy_all(to, from, size));
}

/* ------------------------------------------------------------- the device */

/*
 * An ioctl on a structure of @size bytes that is put to @at first, followed by
 * a byte @tail and zeroes up to what its size field says.
 */
long fz_ioctl(uint64_t fd, unsigned long cmd, uint64_t at, void *arg,
	      size_t size, uint64_t tail)
{
	static const char zeroes[FZ_PAGE];
	uint32_t says;
	char c = tail;
	long ret;

	memcpy(&says, arg, sizeof(says));
	if (fz_ours(at)) {
		fz_copy((void *)at, arg, size);
		if (says > size && says < FZ_PAGE) {
			fz_copy((char *)at + size, zeroes, says - size);
			fz_copy((char *)at + size, &c, 1);
		}
	}
	ret = ioctl(fd, cmd, at);
	if (!ret && fz_ours(at))
		fz_copy(arg, (void *)at, size);
	return ret;
}

long fz_open_device(const uint64_t *a)
{
	return open("/dev/marena", O_RDWR | O_CLOEXEC);
}

/* Allocates as a program would: arena, client, lease, number of the slot. */
long fz_alloc(const uint64_t *a)
{
	uint64_t object = L[a[2] % 8] + a[3] * B[a[2] % 8];
	uint64_t granule = (object - H[a[0] % 8]) / MARENA_GRANULE;
	uint64_t bit = H[a[0] % 8] + Z[a[0] % 8] + granule / 8;
	uint64_t ref = M[a[1] % 8] + R[a[1] % 8] + granule;

	if (!fz_ours(bit) || !fz_ours(ref))
		return -1;
	O[a[3] % 8] = object;
	FZ_TRY(__atomic_or_fetch((uint8_t *)bit, 1 << (granule % 8),
				 __ATOMIC_RELAXED);
	       fz_put(ref, 1, 1));
	return 0;
}

/* Says how many references there are: arena, client, object, how many. */
long fz_ref(const uint64_t *a)
{
	uint64_t granule = (a[2] - H[a[0] % 8]) / MARENA_GRANULE;
	uint64_t ref = M[a[1] % 8] + R[a[1] % 8] + granule;

	if (!fz_ours(ref))
		return -1;
	FZ_TRY(fz_put(ref, 1, a[3]));
	return 0;
}

/* Enters a section or leaves it: client, slot, value. */
long fz_section(const uint64_t *a)
{
	uint64_t at = M[a[0] % 8] + FZ_PAGE + a[1] % 2048 * 64;

	if (!fz_ours(at))
		return -1;
	FZ_TRY(__atomic_store_n((uint32_t *)at, a[2], __ATOMIC_RELEASE));
	return 0;
}

/* ------------------------------------------------------------ the mappings */

/* What is mapped elsewhere is noted down, to be unmapped in the end. */
static long fz_mapped(void *at, size_t size)
{
	int i;

	if (at == MAP_FAILED)
		return -1;
	if (fz_ours((uint64_t)at) && fz_ours((uint64_t)at + size))
		return (long)at;
	i = __atomic_fetch_add(&fz_nr_stray, 1, __ATOMIC_RELAXED);
	if (i >= FZ_CALLS) {
		munmap(at, size);
		return -1;
	}
	fz_stray[i] = (struct iovec){ at, size };
	return (long)at;
}

long fz_mmap(const uint64_t *a)
{
	if (a[3] & MAP_FIXED && (!fz_ours(a[0]) || a[1] > FZ_CLIENT))
		return -1;
	return fz_mapped(mmap((void *)a[0], a[1], a[2], a[3], a[4], a[5]),
			 a[1]);
}

static int fz_may_change(uint64_t at, uint64_t size)
{
	return fz_ours(at) && at + size >= at && fz_ours(at + size);
}

long fz_munmap(const uint64_t *a)
{
	return fz_may_change(a[0], a[1]) ? munmap((void *)a[0], a[1]) : -1;
}

long fz_mprotect(const uint64_t *a)
{
	return fz_may_change(a[0], a[1]) ?
	       mprotect((void *)a[0], a[1], a[2]) : -1;
}

long fz_madvise(const uint64_t *a)
{
	return fz_may_change(a[0], a[1]) ?
	       madvise((void *)a[0], a[1], a[2]) : -1;
}

/*
 * User-mode-linux does not unmap, from the process that it runs, all of what
 * was there before in a page table that a move takes the place of.
 */
static int fz_may_replace(void)
{
	return access("/proc/exitcode", F_OK);
}

long fz_mremap(const uint64_t *a)
{
	if (!fz_may_change(a[0], a[1]) || !fz_may_change(a[3], a[2]))
		return -1;
	if (!fz_may_replace())
		return fz_mapped(mremap((void *)a[0], a[1], a[2],
					MREMAP_MAYMOVE), a[2]);
	return fz_mapped(mremap((void *)a[0], a[1], a[2],
				MREMAP_MAYMOVE | MREMAP_FIXED, (void *)a[3]),
			 a[2]);
}

/* A read or write of another process: pid, here, there, bytes, write? */
long fz_vm_copy(const uint64_t *a)
{
	struct iovec here = { (void *)a[1], a[3] % (16 * FZ_PAGE) };
	struct iovec there = { (void *)a[2], a[3] % (16 * FZ_PAGE) };

	if (!fz_ours(a[1]) || !fz_ours(a[2]))
		return -1;
	return syscall(a[4] ? SYS_process_vm_writev : SYS_process_vm_readv,
		       a[0], &here, 1, &there, 1, 0);
}

/* Pins pages of memory for a while, as direct I/O does: pipe, at, bytes. */
long fz_pin(const uint64_t *a)
{
	struct iovec iov = { (void *)a[1], a[2] };

	return vmsplice(a[0], &iov, 1, SPLICE_F_NONBLOCK);
}

/* Direct I/O between memory and a disk: at, bytes, write? */
long fz_direct(const uint64_t *a)
{
	char *at = (char *)(a[0] & ~511ULL);
	size_t bytes = (a[1] + 511) % FZ_DISK & ~511ULL;

	return a[2] ? pwrite(FZ_FD_DISK, at, bytes, 0) :
		      pread(FZ_FD_DISK, at, bytes, 0);
}

/* --------------------------------------------------- processes and threads */

long fz_sendfd(const uint64_t *a)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd = a[1];

	control.head.cmsg_len = CMSG_LEN(sizeof(fd));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(a[0], &msg, MSG_DONTWAIT);
}

long fz_recvfd(const uint64_t *a)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(a[0], &msg, MSG_DONTWAIT) < 0 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

/* Only to ourselves and to children. */
long fz_kill(const uint64_t *a)
{
	return (int)a[0] > 1 ? kill(a[0], a[1]) : -1;
}

/* A signal soon, to whatever is going on then. */
long fz_alarm(const uint64_t *a)
{
	struct itimerval soon = { .it_value.tv_usec = a[0] % 100000 };

	return setitimer(ITIMER_REAL, &soon, NULL);
}

/* Nothing but a child becomes another program. */
long fz_exec_other(const uint64_t *a)
{
	return fz_is_child ? execl("/bin/true", "true", NULL) : -1;
}

/* Runs @fn in a child. Returns its pid. */
long fz_fork(void *(*fn)(void *arg), void *arg)
{
	int i = __atomic_fetch_add(&fz_nr_children, 1, __ATOMIC_RELAXED);
	pid_t pid;

	if (i >= FZ_CALLS)
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fz_is_child = true;
		fz_nr_children = FZ_CALLS;
		fn(arg);
		_exit(0);
	}
	fz_child[i] = pid;
	return pid;
}

long fz_start(void *(*fn)(void *arg), void *arg)
{
	int i = __atomic_fetch_add(&fz_nr_threads, 1, __ATOMIC_RELAXED);

	if (i >= FZ_CALLS)
		return -1;
	if (pthread_create(&fz_thread[i], NULL, fn, arg))
		fz_thread[i] = 0;
	return 0;
}

/* ------------------------------------------------------ around the programs */

/* Without one, direct I/O fails, and the rest is as it is. */
static void fz_open_disk(void)
{
	int fd;

	if (access("/dev/loop-control", F_OK) && system("modprobe -q loop"))
		return;
	fd = open_loop_device(FZ_DISK);
	if (fd < 0)
		return;
	dup2(fd, FZ_FD_DISK);
	close(fd);
}

/* Once, before the processes that run programs are forked. */
void fz_init(void)
{
	const struct rlimit files = { FZ_FD_END, FZ_FD_END };
	int fd[2];

	setrlimit(RLIMIT_NOFILE, &files);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd) ||
	    dup2(fd[0], FZ_FD_SEND) < 0 || dup2(fd[1], FZ_FD_RECV) < 0) {
		perror("sockets");
		exit(1);
	}
	close(fd[0]);
	close(fd[1]);
	fz_open_disk();
}

static void fz_map_scratch(void)
{
	unsigned int i;
	char *at = mmap((void *)FZ_SCRATCH, (FZ_READABLE + 1) * FZ_PAGE,
			PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (at == MAP_FAILED)
		exit(1);
	for (i = 0; i < FZ_VARS; i++)
		S[i] = FZ_SCRATCH + i * FZ_PAGE;
	V[0] = (uintptr_t)O;
	/*
	 * S[1]: offsets of references for a type, S[3]: some of them weak, S[2]:
	 * one that is not.
	 */
	for (i = 0; i < FZ_PAGE / 4; i++) {
		((uint32_t *)S[1])[i] = 8 * i;
		((uint32_t *)S[2])[i] = 8 * i + 2 * (i == 5);
		((uint32_t *)S[3])[i] = 8 * i + (i % 2 ? 0 : MARENA_REF_WEAK);
	}
	mprotect((void *)S[FZ_READABLE], FZ_PAGE, PROT_READ);
}

void fz_begin(void)
{
	int fd[2] = { -1, -1 };

	fz_handle(SIGSEGV, fz_fault);
	fz_handle(SIGBUS, fz_fault);
	fz_handle(SIGUSR1, fz_nothing);
	fz_handle(SIGALRM, fz_nothing);
	signal(SIGPIPE, SIG_IGN);
	memset(A, -1, sizeof(A));
	memset(C, -1, sizeof(C));
	memset(D, -1, sizeof(D));
	memset(F, -1, sizeof(F));
	fz_map_scratch();
	K[0] = open("/proc/self/mem", O_RDWR);
	K[1] = open("/proc/self/pagemap", O_RDONLY);
	K[2] = dup(FZ_FD_SEND);
	K[3] = dup(FZ_FD_RECV);
	if (pipe2(fd, O_NONBLOCK))
		perror("pipe");
	K[4] = fd[0];
	K[5] = fd[1];
	K[6] = fz_neighbour;
	K[7] = getpid();
}

static void fz_forget(void)
{
	uint64_t *all[] = { B, G, H, L, M, N, O, P, R, T, X, Y, Z };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		memset(all[i], 0, FZ_VARS * sizeof(uint64_t));
}

void fz_end(void)
{
	int i;

	for (i = 0; i < FZ_CALLS && i < fz_nr_threads; i++)
		if (fz_thread[i])
			pthread_join(fz_thread[i], NULL);
	for (i = 0; i < FZ_CALLS && i < fz_nr_children; i++) {
		if (fz_child[i] <= 0)
			continue;
		kill(fz_child[i], SIGKILL);
		waitpid(fz_child[i], NULL, 0);
	}
	fz_nr_threads = 0;
	fz_nr_children = 0;
	fz_alarm((uint64_t []){ 0 });
	for (i = 0; i < FZ_CALLS && i < fz_nr_stray; i++)
		munmap(fz_stray[i].iov_base, fz_stray[i].iov_len);
	fz_nr_stray = 0;
	munmap((void *)FZ_CLIENTS, FZ_ARENAS - FZ_CLIENTS);
	munmap((void *)FZ_ARENAS, 0x4000000000UL);
	munmap((void *)0x110000000000UL, FZ_ARENAS_END - 0x110000000000UL);
	syscall(SYS_close_range, 3, FZ_FD_KEPT - 1, 0);
	fz_forget();
}

/* Removes all names, so that nothing persists. */
void fz_clean(void)
{
	struct marena_unlink arg = { .size = sizeof(arg) };
	int fd = open("/dev/marena", O_RDWR | O_CLOEXEC);
	unsigned int i;

	for (i = 0; i < FZ_NR_NAMES; i++) {
		memcpy(arg.name, fz_names[i], sizeof(arg.name));
		ioctl(fd, MARENA_UNLINK, &arg);
	}
	close(fd);
}
