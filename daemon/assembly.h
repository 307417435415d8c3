/* SPDX-License-Identifier: MIT
 *
 * assembly: a message of a channel while its pieces arrive from the client, and the credit that
 * lets them come. A message that fits the initial credit needs nothing; a longer one waits until
 * the uid's quota has room for max-message, and from then on is granted credit until it is whole,
 * so whoever has begun can always finish.
 * Neighbours: client_requests feeds it; channel takes the whole message.
 * Invariant: granted - cost_received, what the client may still send, is at most one window
 * (WSP_INITIAL_CREDIT). It is a whole one whenever all that has arrived is done, and half of one at
 * least unless the channel's earlier messages or the quota forbid it.
 */
#ifndef WSPLEX_DAEMON_ASSEMBLY_H
#define WSPLEX_DAEMON_ASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/quota.h"
#include "proto/buffer.h"
#include "proto/utf8.h"

/*  what is granted beyond what has arrived
 *  always           | one window less what is not done yet (received but not sent): cost_done + window
 *  a begun message  | once the earlier ones leave less than half a window of the above, and are themselves no more
 *                   | than one window, it waits for its turn; when it has its turn: one window, until it is whole
 */
struct assembly {
    struct user *user;
    struct waiter waiter;                            /* for the turn */
    void (*granted_more)(struct assembly *assembly); /* a CREDIT frame is due; only marks */
    struct charge charge;                            /* SENDING_BYTES */
    struct wsp_buffer payload;
    struct wsp_utf8 utf8;
    uint64_t max_message;
    bool is_begun, is_binary;
    uint64_t cost;          /* of the message in payload so far */
    uint64_t cost_received; /* cumulative, of all data frames of the channel */
    uint64_t cost_done;     /* as last told by assembly_regrant */
    uint64_t cost_aborted;  /* cumulative, of the messages that were aborted */
    uint64_t granted;       /* cumulative total, as to be announced to the client */
};

/* Results of assembly_feed beside 0 and negative errno; what each means for the client is
 * proto/local/errors.def's. */
enum assembly_result {
    ASSEMBLY_MORE = 1,    /* not whole yet */
    ASSEMBLY_OVER_CREDIT, /* fatal */
    ASSEMBLY_OUT_OF_TURN, /* fatal: another type than the message began with, or nothing to abort */
    ASSEMBLY_TOO_BIG,     /* ends the channel */
    ASSEMBLY_OVER_QUOTA,  /* ends the channel */
    ASSEMBLY_NOT_UTF8,    /* fatal: the library checks before it sends */
};

/* Grants WSP_INITIAL_CREDIT, which needs no CREDIT frame. Keeps a reference on the user. */
void assembly_init(struct assembly *assembly, struct user *user, uint64_t max_message,
                   void (*granted_more)(struct assembly *assembly));
void assembly_deinit(struct assembly *assembly); /* takes a zeroed one */

/* One data frame. 0: the message is whole, and payload, cost and charge are the caller's to take
 * (channel_send_take); what is not taken before the next feed is dropped. ASSEMBLY_MORE, another
 * enum assembly_result, or -ENOMEM: after these the assembly is only good for assembly_deinit. May
 * call granted_more. */
int assembly_feed(struct assembly *assembly, bool is_binary, bool is_last, struct wsp_view piece);

/* An ABORT frame: forgets what was begun; its cost counts as done. 0 or ASSEMBLY_OUT_OF_TURN. May
 * call granted_more. */
int assembly_abort(struct assembly *assembly);

/* The channel's cost_done has grown. May call granted_more. */
void assembly_regrant(struct assembly *assembly, uint64_t cost_done);

#endif
