/* SPDX-License-Identifier: MIT
 *
 * pulse: whether a server is still there; see the table in pulse.h.
 * Neighbours: upstream above, a clock below.
 * Invariant: since_ms only moves while the timer runs; the timer finds out when it fires, so that bytes that come and
 * go cost no timer.
 */
#include "daemon/pulse.h"

#include <inttypes.h>

#include "proto/local/errors.h"

static uint64_t pulse_patience(const struct pulse *pulse)
{
    return pulse->state == PULSE_QUIET ? pulse->interval_ms : pulse->deadline_ms;
}

/* The interval or the deadline of this state begins. */
static void pulse_enter(struct pulse *pulse, enum pulse_state state)
{
    pulse->state = state;
    pulse->since_ms = clock_now_ms(pulse->clock);
    if (!pulse->is_resting)
        timer_start(&pulse->timer, pulse_patience(pulse));
}

static void pulse_ping(struct pulse *pulse)
{
    pulse->random(pulse->payload, sizeof(pulse->payload));
    pulse->has_sent = false;
    pulse_enter(pulse, PULSE_QUEUED);
    pulse->ping(pulse->owner, (struct wsp_view){pulse->payload, sizeof(pulse->payload)});
}

static void pulse_lost(struct pulse *pulse)
{
    const char *what = pulse->state == PULSE_SENT ? "not a word after a ping either"
                                                  : "it takes nothing of what is to be sent either";
    struct failure failure;

    pulse->state = PULSE_STOPPED;
    failure_set(&failure, WSP_CAUSE_LOST, 0,
                "the server is silent, and for %" PRIu64 " ms %s (pong-timeout)",
                pulse->deadline_ms, what);
    pulse->lost(pulse->owner, &failure);
}

static void pulse_fired(void *owner)
{
    struct pulse *pulse = owner;
    uint64_t passed_ms = clock_now_ms(pulse->clock) - pulse->since_ms;

    if (passed_ms < pulse_patience(pulse)) {
        timer_start(&pulse->timer, pulse_patience(pulse) - passed_ms);
    } else if (pulse->state == PULSE_QUIET) {
        pulse_ping(pulse);
    } else {
        pulse_lost(pulse);
    }
}

int pulse_init(struct pulse *pulse, struct clock *clock, uint64_t interval_ms, uint64_t deadline_ms,
               void (*random)(void *to, size_t len),
               void (*ping)(void *owner, struct wsp_view payload),
               void (*lost)(void *owner, const struct failure *failure), void *owner)
{
    *pulse = (struct pulse){
        .clock = clock,
        .interval_ms = interval_ms,
        .deadline_ms = deadline_ms,
        .random = random,
        .ping = ping,
        .lost = lost,
        .owner = owner,
    };
    return timer_init(&pulse->timer, clock, pulse_fired, pulse);
}

void pulse_deinit(struct pulse *pulse)
{
    timer_deinit(&pulse->timer);
    pulse->state = PULSE_STOPPED;
}

void pulse_start(struct pulse *pulse)
{
    if (pulse->interval_ms > 0)
        pulse_enter(pulse, PULSE_QUIET);
}

/* The timer finds out what has changed, as ever. */
void pulse_tune(struct pulse *pulse, uint64_t interval_ms, uint64_t deadline_ms, bool is_open)
{
    pulse->interval_ms = interval_ms;
    pulse->deadline_ms = deadline_ms;
    if (interval_ms == 0)
        pulse_stop(pulse);
    else if (pulse->state != PULSE_STOPPED && !pulse->is_resting)
        timer_start(&pulse->timer, 0);
    else if (pulse->state == PULSE_STOPPED && is_open)
        pulse_start(pulse);
}

void pulse_stop(struct pulse *pulse)
{
    pulse->state = PULSE_STOPPED;
    timer_stop(&pulse->timer);
}

void pulse_rest(struct pulse *pulse, bool is_resting)
{
    pulse->is_resting = is_resting;
    if (pulse->state == PULSE_STOPPED)
        return;
    if (is_resting)
        timer_stop(&pulse->timer);
    else
        pulse_enter(pulse, pulse->state);
}

void pulse_heard(struct pulse *pulse)
{
    if (pulse->state == PULSE_QUEUED || pulse->state == PULSE_SENT)
        pulse_enter(pulse, PULSE_QUIET);
    else if (pulse->state == PULSE_QUIET)
        pulse->since_ms = clock_now_ms(pulse->clock);
}

void pulse_ponged(struct pulse *pulse, struct wsp_view payload)
{
    if (!pulse->has_sent ||
        !wsp_view_equals(payload, (struct wsp_view){pulse->payload, sizeof(pulse->payload)}))
        return;
    pulse->has_sent = false;
    pulse->has_round_trip = true;
    pulse->round_trip_ms = clock_now_ms(pulse->clock) - pulse->sent_ms;
}

void pulse_wrote(struct pulse *pulse, bool has_ping_gone)
{
    if (pulse->state != PULSE_QUEUED)
        return;
    pulse->since_ms = clock_now_ms(pulse->clock);
    if (!has_ping_gone)
        return;
    pulse->has_sent = true;
    pulse->sent_ms = pulse->since_ms;
    pulse_enter(pulse, PULSE_SENT);
}

bool pulse_round_trip(const struct pulse *pulse, uint64_t *ret_ms)
{
    if (pulse->has_round_trip)
        *ret_ms = pulse->round_trip_ms;
    return pulse->has_round_trip;
}
