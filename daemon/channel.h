/* SPDX-License-Identifier: MIT
 *
 * channel: one WebSocket object of a client, attached to exactly one upstream: a cursor in the
 * upstream's log on the way down, an outbox of whole messages on the way up, and the few things its
 * client still has to be told.
 * Neighbours: share above it; the client below it, which embeds it and pulls from it whatever its
 * socket can take.
 * Invariant: after CHANNEL_NOTICE_END has been told, nothing more is told; messages come before the
 * notices that follow them.
 */
#ifndef WSPLEX_DAEMON_CHANNEL_H
#define WSPLEX_DAEMON_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backlog.h"
#include "daemon/failure.h"
#include "daemon/list.h"
#include "daemon/log.h"
#include "daemon/outgoing.h"
#include "daemon/quota.h"
#include "daemon/routing.h"
#include "daemon/subscriptions.h"
#include "daemon/target.h"
#include "proto/buffer.h"
#include "proto/limits.h"

struct channel;
struct share;

/*  state       | what holds                               | event               | next
 *  CONNECTING  | in a share that is not open yet, or in   | opened              | OPEN
 *              | none before shares_open                  | close asked         | ENDED: error, 1006
 *              |                                          | opened, client gone | LEAVING
 *  OPEN        | messages both ways                       | close asked         | LEAVING
 *              |                                          | upstream is parting | OPEN: CLOSING is due, answers still go
 *              |                                          | upstream is closing | CLOSING
 *              |                                          | client has gone     | LEAVING
 *  LEAVING     | close was asked; its own sends still go, | sends gone, shared  | ENDED: clean, as asked
 *              | no new ones                              | sends gone, private | CLOSING
 *              |                                          | upstream is closing | CLOSING
 *  CLOSING     | the upstream's closing handshake goes on |                     |
 *  any of them |                                          | upstream's end      | ENDED: as the upstream says
 *              |                                          | channel_fail, slow  | ENDED: error, 1006; nothing more to fetch
 *  ENDED       | the end is known; the client fetches what stands before it and then the end itself
 *
 * Messages go down in every state but CONNECTING, also after ENDED those that had come before it.
 */
enum channel_state {
    CHANNEL_CONNECTING,
    CHANNEL_OPEN,
    CHANNEL_LEAVING,
    CHANNEL_CLOSING,
    CHANNEL_ENDED
};
const char *channel_state_to_string(enum channel_state state);

/* What a channel's client has to be told, beside messages; in this order where several are due. */
enum channel_notice {
    CHANNEL_NOTICE_OPENED = 1 << 0, /* before any message: first_number, live_number */
    CHANNEL_NOTICE_SENT = 1 << 1,   /* n_sent_bytes or cost_done has grown */
    CHANNEL_NOTICE_UNSENT = 1 << 2, /* n_unsent has grown */
    CHANNEL_NOTICE_GAP = 1 << 3,    /* what stands in gap is missing before the next message */
    /* Of the connection from which the last message came so many were dropped: GAP (SLOW_CONSUMER). */
    CHANNEL_NOTICE_DROPS_BEFORE = 1 << 4,
    CHANNEL_NOTICE_INTERRUPTED = 1 << 5, /* that connection is over */
    /* What comes next is of another one: GAP (RECONNECTED) with its epoch, then RESUMED. */
    CHANNEL_NOTICE_RESUMED = 1 << 6,
    CHANNEL_NOTICE_DROPS = 1 << 7, /* of this one so many were dropped: GAP (SLOW_CONSUMER) */
    /* The next message has a higher number than the client counts, and nothing is lost. */
    CHANNEL_NOTICE_POSITION = 1 << 8,
    CHANNEL_NOTICE_CLOSING = 1 << 9, /* the upstream closes, unasked: after what came before */
    CHANNEL_NOTICE_END =
        1 << 10, /* after everything else: FAILED if there is a cause, then CLOSED */
};

/* The reason of a close: UTF-8 in which U+0000 is a character like others, so it has a length and no
 * end. */
struct close_reason {
    size_t len;
    uint8_t bytes[WSP_MAX_CLOSE_REASON];
};
struct close_reason close_reason_of(struct wsp_view text); /* what is too long is cut */
struct wsp_view close_reason_view(const struct close_reason *reason);

/* How a WebSocket ended, in the words of the CloseEvent. failure.cause is non-zero exactly when an
 * `error` event is due before `close`. */
struct ending {
    struct failure failure;
    bool was_clean;
    bool is_shutdown; /* the upstream was closed because the daemon stops */
    uint16_t code;
    struct close_reason reason;
};

/* A position to resume after. */
struct position {
    bool is_given;
    uint8_t epoch[LOG_EPOCH_LEN];
    uint64_t number;
};

