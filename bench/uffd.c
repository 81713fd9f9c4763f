// SPDX-License-Identifier: GPL-2.0-only
/* userfaultfd, for memory that is protected and for memory that is not there. */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "uffd.h"

#define PAGE		4096UL

static int fd;

void uffd_open(__u64 features, const char *what)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		not_here(what);
}

void uffd_register(void *memory, size_t bytes, __u64 mode)
{
	struct uffdio_register args = {
		.range = { .start = (uintptr_t)memory, .len = bytes },
		.mode = mode,
	};

	must(ioctl(fd, UFFDIO_REGISTER, &args), "UFFDIO_REGISTER");
}

void uffd_protect(void *memory, size_t bytes, __u64 mode)
{
	struct uffdio_writeprotect args = {
		.range = { .start = (uintptr_t)memory, .len = bytes },
		.mode = mode,
	};

	must(ioctl(fd, UFFDIO_WRITEPROTECT, &args), "UFFDIO_WRITEPROTECT");
}

void uffd_zero(void *page, size_t bytes)
{
	struct uffdio_zeropage args = {
		.range = { .start = (uintptr_t)page, .len = bytes },
	};

	must(ioctl(fd, UFFDIO_ZEROPAGE, &args), "UFFDIO_ZEROPAGE");
}

static void *handle_faults(void *arg)
{
	void (*handle)(unsigned char *page) = arg;
	struct uffd_msg message;

	for (;;) {
		must(read(fd, &message, sizeof(message)), "userfaultfd");
		if (message.event == UFFD_EVENT_PAGEFAULT)
			handle((void *)(uintptr_t)(message.arg.pagefault.address &
						   -PAGE));
	}
	return NULL;
}

void uffd_handle(void (*handle)(unsigned char *page))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, handle_faults, handle))
		errx(1, "no thread");
}
