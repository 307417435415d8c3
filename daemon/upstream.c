/* SPDX-License-Identifier: MIT
 *
 * upstream: one remote WebSocket connection; see upstream.h.
 * Neighbours: dial and transport above; upgrade, inflow and outflow within; share below.
 * Invariant: its share hears share_ended exactly once, from TURN_CHECK, and nothing after it (see upstream.h).
 *
 * Deaf: what still comes is read and thrown away, so that our Close is not lost to a reset. A write that fails is not
 * the end: what the server said before it hung up, its Close above all, is read first.
 *
 * Reading: one scratch full per turn. When the share pauses in the midst of it, or the turn's events or unpacked bytes
 * are used up, the rest waits in inflow, and nothing is read until that is done; so at most one scratch full is held.
 */
#include "daemon/upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/inflow.h"
#include "daemon/limits.h"
#include "daemon/opening.h"
#include "daemon/outflow.h"
#include "daemon/pulse.h"
#include "daemon/upgrade.h"
#include "proto/local/errors.h"
#include "proto/websocket/message.h"

enum state { DIALING, UPGRADING, REFUSED, OPEN, CLOSING, ENDED };

struct upstream {
    const struct upstream_context *context;
    struct share *share;
    enum state state;
    struct opening opening;      /* DIALING, UPGRADING */
    struct transport *transport; /* from UPGRADING on */
    struct upgrade *upgrade;     /* from UPGRADING to OPEN */
    struct inflow inflow;
    struct outflow outflow;
    struct pulse pulse;    /* OPEN */
    struct timer deadline; /* REFUSED, CLOSING */
    struct task write;     /* TURN_WRITE */
    struct task next;      /* TURN_NEXT: what the turn's budget left over */
    struct task ended;     /* TURN_CHECK */
    bool is_writing;       /* the transport has taken bytes, and the share is being told */
    bool is_write_blocked; /* until the transport is writable */
    bool is_write_failed;
    bool has_more_to_write; /* than fits one turn */
    bool is_paused, is_deaf, is_broken, is_close_received, is_shut;
    /* As far as it is known; REFUSED, broken: the failure; close received: code and reason. */
    struct ending ending;
};

/* --- the end --- */

static void upstream_release(struct upstream *u)
{
    timer_stop(&u->deadline);
    opening_deinit(&u->opening);
    pulse_deinit(&u->pulse);
    u->transport = transport_free(u->transport);
    task_cancel(&u->write);
    task_cancel(&u->next);
}

static void upstream_tell_ended(void *owner)
{
    struct upstream *u = owner;

    outflow_deinit(&u->outflow);
    if (u->upgrade != NULL && u->ending.failure.http_status != 0)
        share_excerpt_take(u->share, upgrade_excerpt(u->upgrade));
    u->upgrade = upgrade_free(u->upgrade);
    share_ended(u->share, &u->ending);
}

/* The connection is over now; the share hears of it in TURN_CHECK, so that nobody is told within a call of his own. */
static void upstream_end(struct upstream *u, const struct ending *ending)
{
    if (u->state == ENDED)
        return;
    upstream_release(u);
    u->ending = *ending;
    u->state = ENDED;
    turn_schedule(u->context->turn, TURN_CHECK, &u->ended);
}

/* RFC 6455, section 7.1.5: 1006 is what a connection without a Close frame has for a code. */
static void upstream_fail(void *owner, const struct failure *failure)
{
    struct ending ending = {.failure = *failure, .code = 1006};

    upstream_end(owner, &ending);
}

/* How a connection that was CLOSING, or given up, has ended: why is told where nothing better is known. */
static void closing_ending(struct upstream *u, uint16_t cause, const char *why)
{
    struct ending ending = u->ending;

    if (u->is_broken) {
        ending.code = 1006;
    } else if (u->is_close_received) {
        /* The server's word stands also when it did not wait for ours; clean it is only with both (7.1.4). */
        ending.was_clean = outflow_is_over(&u->outflow);
    } else {
        ending.code = 1006;
        failure_set(&ending.failure, cause, 0, "%s", why);
    }
    upstream_end(u, &ending);
}

