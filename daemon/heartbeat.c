/* SPDX-License-Identifier: MIT
 *
 * heartbeat: a text again and again, its answer, and answers to the server's own; see the table in heartbeat.h.
 * Neighbours: sending above, pattern beside it, a clock below.
 * Invariant: the answers that are kept from the channels are never more than the heartbeats that were sent.
 */
#include "daemon/heartbeat.h"

#include <inttypes.h>
#include <stdlib.h>

#include "daemon/limits.h"
#include "daemon/pattern.h"
#include "proto/local/errors.h"

/* --- states --- */

static bool is_on(const struct heartbeat *heartbeat)
{
    return heartbeat->settings->text != NULL;
}

static bool has_answers(const struct heartbeat *heartbeat)
{
    return heartbeat->settings->answer != NULL;
}

static void begin_deadline(struct heartbeat *heartbeat)
{
    heartbeat->mark =
        heartbeat->state == HEARTBEAT_WAITING ? 0 : heartbeat->taken(heartbeat->owner);
    if (has_answers(heartbeat) && !heartbeat->is_resting)
        timer_start(&heartbeat->timer, heartbeat->settings->timeout_ms);
}

static void become_quiet(struct heartbeat *heartbeat)
{
    uint64_t passed_ms = clock_now_ms(heartbeat->clock) - heartbeat->sent_ms;
    uint64_t interval_ms = heartbeat->settings->interval_ms;

    heartbeat->state = HEARTBEAT_QUIET;
    timer_start(&heartbeat->timer, passed_ms < interval_ms ? interval_ms - passed_ms : 0);
}

static void become_due(struct heartbeat *heartbeat)
{
    heartbeat->state = HEARTBEAT_DUE;
    timer_stop(&heartbeat->timer);
    begin_deadline(heartbeat);
    heartbeat->wake(heartbeat->owner);
}

static void wait_for_answer(struct heartbeat *heartbeat)
{
    heartbeat->state = HEARTBEAT_WAITING;
    timer_stop(&heartbeat->timer);
    begin_deadline(heartbeat);
}

static void lose(struct heartbeat *heartbeat)
{
    const char *what = heartbeat->state == HEARTBEAT_WAITING ? "the heartbeat was not answered"
                                                             : "nothing of what is to be sent was "
                                                               "taken, the heartbeat neither,";
    struct failure failure;

    heartbeat_end(heartbeat);
    failure_set(&failure, WSP_CAUSE_LOST, 0, "%s for %" PRIu64 " ms (heartbeat-timeout)", what,
                heartbeat->settings->timeout_ms);
    heartbeat->lost(heartbeat->owner, &failure);
}

/* The server cannot be blamed yet: it takes what is sent, or is in the midst of a long message. */
static bool has_moved(struct heartbeat *heartbeat)
{
    bool is_waiting = heartbeat->state == HEARTBEAT_WAITING;
    uint64_t now =
        is_waiting ? heartbeat->arriving(heartbeat->owner) : heartbeat->taken(heartbeat->owner);
    bool has = now != heartbeat->mark && !(is_waiting && now == 0);

    heartbeat->mark = now;
    return has;
}

static void heartbeat_fired(void *owner)
{
    struct heartbeat *heartbeat = owner;

    if (heartbeat->state == HEARTBEAT_QUIET)
        become_due(heartbeat);
    else if (has_moved(heartbeat))
        timer_start(&heartbeat->timer, heartbeat->settings->timeout_ms);
    else
        lose(heartbeat);
}

int heartbeat_init(struct heartbeat *heartbeat, struct clock *clock,
                   const struct heartbeat_settings *settings, void (*wake)(void *owner),
                   void (*lost)(void *owner, const struct failure *failure),
                   uint64_t (*taken)(void *owner), uint64_t (*arriving)(void *owner), void *owner)
{
    *heartbeat = (struct heartbeat){
        .clock = clock,
        .settings = settings,
        .wake = wake,
        .lost = lost,
        .taken = taken,
        .arriving = arriving,
        .owner = owner,
    };
    return heartbeat_tune(heartbeat);
}

int heartbeat_tune(struct heartbeat *heartbeat)
{
    bool has_timer = heartbeat->timer.clock != NULL;

    return !is_on(heartbeat) || has_timer
               ? 0
               : timer_init(&heartbeat->timer, heartbeat->clock, heartbeat_fired, heartbeat);
}

