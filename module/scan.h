/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_SCAN_H
#define MARENA_SCAN_H

#include <linux/types.h>

#include "marker.h"

struct marena_span;
struct page;

void marena_look_at(struct marena_marker *marker, u64 index,
		    struct page *page);
void marena_scan_bytes(struct marena_marker *marker,
		       const struct marena_span *span, u64 start, u64 from,
		       u64 to);
void marena_scan_old(struct marena_marker *marker, u64 index);
void marena_scan_chunk(struct marena_marker *marker,
		       const struct marena_span *span, u64 start, u64 chunk);

#endif /* MARENA_SCAN_H */
