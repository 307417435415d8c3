/*
 * local_frames: well-formed frames of a client, built from few bytes of a script.
 *
 * Between a script and a pipe. Whether a frame may come now is left to the script.
 *
 * Invariant: what is built can be decoded.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_FUZZ_LOCAL_FRAMES_H
#define WSP_TESTS_FUZZ_LOCAL_FRAMES_H

#include "proto/buffer.h"
#include "proto/local/message.h"
#include "tests/fuzz/feed.h"
#include "tests/fuzz/script.h"

struct local_frames {
    struct wsp_buffer bytes; /* what was built and not taken yet */
    uint64_t credit[8];      /* given last, by channel number */
    size_t n_built;          /* bytes, ever */
    const struct feed *feed; /* in whose runs an OPEN may resume */
};

/* What a subscription says begins with this; then "+" or "-", and a digit. */
#define LOCAL_FRAMES_TOPIC "topic of a fuzzed program "

/* Beyond so many bytes payloads are empty and floods are over, so that no input takes long. */
enum { LOCAL_FRAMES_MAX_BUILT = 4 << 20 };

/* Arguments, one byte each unless they are a size; a channel number is the low three bits of the first. */
enum local_frame {
    /* number | sharing << 3 | protocols << 5 | headers << 6 | resumes << 7; URL | option << 3; run and message number to
     * resume after */
    LOCAL_FRAME_OPEN,
    LOCAL_FRAME_DATA,   /* number | MORE << 3 | binary << 4 | seed << 5; size */
    LOCAL_FRAME_CREDIT, /* number; size: so much more */
    LOCAL_FRAME_CLOSE, /* number | discard << 3 | code << 4 | has reason << 7; size of the reason */
    LOCAL_FRAME_RELEASE, /* number */
    LOCAL_FRAME_ABORT,   /* number */
    LOCAL_FRAME_REQUEST, /* verb | id << 3; from 0xc0 on: length of a verb or argument, and its bytes */
    LOCAL_FRAME_SUBSCRIBE, /* number | UNSUBSCRIBE << 3 | topic << 4 | another on_leave << 7 */
    LOCAL_FRAME_FLOOD,     /* a fourth of a number of requests with an unknown verb */
};

void local_frames_init(struct local_frames *frames, const struct feed *feed);
void local_frames_deinit(struct local_frames *frames);

/* Magic and HELLO. */
void local_frames_greet(struct local_frames *frames);

void local_frames_build(struct local_frames *frames, enum local_frame frame, struct script *script);

#endif