/* --- waiting --- */

static bool upstream_is_reading(const struct upstream *u)
{
    return u->is_deaf || (!u->is_paused && !inflow_has_waiting(&u->inflow));
}

static void upstream_want(struct upstream *u)
{
    if (u->transport == NULL)
        return;
    transport_want(u->transport, (upstream_is_reading(u) ? TRANSPORT_READABLE : 0u) |
                                     (u->is_write_blocked ? TRANSPORT_WRITABLE : 0u));
}

/* While the share does not let us read, the server's Close may lie there unseen: the time for it rests. */
static void upstream_wait_for_close(struct upstream *u)
{
    if (u->is_paused && !u->is_deaf)
        timer_stop(&u->deadline);
    else
        timer_start(&u->deadline, u->share->target->close_timeout_ms);
}

static void upstream_schedule_write(struct upstream *u)
{
    if (u->state == ENDED || u->is_write_blocked || u->is_write_failed)
        return;
    u->has_more_to_write = true;
    /* What the share finds to send while it is told of a write is for the next one: one write per turn. */
    if (u->is_writing)
        turn_schedule(u->context->turn, TURN_NEXT, &u->next);
    else
        turn_schedule(u->context->turn, TURN_WRITE, &u->write);
}

static void upstream_trouble(struct upstream *u, int error);

/* --- writing --- */

/* Who has broken a rule is told so and hung up on; any other server ends the stream itself. */
static void upstream_shut_if_over(struct upstream *u)
{
    if (!u->is_broken || u->is_shut || !outflow_is_over(&u->outflow))
        return;
    u->is_shut = true;
    transport_shutdown(u->transport);
}

static void upstream_taken(struct upstream *u, size_t len)
{
    u->is_writing = true;
    outflow_taken(&u->outflow, len);
    u->is_writing = false;
    pulse_wrote(&u->pulse, !outflow_has_ping(&u->outflow));
    upstream_shut_if_over(u);
}

static void upstream_write(void *owner)
{
    struct upstream *u = owner;
    struct wsp_view bytes;
    ssize_t n = 0;
    int r = 0;

    if (u->transport == NULL || u->is_write_blocked || u->is_write_failed)
        return;
    if (u->state >= OPEN)
        r = outflow_fill(&u->outflow, u->share);
    if (r < 0) {
        upstream_trouble(u, r);
        return;
    }
    u->has_more_to_write = r > 0;
    bytes = outflow_peek(&u->outflow);
    if (bytes.len > 0)
        n = transport_write(u->transport, &(struct iovec){(void *)(uintptr_t)bytes.data, bytes.len},
                            1);
    if (n > 0)
        upstream_taken(u, (size_t)n);
    u->is_write_failed = n < 0 && n != -EAGAIN;
    u->is_write_blocked = !u->is_write_failed && (n < 0 || (size_t)n < bytes.len);
    if (u->is_write_failed || (u->has_more_to_write && !u->is_write_blocked))
        turn_schedule(u->context->turn, TURN_NEXT, &u->next);
    upstream_want(u);
}

/* --- frames --- */

static void upstream_send_close(struct upstream *u, uint16_t code, struct wsp_view reason)
{
    u->state = CLOSING;
    pulse_stop(&u->pulse);
    outflow_close(&u->outflow, code, reason);
    upstream_schedule_write(u);
    upstream_wait_for_close(u);
}

/* The server has brought it about: what came before may be answered first (RFC 6455, section 5.5.1). */
static void upstream_answer_close(struct upstream *u, uint16_t code)
{
    bool was_open = u->state == OPEN;

    u->is_deaf = true;
    inflow_discard(&u->inflow);
    upstream_send_close(u, code, (struct wsp_view){0});
    u->outflow.is_close_held = was_open && share_closing(u->share);
    if (u->outflow.is_close_held)
        timer_stop(&u->deadline);
}

