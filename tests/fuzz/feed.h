/*
 * feed: what scripted servers have said: for each run of an upstream its messages, which need no memory, as their
 * bytes follow from their numbers.
 *
 * Between a target's scripted upstream, which says them, and local_model, which compares what arrives.
 *
 * Invariant: no two messages near each other have the same bytes, however they are cut.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_FUZZ_FEED_H
#define WSP_TESTS_FUZZ_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/list.h"
#include "proto/buffer.h"

/* The longest piece of a pattern. */
enum { FEED_MAX_LEN = 300 * 1024 };

struct feed_message {
    uint32_t len;
    bool is_binary;
};

/* The messages with the numbers 1, 2, 3 ... of one epoch. */
struct feed_run {
    struct list link;
    uint8_t epoch[16];
    bool is_shared;
    bool is_ended;
    uint64_t n_messages;
    struct feed_message *messages;
};

struct feed {
    struct list runs;
};

void feed_init(struct feed *feed);
void feed_deinit(struct feed *feed);

/* A new run, which lives as long as the feed. */
struct feed_run *feed_begin(struct feed *feed, const uint8_t epoch[16], bool is_shared);

/* The run of that epoch, or NULL. */
struct feed_run *feed_find(const struct feed *feed, const uint8_t epoch[16]);

/* The next message of the run is counted, and its bytes are returned; a text is ASCII. */
struct wsp_view feed_say(struct feed_run *run, bool is_binary, size_t len);

/* The bytes of the message of that number, which was said. */
struct wsp_view feed_message(const struct feed_run *run, uint64_t number);

/* len bytes that begin as seed says; ASCII unless is_binary. */
struct wsp_view feed_pattern(uint64_t seed, bool is_binary, size_t len);

#endif
