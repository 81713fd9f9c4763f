/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * userfaultfd: a process has one, for one piece of memory. What this kernel's does
 * not have ends the contestant.
 */
#ifndef BENCH_UFFD_H
#define BENCH_UFFD_H

#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <stddef.h>

/* What kernels have since 6.7, and the headers of earlier ones lack. */
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif

#ifndef PAGEMAP_SCAN
#define PAGEMAP_SCAN		_IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_WRITTEN		(1 << 1)
#define PM_SCAN_WP_MATCHING	(1 << 0)
#define PM_SCAN_CHECK_WPASYNC	(1 << 1)

struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};
#endif

/* uffd_open(): with these features; @what is said where there is none such */
void uffd_open(__u64 features, const char *what);

/* uffd_register(): from here on its faults are ours, in that mode */
void uffd_register(void *memory, size_t bytes, __u64 mode);

/* uffd_protect(): with UFFDIO_WRITEPROTECT_MODE_WP; 0: lets who waits write */
void uffd_protect(void *memory, size_t bytes, __u64 mode);

/* uffd_zero(): a page that was not there is, and who waits goes on */
void uffd_zero(void *page, size_t bytes);

/* uffd_handle(): a thread that calls @handle with the page of each fault */
void uffd_handle(void (*handle)(unsigned char *page));

#endif /* BENCH_UFFD_H */
