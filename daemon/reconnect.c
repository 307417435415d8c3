/* SPDX-License-Identifier: MIT
 *
 * reconnect: when a share connects, and whether it comes back; see reconnect.h.
 * Neighbours: share, backoff, target. Invariant: the timer runs only without an upstream, or while the share is OPEN.
 */
#include "daemon/reconnect.h"

#include <errno.h>
#include <stddef.h>

#include "daemon/close_codes.h"
#include "daemon/limits.h"
#include "daemon/renewal.h"
#include "daemon/shares.h"
#include "proto/local/errors.h"

/* --- what heals --- */

/* RFC 9110, section 15, and RFC 6585: the answers after which the same request may be answered differently another time.
 * A redirection that is permanent, a wrong request, missing rights and what is not there or not implemented are answered
 * alike until a person has changed something. */
static bool status_heals(unsigned status)
{
    switch (status) {
    case 300:
    case 301:
    case 308: return false;
    case 408: /* Request Timeout */
    case 409: /* Conflict: the connection that is in the way may be our own old one */
    case 421: /* Misdirected Request: another connection may reach the right server */
    case 423: /* Locked */
    case 425: /* Too Early */
    case 429: /* Too Many Requests */ return true;
    case 501: /* Not Implemented */
    case 505: /* HTTP Version Not Supported */ return false;
    default: return status < 400 || status >= 500;
    }
}

static bool failure_heals(const struct failure *failure)
{
    if (failure->is_lasting)
        return false;
    switch (failure->cause) {
    case WSP_CAUSE_RESOLVE:
    case WSP_CAUSE_CONNECT:
    case WSP_CAUSE_TLS:
    case WSP_CAUSE_TIMEOUT:
    case WSP_CAUSE_PROTOCOL:
    case WSP_CAUSE_LOST:
    case WSP_CAUSE_TOO_BIG:
    case WSP_CAUSE_CREDENTIAL:
    case WSP_CAUSE_DESTINATION: /* a name leads elsewhere now, and may come back */
    case WSP_CAUSE_INTERNAL: return true;
    case WSP_CAUSE_HANDSHAKE:
    case WSP_CAUSE_PROXY:
        /* Who says when to come back is asked again, whatever the status (RFC 9110, section 10.2.3). */
        return failure->retry_after > 0 || status_heals(failure->http_status);
    default: return false;
    }
}

bool reconnect_heals(const struct target *target, const struct ending *ending)
{
    if (ending->failure.cause != 0)
        return failure_heals(&ending->failure);
    return !close_codes_have(&target->final_codes, ending->code);
}

/* --- attempts --- */

static uint64_t random_bits(const struct share *share)
{
    uint64_t bits;

    share->shares->random(&bits, sizeof(bits));
    return bits;
}

static void start_timer(struct share *share, uint64_t wait_ms)
{
    share->reconnect.due_ms = clock_now_ms(share->shares->clock) + wait_ms;
    timer_start(&share->reconnect.timer, wait_ms);
}

static void wait_for_attempt(struct share *share, uint64_t wait_ms)
{
    share->reconnect.is_waiting = true;
    start_timer(share, wait_ms);
}

/* The one place where an attempt begins. */
int reconnect_begin(struct share *share)
{
    const struct shares *shares = share->shares;
    int r;

    share->reconnect.is_waiting = false;
    if (share->remote == REMOTE_OVER)
        share_free_upstream(share);
    r = renewal_take_over(share);
    if (r < 0)
        return r;
    r = budget_claim_on(&share->reconnect.attempt, shares->budgets, BUDGET_CONNECT, share->target);
    if (r < 0 || !budget_take(&share->reconnect.attempt))
        return r;
    share_excerpt_take(share, NULL);
    r = shares->ops->start(shares->ops_context, share, &share->upstream);
    if (r == 0)
        share->remote = REMOTE_CONNECTING;
    return r;
}

/* As if the upstream had said so. */
static void not_begun(struct share *share)
{
    struct ending ending = {.code = 1006};

    failure_set(&ending.failure, WSP_CAUSE_INTERNAL, 0, "the daemon is out of memory");
    share->remote = REMOTE_CONNECTING;
    share_ended(share, &ending);
}

/* Not before there is an attempt to spend on it: the old connection is better than none. */
static void renew(struct share *share)
{
    uint64_t wait_ms = budget_would_wait_ms(&share->reconnect.attempt);

    if (wait_ms > 0) {
        start_timer(share, wait_ms);
        return;
    }
    share_set_state(share, SHARE_RECONNECTING);
    share->reconnect.is_renewing = true;
    share_close_upstream(share, 1000, (struct wsp_view){0});
}

void reconnect_fire(void *owner)
{
    struct share *share = owner;

    if (share->state == SHARE_OPEN)
        renew(share);
    else if (reconnect_begin(share) < 0)
        not_begun(share);
}