void heartbeat_deinit(struct heartbeat *heartbeat)
{
    timer_deinit(&heartbeat->timer);
    free(heartbeat->reply);
    heartbeat->reply = NULL;
    heartbeat->state = HEARTBEAT_STOPPED;
}

void heartbeat_open(struct heartbeat *heartbeat)
{
    heartbeat->is_open = true;
    heartbeat->is_resting = false;
    heartbeat->n_unanswered = 0;
    heartbeat->has_round_trip = false;
}

void heartbeat_start(struct heartbeat *heartbeat)
{
    if (!is_on(heartbeat) || heartbeat->state != HEARTBEAT_STOPPED)
        return;
    heartbeat->sent_ms = clock_now_ms(heartbeat->clock);
    become_quiet(heartbeat);
}

void heartbeat_end(struct heartbeat *heartbeat)
{
    heartbeat->is_open = false;
    heartbeat->state = HEARTBEAT_STOPPED;
    timer_stop(&heartbeat->timer);
    free(heartbeat->reply);
    heartbeat->reply = NULL;
}

void heartbeat_rest(struct heartbeat *heartbeat, bool is_resting)
{
    heartbeat->is_resting = is_resting;
    switch (heartbeat->state) {
    case HEARTBEAT_STOPPED: break;
    case HEARTBEAT_QUIET:
        if (!is_resting && heartbeat->n_unanswered > 0)
            wait_for_answer(heartbeat);
        break;
    case HEARTBEAT_DUE:
    case HEARTBEAT_TAKEN:
        timer_stop(&heartbeat->timer);
        begin_deadline(heartbeat);
        break;
    case HEARTBEAT_WAITING:
        if (is_resting)
            become_quiet(heartbeat);
        break;
    }
}

/* --- what goes up --- */

const char *heartbeat_reply(const struct heartbeat *heartbeat)
{
    return heartbeat->reply;
}

void heartbeat_replied(struct heartbeat *heartbeat)
{
    free(heartbeat->reply);
    heartbeat->reply = NULL;
}

const char *heartbeat_next(const struct heartbeat *heartbeat)
{
    return heartbeat->state == HEARTBEAT_DUE ? heartbeat->settings->text : NULL;
}

void heartbeat_said(struct heartbeat *heartbeat)
{
    heartbeat->state = HEARTBEAT_TAKEN;
}

void heartbeat_written(struct heartbeat *heartbeat)
{
    if (heartbeat->state != HEARTBEAT_TAKEN)
        return;
    heartbeat->sent_ms = clock_now_ms(heartbeat->clock);
    if (has_answers(heartbeat))
        heartbeat->n_unanswered++;
    if (has_answers(heartbeat) && !heartbeat->is_resting)
        wait_for_answer(heartbeat);
    else
        become_quiet(heartbeat);
}

/* --- what comes down --- */

static void answered(struct heartbeat *heartbeat)
{
    heartbeat->has_round_trip = true;
    heartbeat->round_trip_ms = clock_now_ms(heartbeat->clock) - heartbeat->sent_ms;
    heartbeat->n_unanswered--;
    if (heartbeat->state != HEARTBEAT_WAITING)
        return;
    if (heartbeat->n_unanswered > 0)
        wait_for_answer(heartbeat);
    else
        become_quiet(heartbeat);
}

int heartbeat_heard(struct heartbeat *heartbeat, bool is_binary, struct wsp_view payload)
{
    const struct heartbeat_settings *settings = heartbeat->settings;
    char *reply;
    int r;

    if (is_binary || payload.len > MAX_HEARTBEAT_LEN)
        return 0;
    if (heartbeat->n_unanswered > 0 &&
        pattern_matches(wsp_view_of_string(settings->answer), payload)) {
        answered(heartbeat);
        return 1;
    }
    if (settings->request == NULL ||
        !pattern_matches(wsp_view_of_string(settings->request), payload))
        return 0;
    r = reply_new(wsp_view_of_string(settings->reply), payload, &reply);
    if (r != 0)
        return r < 0 ? r : 0;
    free(heartbeat->reply);
    heartbeat->reply = reply;
    if (!heartbeat->is_open)
        heartbeat_replied(heartbeat);
    return 1;
}

bool heartbeat_round_trip(const struct heartbeat *heartbeat, uint64_t *ret_ms)
{
    if (heartbeat->has_round_trip)
        *ret_ms = heartbeat->round_trip_ms;
    return heartbeat->has_round_trip;
}
