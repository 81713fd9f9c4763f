// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes, signals, files and numbers, for the tests.
 */
#include <fcntl.h>
#include <dirent.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "marena_test.h"

/* Set in a process that mt_exec() made. */
#define EXEC_ENV	"MARENA_TEST_EXEC"

void mt_fail(const char *file, int line, const char *fmt, ...)
{
	int error = errno;
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "# %s:%d: pid %d: %s (errno %d)\n", file, line, getpid(),
		text, error);
	_exit(KSFT_FAIL);
}

void mt_log(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "# %s\n", text);
}

/* Says that it runs, then waits until the pipe it reads from is closed. */
static void exec_child(void)
{
	char byte;

	mt_post(STDOUT_FILENO);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	_exit(0);
}

/*
 * Runs before main(): ends the program where there is nothing to be tested, and
 * does the work of a process that mt_exec() made.
 */
static void __attribute__((constructor)) begin(void)
{
	int fd;

	if (getenv(EXEC_ENV))
		exec_child();
	if (geteuid())
		ksft_exit_skip("must be run as root\n");
	fd = open(MT_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		ksft_exit_skip("%s: %s\n", MT_DEVICE, strerror(errno));
	close(fd);
}

/* Runs a fresh image of this program: see exec_child(). */
void mt_exec(int in, int out)
{
	char * const argv[] = { "exec-child", NULL };

	mt_assert(dup2(in, STDIN_FILENO) >= 0);
	mt_assert(dup2(out, STDOUT_FILENO) >= 0);
	mt_assert_eq(setenv(EXEC_ENV, "1", 1), 0);
	execv("/proc/self/exe", argv);
	mt_fail(__FILE__, __LINE__, "exec: %s", strerror(errno));
}

/* The child dies with its parent, so that a test that ends leaves nothing. */
pid_t mt_fork(void (*fn)(void *arg), void *arg)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	mt_assert(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(KSFT_FAIL);
	fn(arg);
	_exit(KSFT_PASS);
}

/* Returns the status as waitpid(2) has it. */
int mt_wait(pid_t pid)
{
	int status;
	pid_t ret;

	do
		ret = waitpid(pid, &status, 0);
	while (ret < 0 && errno == EINTR);
	mt_assert_eq(ret, pid);
	return status;
}

/* True if the child has ended and is yet to be waited for. */
bool mt_has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	mt_assert_eq(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT),
		     0);
	return info.si_pid == pid;
}

void mt_wait_ok(pid_t pid)
{
	int status = mt_wait(pid);

	if (status)
		mt_fail(__FILE__, __LINE__, "child %d ended with status %#x",
			pid, status);
}

void mt_wait_signal(pid_t pid, int sig)
{
	int status = mt_wait(pid);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
		mt_fail(__FILE__, __LINE__,
			"child %d ended with status %#x, not by signal %d",
			pid, status, sig);
}

void mt_run(void (*fn)(void *arg), void *arg)
{
	mt_wait_ok(mt_fork(fn, arg));
}

void mt_become(uid_t uid, gid_t gid)
{
	mt_assert_eq(setgroups(0, NULL), 0);
	mt_assert_eq(setresgid(gid, gid, gid), 0);
	mt_assert_eq(setresuid(uid, uid, uid), 0);
	/* Changing ids makes a process undumpable and clears this. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 1);
}

void mt_pipe(int fd[2])
{
	mt_assert_eq(pipe2(fd, O_CLOEXEC), 0);
}

void mt_post(int fd)
{
	mt_assert_eq(write(fd, "", 1), 1);
}

/* False where the other end was closed. */
bool mt_wait_post(int fd)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	mt_assert_ge(n, 0);
	return n == 1;
}

static __thread sigjmp_buf fault_env;

static void on_fault(int sig)
{
	siglongjmp(fault_env, sig);
}

/* Calls @fn. Returns the signal that its access to memory raised, or 0. */
int mt_catch(void (*fn)(void *arg), void *arg)
{
	struct sigaction action = { .sa_handler = on_fault };
	struct sigaction old_bus, old_segv;
	int sig;

	sigaction(SIGBUS, &action, &old_bus);
	sigaction(SIGSEGV, &action, &old_segv);
	sig = sigsetjmp(fault_env, 1);
	if (!sig)
		fn(arg);
	sigaction(SIGBUS, &old_bus, NULL);
	sigaction(SIGSEGV, &old_segv, NULL);
	return sig;
}

static void load(void *addr)
{
	__atomic_load_n((char *)addr, __ATOMIC_RELAXED);
}

static void store_same(void *addr)
{
	char byte = __atomic_load_n((char *)addr, __ATOMIC_RELAXED);

	__atomic_store_n((char *)addr, byte, __ATOMIC_RELAXED);
}

/* The signal that a load from @addr raises, 0 if it succeeds. */
int mt_read_signal(const void *addr)
{
	return mt_catch(load, (void *)addr);
}

/* The same for a store, of what is there. */
int mt_write_signal(void *addr)
{
	return mt_catch(store_same, addr);
}

unsigned int mt_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	mt_assert(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

int mt_write_file(const char *path, const char *text)
{
	ssize_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != len)
		ret = -errno;
	close(fd);
	return ret;
}

/* Reads what fits, and ends it with a NUL. Returns the number of bytes. */
int mt_read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	buf[len] = '\0';
	close(fd);
	return n < 0 ? -errno : (int)len;
}

/* The state letter of a thread, as in /proc. */
char mt_state(pid_t tid)
{
	char path[64], buf[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	mt_assert_ge(mt_read_file(path, buf, sizeof(buf)), 1);
	return *(strrchr(buf, ')') + 2);
}

void mt_wait_state(pid_t tid, char state)
{
	while (mt_state(tid) != state)
		usleep(1000);
}

unsigned long mt_env(const char *name, unsigned long fallback)
{
	const char *text = getenv(name);
	unsigned long value;
	char *end;

	if (!text || !*text)
		return fallback;
	value = strtoul(text, &end, 0);
	if (*end)
		mt_fail(__FILE__, __LINE__, "%s: not a number: %s", name, text);
	return value;
}

void mt_random_init(struct mt_random *r, __u64 seed)
{
	/* xorshift never leaves zero */
	r->state = seed * 0x9e3779b97f4a7c15 + 1;
	if (!r->state)
		r->state = 1;
}

__u64 mt_random(struct mt_random *r)
{
	__u64 x = r->state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	r->state = x;
	return x;
}

/* From 0 to @bound - 1. */
__u64 mt_random_below(struct mt_random *r, __u64 bound)
{
	return (mt_random(r) >> 11) % bound;
}