void reconnect_allowed(void *owner)
{
    struct share *share = owner;

    if (share->remote == REMOTE_NONE && share->state != SHARE_OPEN)
        reconnect_fire(share);
}

static uint64_t retry_after_ms(const struct failure *failure)
{
    uint64_t seconds = failure->retry_after;

    return 1000 * (seconds < MAX_RETRY_AFTER_S ? seconds : MAX_RETRY_AFTER_S);
}

/* What the attempt after an upstream that ended so waits for. */
static uint64_t delay_ms(struct share *share, bool was_open)
{
    struct reconnect *reconnect = &share->reconnect;
    const struct target *target = share->target;
    uint64_t up_ms = clock_now_ms(share->shares->clock) - share->opened_ms;

    if (was_open && (reconnect->is_renewing || up_ms >= target->min_uptime_ms))
        reconnect->backoff = (struct backoff){0};
    if (reconnect->is_renewing)
        return 0;
    return retry_after_ms(&share->ending.failure) +
           backoff_next_ms(&reconnect->backoff, target->backoff_min_ms, target->backoff_max_ms,
                           random_bits(share));
}

/* Where what was sent does not wait, whoever only waited for that may end now. */
static void tell_interrupted(struct channel *channel, struct share *share)
{
    channel_interrupted(channel);
    if (share_refuses_sends(share))
        channel_refuse_sends(channel);
}

/* Whoever is gone, and has never been connected, does not wait for another attempt. */
static void tell_not_opened(struct channel *channel, struct share *share)
{
    if (channel->state == CHANNEL_CONNECTING && channel->is_abandoned)
        channel_end(channel, &share->ending);
}

/* For channels: an INTERRUPTED has always a cause. */
static void describe_interruption(struct share *share)
{
    const struct ending *ending = &share->ending;

    share->interruption = ending->failure;
    if (share->reconnect.is_renewing)
        failure_set(&share->interruption, WSP_CAUSE_PLANNED, 0,
                    "the daemon renews the connection, as planned");
    else if (ending->failure.cause == 0)
        failure_set(&share->interruption, WSP_CAUSE_SERVER_CLOSED, 0,
                    "the server has closed with code %u%s%.*s", ending->code,
                    ending->reason.len > 0 ? ": " : "", (int)ending->reason.len,
                    (const char *)ending->reason.bytes);
}

bool reconnect_is_wanted(const struct share *share)
{
    return share_is_joinable(share) && share->target->is_persistent && !share->is_outdated;
}

void reconnect_interrupt(struct share *share, bool was_open)
{
    struct reconnect *reconnect = &share->reconnect;

    if (share->state == SHARE_OPEN)
        share_set_state(share, SHARE_RECONNECTING);
    reconnect->n_failed = was_open ? 0 : reconnect->n_failed + 1;
    if (was_open) {
        reconnect->away_ms = clock_now_ms(share->shares->clock);
        reconnect->n_interruptions++;
        describe_interruption(share);
        log_interrupt(&share->log);
    }
    wait_for_attempt(share, delay_ms(share, was_open));
    if (!reconnect->is_renewing)
        reconnect->n_troubles++;
    reconnect->is_renewing = false;
    share_tell_all(share, was_open ? tell_interrupted : tell_not_opened);
    if (reconnect->n_troubles > 0 && share->shares->on_trouble != NULL)
        share->shares->on_trouble(share->shares, share);
}

/* Earlier by up to a tenth, never later: the server's own cut is not waited for, and those who began together do not
 * go on together. */
static void renew_later(struct share *share)
{
    uint64_t rotate_ms = share->target->rotate_ms;
    uint64_t up_ms = clock_now_ms(share->shares->clock) - share->opened_ms;

    rotate_ms -= random_bits(share) % (rotate_ms / 10 + 1);
    start_timer(share, up_ms < rotate_ms ? rotate_ms - up_ms : 0);
}

void reconnect_opened(struct share *share)
{
    share->reconnect.n_troubles = 0;
    share->reconnect.n_failed = 0;
    share->reconnect.away_ms = 0;
    if (share->target->rotate_ms > 0)
        renew_later(share);
}

void reconnect_tune(struct share *share)
{
    if (share->state != SHARE_OPEN)
        return;
    if (share->target->rotate_ms > 0)
        renew_later(share);
    else
        timer_stop(&share->reconnect.timer);
}

void reconnect_stop(struct share *share)
{
    share->reconnect.is_waiting = false;
    timer_stop(&share->reconnect.timer);
    budget_rest(&share->reconnect.attempt);
}

void reconnect_deinit(struct share *share)
{
    budget_claim_deinit(&share->reconnect.attempt);
    timer_deinit(&share->reconnect.timer);
}

uint64_t reconnect_wait_ms(const struct share *share)
{
    uint64_t now_ms = clock_now_ms(share->shares->clock);
    uint64_t due_ms = share->reconnect.due_ms;

    if (!share->reconnect.is_waiting)
        return UINT64_MAX;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}