/* Called from anywhere in the daemon, also from within the client's own calls: they mark what is to
 * be done, and may call any function of channel.h but none that writes to a socket. */
struct channel_ops {
    /* Something new to fetch: a message or a notice. Not for an abandoned channel. */
    void (*wake)(struct channel *channel);
    /* The channel loses its place in the log now, in the middle of a message perhaps: keep what a
     * frame that is half written still needs. The entry is still there (channel_front), and nothing
     * else may happen to the channel in this op. Not for an abandoned channel. */
    void (*cut)(struct channel *channel);
    /* An abandoned channel has let its sends go and left its upstream: the last call, in which it
     * may be deinited and freed. */
    void (*gone)(struct channel *channel);
};

struct channel {
    const struct channel_ops *ops;
    uint64_t id; /* unique in this daemon's life, for logs and ctl */
    struct share *share;
    struct list share_link;
    struct user *user;      /* a reference */
    struct charge charge;   /* one CHANNELS */
    struct backlog backlog; /* is read first, */
    struct cursor cursor;   /* then what is from here on */
    size_t offset;          /* of the message that is read first, so much of the payload is out */
    enum channel_state state;
    bool is_holding;       /* its share's upstream stays open for it */
    bool is_open_told;     /* CHANNEL_NOTICE_OPENED was; before, nothing but the end is told */
    bool is_abandoned;     /* its client has gone */
    uint8_t denied;        /* bits of enum wsp_denied */
    bool is_close_asked;   /* by its program */
    bool is_closing_known; /* CHANNEL_NOTICE_CLOSING is or was due: it is told once */
    /* Not told yet: bits of enum channel_notice. INTERRUPTED, RESUMED, POSITION and those of drops are never among
     * them: they follow from what is read next and from what the client was told last, which is the following. */
    unsigned notices;
    struct epoch *epoch;       /* a reference: in which the client counts; NULL before it is open */
    uint64_t next_number;      /* that the client counts for its next message */
    bool is_interruption_told; /* of the end of that epoch */
    struct gap gap;            /* with CHANNEL_NOTICE_GAP */
    struct position resume;    /* what the program asked for when it opened */
    struct retention replay;   /* likewise: how much of what was before, at most */
    uint64_t first_number;     /* of the first message that it may see */
    uint64_t live_number;      /* of the first that has come after it was open */
    uint64_t closing_number;   /* CLOSING stands before this message */
    uint64_t end_number;       /* once ENDED: the end stands before this message */
    struct ending ending;      /* once ENDED */
    uint16_t close_code;       /* asked for by the program; 0: none given */
    struct close_reason close_reason;
    /* up */
    struct list outbox;      /* struct outgoing that wait */
    struct list in_flight;   /* those that the upstream has taken */
    uint64_t outbox_bytes;   /* payload bytes of both that have not reached the network */
    struct list sender_link; /* in share->senders while outbox has something that may go */
    uint64_t n_given;        /* messages that were ever in the outbox */
    struct subscriber subscriber;
    struct asker asker;
    /* slow consumer */
    enum slow_consumer slow_consumer;
    uint64_t queue_bytes, queue_messages;
    bool is_shedding;  /* drop-newest, conflate: it was over its bound, and has not caught up */
    struct charge lag; /* QUEUED_BYTES of its own user: see shedding.h */
    struct list block_link; /* in share->blocking while it is over its bound */
    uint64_t over_since_ms; /* valid while it is in that list */
    /* counters */
    uint64_t created_ms;
    uint64_t n_sent, n_sent_bytes;     /* messages and payload bytes written to the network */
    uint64_t n_unsent, n_unsent_bytes; /* messages and payload bytes that will not be sent */
    uint64_t cost_done; /* credit of the messages that are done, or will not be sent */
    uint64_t n_received, n_received_bytes; /* messages and payload bytes fetched by the client */
};

/* Charges one channel to the user. 0, or QUOTA_EXCEEDED: the channel then stands uncharged, only to
 * be told so by channel_fail and to be freed by channel_deinit. */
int channel_init(struct channel *channel, const struct channel_ops *ops, struct user *user,
                 uint64_t id, uint64_t now_ms);

/* Leaves its share if it is in one, and frees what it holds. Messages in flight are orphaned,
 * others dropped. Calls no op. Takes a zeroed one, and a second call. */
void channel_deinit(struct channel *channel);

/* The program wants on_connect said to each connection, and on_leave when it no longer does
 * (subscriptions.h); neither has been checked but that both are UTF-8. What cannot be fails the channel. Before
 * shares_open has succeeded and after OPEN it has no effect. 0, -ENOMEM. */
int channel_subscribe(struct channel *channel, struct wsp_view on_connect,
                      struct wsp_view on_leave);
