/* SPDX-License-Identifier: MIT
 *
 * channel: one WebSocket object of a client, attached to exactly one upstream: a cursor in the upstream's log on the
 * way down, an outbox of whole messages on the way up, and the few things its client still has to be told.
 * Neighbours: share above it; the client below it, which embeds it and pulls from it whatever its socket can take.
 * Invariant: after CHANNEL_END has been told, nothing more is told; messages come before the notices that follow them.
 */
#ifndef WSPLEX_DAEMON_CHANNEL_H
#define WSPLEX_DAEMON_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/failure.h"
#include "daemon/list.h"
#include "daemon/log.h"
#include "daemon/quota.h"
#include "proto/buffer.h"

struct channel;
struct share;

/*  state       | what holds                                | leaves it by
 *  CONNECTING  | the upstream is not open yet              | opened, close asked, upstream's end
 *  OPEN        | messages both ways                        | close asked, upstream closing, upstream's end, cut
 *  LEAVING     | close was asked; its own sends still go   | outbox empty: private -> CLOSING, shared -> ENDED
 *  CLOSING     | the upstream's closing handshake goes on  | upstream's end
 *  ENDED       | the end is known; the client fetches what stands before it and then the end itself
 */
enum channel_state {
    CHANNEL_CONNECTING,
    CHANNEL_OPEN,
    CHANNEL_LEAVING,
    CHANNEL_CLOSING,
    CHANNEL_ENDED
};
const char *channel_state_to_string(enum channel_state state);

/* What a channel's client has to be told, beside messages. */
enum channel_notice {
    CHANNEL_NOTICE_OPENED = 1,  /* before any message */
    CHANNEL_NOTICE_SENT = 2,    /* n_sent_bytes or cost_done has grown */
    CHANNEL_NOTICE_CLOSING = 4, /* after the messages that came before it */
    CHANNEL_NOTICE_END = 8, /* after everything else: FAILED if end.failure.cause, then CLOSED */
};

/* How a WebSocket ended, in the words of the CloseEvent. failure.cause is non-zero exactly when an `error` event
 * is due before `close`. */
struct ending {
    struct failure failure;
    bool was_clean;
    uint16_t code;
    char reason[124];
};

/* A whole message on its way up. In its channel's outbox until done; upstream holds it while it is written. */
struct outgoing {
    struct list link;
    struct channel *channel; /* NULL once the channel has gone: the message still goes */
    struct charge charge;
    struct wsp_buffer payload;
    uint64_t cost; /* credit that its local frames took */
    bool is_binary;
    bool is_in_flight; /* upstream has taken it */
};

struct channel_ops {
    /* Something new to fetch: a message or a notice. */
    void (*wake)(struct channel *channel);
    /* The channel loses its place in the log now, in the middle of a message perhaps: keep what a frame that is half
     * written still needs. */
    void (*cut)(struct channel *channel);
    /* An abandoned channel has let its sends go and left its upstream: free it. */
    void (*gone)(struct channel *channel);
};

struct channel {
    const struct channel_ops *ops;
    uint64_t id; /* unique in this daemon's life, for logs and ctl */
    struct share *share;
    struct list share_link;
    struct user *user;
    struct charge charge; /* one CHANNELS */
    struct cursor cursor;
    enum channel_state state;
    bool is_abandoned;  /* its client has gone */
    bool is_discarding; /* its program wants no more messages */
    unsigned notices;
    uint64_t closing_number; /* CLOSING is told when the cursor has come here */
    struct ending ending;
    uint16_t close_code; /* asked for by the program; 0: none given */
    char close_reason[124];
    struct list outbox;
    uint64_t outbox_bytes;
    struct list
        sender_link;        /* in share->senders while it has something that is not yet in flight */
    uint64_t over_since_ms; /* a blocking channel is over its bound since then, 0: it is not */
    /* counters */
    uint64_t created_ms;
    uint64_t n_sent, n_sent_bytes;         /* messages and payload bytes written to the network */
    uint64_t cost_done;                    /* credit of the messages that are done */
    uint64_t n_received, n_received_bytes; /* messages and payload bytes fetched by the client */
};

/* Charges one channel to the user. 0, or QUOTA_EXCEEDED: the channel then stands uncharged, only to be told so by
 * channel_fail and to be freed by channel_deinit. */
int channel_init(struct channel *channel, const struct channel_ops *ops, struct user *user,
                 uint64_t id, uint64_t now_ms);

/* Leaves its share if it is in one, and frees what it holds. Messages in flight are orphaned, others dropped. */
void channel_deinit(struct channel *channel);

/* A whole message goes up; the payload is taken, also on failure. May be called in OPEN only (the caller ignores
 * sends in later states; CONNECTING is its client's fault). Text has been checked. 0, -ENOMEM, QUOTA_EXCEEDED. */
int channel_send_take(struct channel *channel, bool is_binary, struct wsp_buffer *payload,
                      uint64_t cost);

/* The program asked for close(code, reason): promise 4 of sharing. Harmless when closing has begun already. */
void channel_close(struct channel *channel, uint16_t code, struct wsp_view reason, bool discard);

/* The channel ends here and now, not clean, code 1006: an OPEN that is refused (it has no share then), or a message
 * that cannot be held. It leaves its share as a slow consumer does: cut first where it stands in the log. Harmless
 * after its end. */
void channel_fail(struct channel *channel, const struct failure *failure);

/* The client has gone: whole messages it gave still go, then ops->gone. May call it at once. */
void channel_abandon(struct channel *channel);

/* Notices that may be told now, given where the cursor stands: bits of enum channel_notice. */
unsigned channel_due(const struct channel *channel);

/* That notice has been written. After END the owner calls channel_deinit when the client releases the number. */
void channel_told(struct channel *channel, enum channel_notice notice);

/* The entry to fetch next, or NULL; the caller reads it from cursor.offset on. Never before OPENED was told. */
const struct entry *channel_peek(const struct channel *channel);

/* The current entry has been written whole. */
void channel_fetched(struct channel *channel);

/* For upstream: n more payload bytes of the message have reached the network; the message is done (it is freed). */
void outgoing_written(struct outgoing *outgoing, size_t len);
void outgoing_done(struct outgoing *outgoing);

/* For upstream's end: the message will not be sent any more. */
void outgoing_drop(struct outgoing *outgoing);

#endif