/* Our own side is in trouble: the server is told so (RFC 6455, section 7.4.1), if that is not too much as well. */
static void upstream_trouble(struct upstream *u, int error)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_INTERNAL, 0, "the daemon is in trouble: %s", strerror(-error));
    if (u->state != OPEN) {
        upstream_fail(u, &failure);
        return;
    }
    u->is_broken = true;
    u->ending.failure = failure;
    upstream_answer_close(u, 1011);
    upstream_want(u);
}

static void upstream_let_close_go(struct upstream *u)
{
    u->outflow.is_close_held = false;
    upstream_schedule_write(u);
    upstream_wait_for_close(u);
}

static void upstream_got_close(struct upstream *u, uint16_t code, struct wsp_view reason)
{
    u->is_close_received = true;
    u->ending.code = code;
    u->ending.reason = close_reason_of(reason);
    upstream_answer_close(u, code);
}

static void upstream_got_violation(struct upstream *u)
{
    u->is_broken = true;
    upstream_answer_close(u, inflow_describe(&u->inflow, &u->ending.failure));
    upstream_shut_if_over(u);
}

static int upstream_got_event(struct upstream *u, const struct wsp_ws_event *event)
{
    switch (event->type) {
    case WSP_WS_MESSAGE: return inflow_deliver(&u->inflow, event);
    case WSP_WS_PING:
        outflow_pong(&u->outflow, event->payload);
        upstream_schedule_write(u);
        break;
    case WSP_WS_CLOSE: upstream_got_close(u, event->code, event->payload); break;
    case WSP_WS_PONG: pulse_ponged(&u->pulse, event->payload); break;
    }
    return 0;
}

/* --- reading --- */

/* Takes events out of the reader's window until it is used up, or the share or the budget says stop. 0 or -errno. */
static int upstream_pull(struct upstream *u)
{
    unsigned n_left = MAX_EVENTS_PER_TURN;

    inflow_allow(&u->inflow, reception_read_len(u->share, MAX_UNPACKED_PER_TURN));
    while (!u->is_deaf && !u->is_paused && n_left > 0) {
        struct wsp_ws_event event;
        int r = inflow_next(&u->inflow, &event);

        if (r == WSP_MORE)
            break;
        if (r == WSP_WS_SPENT) {
            n_left = 0;
            break;
        }
        if (r == WSP_BROKEN)
            upstream_got_violation(u);
        else if (r == 0)
            r = upstream_got_event(u, &event);
        if (r < 0)
            return r;
        n_left--;
    }
    if (n_left == 0)
        turn_schedule(u->context->turn, TURN_NEXT, &u->next);
    return inflow_settle(&u->inflow);
}

static void upstream_understand(struct upstream *u)
{
    int r = upstream_pull(u);

    if (r < 0) {
        upstream_trouble(u, r);
        return;
    }
    upstream_want(u);
}

static void upstream_opened(struct upstream *u, const struct upgrade_answer *answer)
{
    int r;

    if (answer->deflate.is_on) {
        inflow_inflate(&u->inflow, answer->deflate.from_server);
        outflow_deflate(&u->outflow, answer->deflate.from_client);
    }
    r = share_opened(u->share, answer->protocol, answer->extensions);
    u->upgrade = upgrade_free(u->upgrade);
    if (r < 0) {
        upstream_trouble(u, r);
        return;
    }
    u->state = OPEN;
    pulse_start(&u->pulse);
    upstream_schedule_write(u);
    inflow_feed(&u->inflow, answer->rest);
    upstream_understand(u);
}

/* The answer says more than its status, which is waited for, but not long. */
static void upstream_refused(struct upstream *u, const struct failure *failure)
{
    if (u->state == REFUSED)
        return;
    u->state = REFUSED;
    u->ending.failure = *failure;
    timer_start(&u->deadline, EXCERPT_WAIT_MS);
}

