/* SPDX-License-Identifier: MIT
 *
 * assembly: a message of a channel while its pieces arrive from the client, and the credit that lets them come.
 * A message that fits the initial credit needs nothing; a larger one waits until the uid's quota has room for
 * max-message, and from then on is granted credit until it is whole, so whoever has begun can always finish.
 * Neighbours: client_requests feeds it; channel takes the whole message.
 * Invariant: granted - received is never below what the client may rightly have on its way, and at most one
 * window beyond.
 */
#ifndef WSPLEX_DAEMON_ASSEMBLY_H
#define WSPLEX_DAEMON_ASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/list.h"
#include "daemon/quota.h"
#include "proto/buffer.h"
#include "proto/utf8.h"

struct assembly {
    struct user *user;
    struct list link; /* in user->waiting while it waits for its turn */
    void (*granted_more)(struct assembly *assembly); /* a CREDIT frame is due */
    struct charge charge;
    struct wsp_buffer payload;
    struct wsp_utf8 utf8;
    uint64_t max_message;
    bool is_begun, is_binary, has_turn;
    uint64_t cost;          /* of the begun message so far */
    uint64_t cost_received; /* cumulative, of all data frames of the channel */
    uint64_t granted;       /* cumulative total, as announced to the client */
};

/* Results of assembly_feed beside 0 and negative errno; what each means for the client is proto/local/errors.def's. */
enum assembly_result {
    ASSEMBLY_MORE = 1,    /* not whole yet */
    ASSEMBLY_OVER_CREDIT, /* fatal */
    ASSEMBLY_OUT_OF_TURN, /* fatal: another type than the message began with */
    ASSEMBLY_TOO_BIG,     /* ends the channel */
    ASSEMBLY_NOT_UTF8,    /* fatal: the library checks before it sends */
};

void assembly_init(struct assembly *assembly, struct user *user, uint64_t max_message,
                   void (*granted_more)(struct assembly *assembly));
void assembly_deinit(struct assembly *assembly);

/* One data frame. 0: the message is whole in payload, with its cost; the caller takes both before the next feed. */
int assembly_feed(struct assembly *assembly, bool is_binary, bool is_last, struct wsp_view piece);

/* An ABORT frame: forgets what was begun (its credit is given again). ASSEMBLY_OUT_OF_TURN if nothing was. */
int assembly_abort(struct assembly *assembly);

/* The channel's cost_done has grown: computes the new total to grant. True if a CREDIT frame is worth while. */
bool assembly_regrant(struct assembly *assembly, uint64_t cost_done);

#endif
