/* SPDX-License-Identifier: MIT
 *
 * shared_frames: the local frames of consecutive short messages of a log that are for all, made once for all clients
 * that read them under the same channel number. Most programs have one channel and so the same
 * number: what one more of them costs is then its write and little else.
 * Neighbours: log has the messages; client_plan puts the frames into a client's write.
 * Invariant: a strip holds, end to end, the frames of consecutive messages of one epoch, and what has
 * been made of it stays as it is as long as the plan that uses it.
 */
#ifndef WSPLEX_DAEMON_SHARED_FRAMES_H
#define WSPLEX_DAEMON_SHARED_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/limits.h"
#include "daemon/log.h"

enum {
    /* A message from this length on is no short one: to copy it costs more than a further part of a
     * gathered write. */
    SHORT_MESSAGE_LEN = 16 * 1024,
    /* Clients read at different places, a few of them far behind. */
    N_STRIPS = 4,
    STRIP_LEN = MAX_CLIENT_WRITE / 2,
    MAX_STRIP_FRAMES = 2048,
};

struct strip {
    uint8_t epoch[LOG_EPOCH_LEN];
    uint32_t channel;
    uint64_t first; /* number of the first message */
    uint64_t plan;  /* that used it last */
    unsigned n;     /* 0: it is empty */
    size_t ends[MAX_STRIP_FRAMES];
    const struct entry *entries[MAX_STRIP_FRAMES]; /* for who has a cursor at or before them */
    uint8_t bytes[STRIP_LEN];
};

struct shared_frames {
    uint64_t plan;
    struct strip strips[N_STRIPS];
};

/* What a client is to be told. */
struct frames_wish {
    const struct entry *from; /* its reader has a cursor at it or before it */
    uint64_t end_number; /* after from: the first that is not to be told; UINT64_MAX: all are */
    uint32_t channel;
    size_t max_len; /* of the frames together, but the first message comes whole in any case */
};

/* Whole frames, until the plan after this one. */
struct frames_run {
    const struct strip *strip;
    unsigned begin, end; /* frames of the strip */
    const struct entry
        *next; /* after the last of them, for whomever it is; NULL at the end of the log */
};

/* Zeroed memory is empty. A new plan begins: what was given out before is no longer needed. */
void shared_frames_begin(struct shared_frames *frames);

/* The frames of messages from the wish's first on, as many as there are on one strip, at least one.
 * False: the message is not short or not for all, or this plan uses all strips. */
bool shared_frames_get(struct shared_frames *frames, const struct frames_wish *wish,
                       struct frames_run *ret_run);

struct wsp_view frames_run_bytes(const struct frames_run *run);
size_t frames_run_payload_len(const struct frames_run *run); /* of all its messages together */

/* Shortens a run to the frames that are whole within its first len bytes, perhaps to none. */
void frames_run_shorten(struct frames_run *run, size_t len);

#endif