static void upstream_read_answer(struct upstream *u, struct wsp_view bytes)
{
    struct upgrade_answer answer;
    struct failure failure;
    int r = upgrade_read(u->upgrade, bytes, &answer, &failure);

    if (r != UPGRADE_MORE && u->state == UPGRADING)
        opening_answered(&u->opening);
    if (r < 0)
        upstream_trouble(u, r);
    else if (r == UPGRADE_REFUSED)
        upstream_refused(u, &failure);
    else if (r == UPGRADE_FAILED)
        upstream_fail(u, &failure);
    else if (r == 0)
        upstream_opened(u, &answer);
}

/* n is 0 at the end of the stream, or the error that broke it. */
static void upstream_stream_over(struct upstream *u, ssize_t n)
{
    struct failure why;

    if (n == 0)
        failure_set(&why, WSP_CAUSE_LOST, 0, "the server ended the connection without a Close%s",
                    wsp_ws_reader_is_amid(&u->inflow.reader) ? ", in the middle of a message" : "");
    else
        transport_describe(u->transport, &why);
    switch (u->state) {
    case UPGRADING: opening_lost(&u->opening, n == 0 ? NULL : &why); break;
    case REFUSED: upstream_fail(u, &u->ending.failure); break;
    case OPEN: upstream_fail(u, &why); break;
    case CLOSING:
        if (u->outflow.is_close_held) {
            u->outflow.is_close_held = false;
            upstream_write(u);
        }
        closing_ending(u, why.cause, why.text);
        break;
    case DIALING:
    case ENDED: break;
    }
}

static void upstream_read(struct upstream *u)
{
    const struct upstream_context *context = u->context;
    ssize_t n = transport_read(u->transport, context->scratch,
                               reception_read_len(u->share, context->scratch_len));
    struct wsp_view bytes = {context->scratch, n > 0 ? (size_t)n : 0};

    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        upstream_stream_over(u, n);
    } else if (u->state == UPGRADING || u->state == REFUSED) {
        upstream_read_answer(u, bytes);
        explicit_bzero(context->scratch, bytes.len); /* it may tell back what was asked */
    } else if (!u->is_deaf) {
        pulse_heard(&u->pulse);
        inflow_feed(&u->inflow, bytes);
        upstream_understand(u);
    }
}

static void upstream_ready(void *owner, unsigned events)
{
    struct upstream *u = owner;

    if (events & TRANSPORT_WRITABLE) {
        u->is_write_blocked = false;
        upstream_schedule_write(u);
    }
    if (events & TRANSPORT_READABLE && upstream_is_reading(u) && inflow_has_turn(&u->inflow))
        upstream_read(u);
}

static void upstream_go_on(void *owner)
{
    struct upstream *u = owner;

    if (u->transport == NULL || (u->is_paused && !u->is_deaf))
        return;
    if (inflow_has_waiting(&u->inflow))
        upstream_understand(u);
    else if (upstream_is_reading(u))
        upstream_read(u);
}

static void upstream_next(void *owner)
{
    struct upstream *u = owner;

    if ((inflow_has_waiting(&u->inflow) || u->is_write_failed) && inflow_has_turn(&u->inflow))
        upstream_go_on(u);
    if (u->has_more_to_write)
        upstream_schedule_write(u);
}

/* --- what opening, pulse and the deadline say --- */

/* The server has taken too long for the rest of its refusal, or for its part of the closing handshake. */
static void upstream_deadline(void *owner)
{
    struct upstream *u = owner;

    if (u->state == REFUSED)
        upstream_fail(u, &u->ending.failure);
    else
        closing_ending(u, WSP_CAUSE_TIMEOUT, "the server did not answer the Close in time");
}

static void upstream_ping(void *owner, struct wsp_view payload)
{
    outflow_ping(&((struct upstream *)owner)->outflow, payload);
    upstream_schedule_write(owner);
}