void channel_unsubscribe(struct channel *channel, struct wsp_view on_connect);

/* The program asked for close(code, reason): promise 4 of sharing. The first call decides; but
 * discard, which says that the program wants no more messages, holds whenever it comes. code and
 * reason have been checked; 0 is no code. */
void channel_close(struct channel *channel, uint16_t code, struct wsp_view reason, bool discard);

/* The channel ends here and now, not clean, code 1006: an OPEN that is refused (it has no share
 * then), or a message that cannot be held. It leaves its share as a slow consumer does: cut first
 * where it stands in the log. Harmless after its end. */
void channel_fail(struct channel *channel, const struct failure *failure);

/* The client has gone: whole messages it gave still go, once the upstream is open, then ops->gone,
 * once. May call it at once. A private upstream then closes with 1001. */
void channel_abandon(struct channel *channel);

/* Notices that may be told now, given where the cursor stands: bits of enum channel_notice. They
 * come before the message that channel_peek shows, if it shows one. */
unsigned channel_due(const struct channel *channel);

/* That notice has been written; the values told are read before. With END the channel has left its
 * share, and its owner calls channel_deinit when the client releases the number. */
void channel_told(struct channel *channel, enum channel_notice notice);

/* The entry to fetch next, or NULL; the caller reads it from channel->offset on. NULL as long as
 * OPENED or CLOSING is due. */
const struct entry *channel_peek(const struct channel *channel);

/* The same whatever is due: of the backlog, or the one at the cursor. */
const struct entry *channel_front(const struct channel *channel);

/* Where reading goes on: the number and the epoch of the next message, or of the end of the log. */
uint64_t channel_place(const struct channel *channel);
const struct epoch *channel_place_epoch(const struct channel *channel);

/* What is missing where reading goes on: see CHANNEL_NOTICE_DROPS_BEFORE and CHANNEL_NOTICE_DROPS. */
uint64_t channel_drops_before(const struct channel *channel);
uint64_t channel_drops(const struct channel *channel);

/* The number behind the last message that is missing before the interruption. */
uint64_t channel_drops_end(const struct channel *channel);

/* The first message is on its way to the client, and so many bytes of its payload are out, beside
 * what a frame has that is half written: it is finished, whatever else is dropped. */
void channel_began(struct channel *channel, size_t offset);

/* The first message has been written whole. */
void channel_fetched(struct channel *channel);

/* All entries from that at the cursor, which is read first, up to next, NULL for the end of the log, have been written
 * whole, and all were for this channel; payload_len is that of all of them together. */
void channel_fetched_run(struct channel *channel, const struct entry *next, size_t payload_len);

/* What still has to be read, the current message included whole. */
uint64_t channel_lag_messages(const struct channel *channel);
uint64_t channel_lag_cost(const struct channel *channel);

/* --- for share, flow and outgoing. What ends or wakes a channel calls an op last, so the channel may be freed by then. --- */

/* Tells the client that there is something, unless nobody is there to hear. */
void channel_wake(struct channel *channel);

/* The upstream is open: the channel reads from here on, or from where it wants to resume or to have a replay.
 * CONNECTING -> OPEN; LEAVING if its client has gone and left messages to send; others stay. */
void channel_opened(struct channel *channel, struct log *log);

/* The log has been interrupted (log_interrupt), or has a new epoch (log_begin_epoch). A channel that has caught up is
 * woken to tell it; one that lags, of whatever state, learns it when it gets there. */
void channel_interrupted(struct channel *channel);
void channel_resumed(struct channel *channel);

/* The upstream will be closing as soon as the channel, which is OPEN, has said what it has to say to the messages that
 * came before: CLOSING is due behind them, and its client answers it with CLOSE. False in other states, where nothing
 * is to be waited for. */
bool channel_parting(struct channel *channel, const struct log *log);

/* The upstream is closing: no sends go any more, and messages may still come. OPEN, LEAVING ->
 * CLOSING; others stay, and an abandoned channel goes. */
void channel_closing(struct channel *channel, const struct log *log);

/* The one place where the state changes to ENDED: the end stands where the log ends now, and OPENED
 * or CLOSING not yet told stay due before it. What has not been sent is dropped. Harmless when
 * ENDED. An abandoned channel goes. */
void channel_end(struct channel *channel, const struct ending *ending);

/* As channel_fail; but one that is ENDED and has yet to fetch what stands before its end fetches no
 * more, and the failure replaces the end, so that the loss is told. */
void channel_cut_off(struct channel *channel, const struct failure *failure);

/* Not reading has moved its cursor: one that is ENDED leaves the log if that is where its end stands. */
void channel_moved(struct channel *channel);

/* Its place in the log and its backlog are given up; no op is called. */
void channel_leave_log(struct channel *channel);

#endif
