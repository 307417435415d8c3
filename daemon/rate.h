/* SPDX-License-Identifier: MIT
 *
 * rate: "5 messages per second": so many of something in any period of so long, as people write it.
 * Neighbours: option_text checks what a configuration says, budget holds the daemon to it.
 * Invariant: a rate that was parsed has a count and a period within their bounds.
 */
#ifndef WSPLEX_DAEMON_RATE_H
#define WSPLEX_DAEMON_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buffer.h"

/* More than one in a microsecond is no limit. Within less than a tenth of a second a server counts
 * no rate but the network's moods. What is longer than a month is an invoice. */
#define RATE_MAX_COUNT     UINT64_C(1000000000)
#define RATE_MIN_PERIOD_MS UINT64_C(100)
#define RATE_MAX_PERIOD_MS (UINT64_C(31) * 86400000)

/* At most count in any period. */
struct rate {
    uint64_t count, period_ms;
};

/* "5 messages per second", "300 per 5 minutes", "1000/day": a number; one of the nouns ("message|messages"), or
 * none; "per" or "/"; a unit of time, with a number before it or without. 0, or one of these. */
enum rate_problem {
    RATE_NOT_UNDERSTOOD = 1,
    RATE_OTHER_NOUN, /* it counts something else */
    RATE_BAD_COUNT,  /* 0, or too many */
    RATE_BAD_PERIOD, /* too short or too long */
};
int rate_parse(struct wsp_view text, const char *nouns, struct rate *ret_rate);

/* "300 per 5min": what rate_parse reads back as the same. */
enum { RATE_TEXT_LEN = 56 };
void rate_format(struct rate rate, char ret_text[RATE_TEXT_LEN]);

#endif