static void upstream_dialed(void *owner, struct transport *transport)
{
    struct upstream *u = owner;
    struct failure failure;
    int r;

    u->transport = transport;
    u->transport->ready = upstream_ready;
    u->transport->owner = u;
    u->state = UPGRADING;
    r = upgrade_new(u->share->target, u->context->random, u->context->sha1, &u->outflow.bytes,
                    &u->upgrade, &failure);
    if (r < 0) {
        upstream_trouble(u, r);
    } else if (r > 0) {
        upstream_fail(u, &failure);
    } else {
        upstream_schedule_write(u);
        upstream_want(u);
    }
}

static void upstream_ops_free(struct upstream *u)
{
    if (u == NULL)
        return;
    upstream_release(u);
    task_cancel(&u->ended);
    timer_deinit(&u->deadline);
    upgrade_free(u->upgrade);
    inflow_deinit(&u->inflow);
    outflow_deinit(&u->outflow);
    free(u);
}

static int upstream_ops_start(void *context, struct share *share, struct upstream **ret_upstream)
{
    struct upstream *u = malloc(sizeof(*u));
    int r;

    if (u == NULL)
        return -ENOMEM;
    *u = (struct upstream){.context = context, .share = share, .state = DIALING};
    inflow_init(&u->inflow, share, u->context->scratch_len, upstream_go_on, u);
    outflow_init(&u->outflow, u->context->random);
    task_init(&u->write, upstream_write, u);
    task_init(&u->next, upstream_next, u);
    task_init(&u->ended, upstream_tell_ended, u);
    r = timer_init(&u->deadline, u->context->clock, upstream_deadline, u);
    if (r == 0)
        r = opening_init(&u->opening, u->context->clock, u->context->dialer, share->target,
                         upstream_dialed, upstream_fail, u);
    if (r == 0)
        r = pulse_init(&u->pulse, u->context->clock, share->target->ping_ms,
                       share->target->pong_timeout_ms, u->context->random, upstream_ping,
                       upstream_fail, u);
    if (r == 0)
        r = opening_start(&u->opening);
    if (r < 0)
        goto free_upstream;
    *ret_upstream = u;
    return 0;

free_upstream:
    upstream_ops_free(u);
    return r;
}

/* --- what the share asks --- */

static void upstream_ops_wake(struct upstream *u)
{
    if (u->state == OPEN || u->outflow.is_close_held)
        upstream_schedule_write(u);
}

static void upstream_ops_pause(struct upstream *u, bool is_paused)
{
    if (u->state == ENDED || u->is_paused == is_paused)
        return;
    u->is_paused = is_paused;
    pulse_rest(&u->pulse, is_paused);
    if (!is_paused)
        turn_schedule(u->context->turn, TURN_NEXT, &u->next);
    if (u->state == CLOSING && !u->is_deaf)
        upstream_wait_for_close(u);
    upstream_want(u);
}

static void upstream_ops_close(struct upstream *u, uint16_t code, struct wsp_view reason)
{
    if (u->state == OPEN)
        upstream_send_close(u, code != 0 ? code : 1005, reason);
    else if (u->state == CLOSING)
        upstream_let_close_go(u);
    else if (u->state < OPEN)
        closing_ending(u, WSP_CAUSE_CANCELLED, "given up before it was open");
}

static void upstream_ops_tune(struct upstream *u)
{
    pulse_tune(&u->pulse, u->share->target->ping_ms, u->share->target->pong_timeout_ms,
               u->state == OPEN);
}

static void upstream_ops_break_off(struct upstream *u, const struct failure *failure)
{
    upstream_fail(u, failure);
}

const struct upstream_ops *upstream_remote_ops(void)
{
    static const struct upstream_ops ops = {
        .start = upstream_ops_start,
        .wake = upstream_ops_wake,
        .pause = upstream_ops_pause,
        .close = upstream_ops_close,
        .tune = upstream_ops_tune,
        .break_off = upstream_ops_break_off,
        .free = upstream_ops_free,
    };

    return &ops;
}

const struct opening *upstream_opening(const struct upstream *upstream)
{
    return &upstream->opening;
}

bool upstream_round_trip(const struct upstream *upstream, uint64_t *ret_ms)
{
    return pulse_round_trip(&upstream->pulse, ret_ms);
}
