/*
 * stage: the real policy objects of the daemon between a scripted server and scripted programs, in one process and
 * with a clock that the test moves, so that a test reads as a story.
 *
 * Between a scenario test and daemon/share: peers stand behind struct upstream_ops, programs behind struct channel_ops.
 *
 * Invariant: nothing happens between two calls of the test but what stage_turn and stage_wait let happen.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_STAGE_H
#define WSP_TESTS_HARNESS_STAGE_H

#include "daemon/assembly.h"
#include "daemon/budgets.h"
#include "daemon/channel.h"
#include "daemon/quota.h"
#include "daemon/shares.h"
#include "daemon/turn.h"
#include "proto/local/errors.h"
#include "tests/harness/fake_clock.h"

enum {
    STAGE_UID = 1000,
    STAGE_DAEMON_UID = 999,
    STAGE_MAX_PEERS = 20000,
    STAGE_MAX_TRANSCRIPT = 4096
};

/* A server, seen through the upstream that was started to reach it. Stays readable after it is freed. */
struct upstream {
    struct stage *stage;
    struct share *share;
    struct list in_flight; /* struct peer_hold */
    unsigned n_wakes;
    unsigned n_pauses; /* how often it was paused */
    unsigned n_tuned;
    bool is_paused, is_close_asked, is_freed;
    uint16_t
        failed; /* the cause with which the share had it fail; the test then calls peer_fails */
    uint16_t close_code;
    char close_reason[WSP_MAX_CLOSE_REASON + 1];
};

struct stage {
    struct turn turn;
    struct fake_clock clock;
    struct quota quota;
    uint64_t last_id;
    struct budgets budgets; /* without rates */
    struct shares shares;
    struct upstream *peers[STAGE_MAX_PEERS]; /* in the order in which they were started */
    unsigned n_peers;
    unsigned n_upstream_calls; /* under way; ops must not be called from within them */
    unsigned n_changes;
    struct list programs; /* struct program: those that are there */
    /* what the targets of the next programs say */
    uint64_t queue_bytes, queue_messages, linger_ms, block_timeout_ms;
    const char *conflate_key; /* NULL: none */
    enum slow_consumer slow_consumer;
    void (*adjust)(
        struct target *target); /* and whatever else the test wants of them; may be NULL */
    const char *greeting[4];    /* up to a NULL */
    uint64_t greeting_interval_ms;
    struct heartbeat_settings heartbeat; /* its texts are borrowed */
    struct routing_settings routing;
    struct retention retention; /* of their upstreams, */
    struct retention replay;    /* and what they want of it */
    struct position resume;     /* after which the next programs resume, if it is given */
    /* rights of the next programs; they share with all users, on upstreams of STAGE_DAEMON_UID */
    bool is_wide, may_not_open;
    uint8_t denied; /* bits of enum wsp_denied */
};

/* A program with one WebSocket. */
struct program {
    struct channel channel;
    struct stage *stage;
    struct list link;  /* stage.programs */
    struct task task;  /* TURN_WRITE: its client fetches what there is */
    unsigned appetite; /* messages that it still reads; UINT_MAX: all, 0: it has stopped reading */
    unsigned n_wakes;
    unsigned n_cuts;
    unsigned n_gone;
    bool is_ended;      /* END was told */
    bool is_at_a_loss;  /* it does not answer CLOSING, as a client should */
    uint64_t sent_told; /* n_sent_bytes with the last SENT */
    struct position
        position; /* what it could resume after, as it counts itself; not given before it is open */
    uint64_t live_number;
    /* What the program does in the op itself, and with each message; may be NULL. */
    void (*on_wake)(struct program *program);
    void (*on_gone)(struct program *program); /* may deinit and free the program */
    void (*on_message)(struct program *program, const struct entry *entry);
    void (*on_missed)(struct program *program, uint64_t n); /* told by a gap of a slow consumer */
    void *data;                                             /* the test's own */
    /* What END told of the server's answer. */
    char excerpt[WSP_MAX_ANSWER_EXCERPT + 1];
    char heard[STAGE_MAX_TRANSCRIPT];
    size_t heard_len;
    uint64_t n_heard;  /* messages, also those beyond the transcript */
    uint64_t n_missed; /* counted by gaps of a slow consumer */
};

/* Empty stage: no linger, the default policy and queue bound. */
void stage_init(struct stage *stage);

void stage_programs_die(struct stage *stage); /* those that are still there */

/* The programs die first. Fails the test if a charge, an upstream or a timer is left. */
void stage_deinit(struct stage *stage);

void stage_turn(struct stage *stage);              /* begins and ends a turn of the loop */
void stage_wait(struct stage *stage, uint64_t ms); /* a turn, then time passes */
struct upstream *stage_peer(struct stage *stage);  /* the one started last */
struct user *stage_user(struct stage *stage,
                        uid_t uid); /* for as long as something is charged to it */
uint64_t stage_used_by(struct stage *stage, uid_t uid, enum quota_resource resource);
uint64_t stage_used(struct stage *stage, enum quota_resource resource); /* by STAGE_UID */

/* --- the server's part --- */

void peer_opens(struct upstream *peer, const char *protocol);
void peer_sends(struct upstream *peer, const char *text);
void peer_sends_bytes(struct upstream *peer, size_t len); /* a binary message of so many bytes */

/* A message of at most max bytes is under way, and len of them have come. */
void peer_sends_part(struct upstream *peer, size_t len, size_t max);
void peer_starts_closing(struct upstream *peer);
void peer_ends(struct upstream *peer, bool was_clean, uint16_t code, const char *reason);
void peer_fails(struct upstream *peer, uint16_t cause);
void peer_ends_as(struct upstream *peer, const struct ending *ending);

/* The upstream takes the next message; NULL: none. It is in flight until it is written (and done) or dropped. */
struct outgoing *peer_takes(struct upstream *peer);
void peer_writes_part(struct upstream *peer, struct outgoing *outgoing, size_t len);
void peer_writes(struct upstream *peer, struct outgoing *outgoing); /* what is left of it */

/* Takes and writes everything that is there; the texts, separated by blanks, for ck_assert_str_eq. */
const char *peer_receives(struct upstream *peer);

/* --- the program's part --- */

enum stage_sharing { STAGE_PRIVATE, STAGE_SHARED };

/* Its channel is in no share yet; what channel_init said. The program reads everything as it comes. */
int program_begins(struct program *program, struct stage *stage, struct user *user);

/* The same, and it opens: 0, or what shares_open said. */
int program_opens(struct program *program, struct stage *stage, uid_t uid, const char *url,
                  enum stage_sharing sharing);
void program_deinit(struct program *program); /* dies, also before stage_deinit has it die */
int program_sends(struct program *program, const char *text);
int program_subscribes(struct program *program, const char *on_connect, const char *on_leave);
void program_unsubscribes(struct program *program, const char *on_connect);
void program_closes(struct program *program, uint16_t code, const char *reason);
void program_stops_reading(struct program *program);
void program_reads(struct program *program,
                   unsigned n_messages); /* so many more, in the next turn; UINT_MAX: all */

/*
 * What the program has heard since the last call: "open" or "open(protocol)", texts as they are, "[n]" for n bytes of a
 * binary message, each in parentheses if it was replayed, "gap(reason count)" with "?" for a count that is not known,
 * "interrupted(cause)", "resumed", "unsent(messages bytes)" with totals, "closing", "error(cause)", "close(code reason)" with "clean" before the code where it was.
 */
const char *program_heard(struct program *program);

/* A target as the stage's programs have it; NULL: no memory. */
struct target *stage_target(struct stage *stage, uid_t uid, const char *url);

#endif
