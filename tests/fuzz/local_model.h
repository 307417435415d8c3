/*
 * local_model: what a client of proto/PROTOCOL.md may see: checks every byte that the daemon writes to one.
 *
 * Between a pipe, whose bytes it looks at in both directions, and a feed, which says what messages there were.
 * It is written from the document: it knows of the daemon what a client knows.
 *
 * Invariant: a frame of the daemon belongs to the oldest of the number's channels that has not been CLOSED, one of
 * the client to the newest.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_FUZZ_LOCAL_MODEL_H
#define WSP_TESTS_FUZZ_LOCAL_MODEL_H

#include "proto/local/message.h"
#include "proto/local/wire.h"
#include "tests/fuzz/feed.h"

struct local_sent;

/* One life of a channel number. */
struct local_channel {
    struct list link;
    uint32_t number;
    uint64_t id; /* the daemon's, once the target has found it; 0 before */
    /* what the client has said */
    bool is_close_sent, is_discard_sent, is_released;
    bool is_resuming; /* after this message of the run of this epoch */
    struct wsp_epoch resume_epoch;
    uint64_t resume_after;
    bool has_credit;
    uint64_t credit,
        credit_from;     /* credit_from: the daemon's byte after which the first CREDIT holds */
    uint64_t cost_given; /* of its data frames */
    bool is_amid_given, is_binary_given;
    struct wsp_buffer given; /* pieces of a message that is not whole */
    struct list sent;        /* struct local_sent: whole messages, until a server has taken them */
    uint64_t whole_bytes;
    uint64_t n_written; /* of these, to a server */
    /* what the daemon has said */
    bool is_opened, is_closing, has_failed, is_closed;
    bool is_amid, is_binary;
    size_t offset; /* in the message under way */
    struct feed_run *run;
    uint64_t next_number;
    unsigned gap_due;   /* the reason of the GAP that must follow OPENED; 0: none must */
    uint64_t gap_count; /* of that */
    uint64_t cost, credit_total, sent_total;
    uint16_t cause;
};

struct local_model {
    struct list link; /* the target's */
    const struct feed *feed;
    struct wsp_wire_reader from_client, from_daemon;
    bool is_client_broken; /* what it says is not looked at any more */
    bool has_error;        /* the last frame has come */
    uint64_t n_bytes;      /* from the daemon */
    struct list channels;  /* the oldest first */
    struct wsp_buffer json;
};

struct local_model *local_model_new(const struct feed *feed);
struct local_model *local_model_free(struct local_model *model);

/* The daemon has read these bytes of the client. */
void local_model_given(struct local_model *model, struct wsp_view bytes);

/* The daemon has written these bytes to the client. */
void local_model_got(struct local_model *model, struct wsp_view bytes);

/* The client has read all it can get, and nothing goes on: whatever had to be told has been. */
void local_model_check_settled(const struct local_model *model);

/* The newest channel of the number, or NULL. */
struct local_channel *local_model_find(const struct local_model *model, uint32_t number);

/* A server has got a message of the channel: it is the next one that the client gave. */
void local_channel_taken(struct local_channel *channel, bool is_binary, struct wsp_view payload);

#endif
