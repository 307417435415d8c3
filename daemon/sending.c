/* SPDX-License-Identifier: MIT
 *
 * sending: what goes up, and in which order; see the table in sending.h.
 * Between channels, greeting, heartbeat and subscriptions, which have something to say, and the upstream, which asks for
 * it. Invariant: see sending.h; what was given to the upstream has been said, and what it then drops is said anew to the
 * next connection.
 */
#include "daemon/sending.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/credential.h"
#include "daemon/limits.h"
#include "daemon/shares.h"
#include "proto/local/errors.h"

/* --- what the rooms below tell --- */

static bool takes_sends(const struct share *share)
{
    return share->remote != REMOTE_OVER && (share->state == SHARE_OPEN || share->is_parting);
}

static void allowed(void *owner)
{
    struct share *share = owner;

    share->was_held_back = true;
    if (takes_sends(share))
        share->shares->ops->wake(share->upstream);
}

static void wake(void *owner)
{
    struct share *share = owner;

    if (share->state == SHARE_OPEN)
        share->shares->ops->wake(share->upstream);
}

static void pace_is_over(void *owner)
{
    ((struct share *)owner)->was_held_back = true;
    wake(owner);
}

static void review_later(void *owner)
{
    struct share *share = owner;

    turn_schedule(share->shares->turn, TURN_CHECK, &share->check);
}

static void lost(void *owner, const struct failure *failure)
{
    struct share *share = owner;

    share->shares->ops->break_off(share->upstream, failure);
}

static uint64_t taken(void *owner)
{
    return ((struct share *)owner)->n_out_bytes;
}

static uint64_t arriving(void *owner)
{
    return ((struct share *)owner)->reception.message_len;
}

int sending_init(struct share *share)
{
    struct sending *sending = &share->sending;
    const struct target *target = share->target;
    int r;

    budget_claim_init(&sending->claim, allowed, share);
    subscriptions_init(&sending->subscriptions, wake, review_later, share);
    greeting_init(&sending->greeting, &target->greeting, &sending->pace);
    r = budget_claim_on(&sending->claim, share->shares->budgets, BUDGET_SEND, target);
    if (r < 0)
        return r;
    r = pace_init(&sending->pace, share->shares->clock, target->greeting_interval_ms, pace_is_over,
                  share);
    if (r < 0)
        return r;
    return heartbeat_init(&sending->heartbeat, share->shares->clock, &target->heartbeat, wake, lost,
                          taken, arriving, share);
}

int sending_tune(struct share *share)
{
    struct sending *sending = &share->sending;
    int r = pace_tune(&sending->pace, share->shares->clock, share->target->greeting_interval_ms);

    return r < 0 ? r : heartbeat_tune(&sending->heartbeat);
}

void sending_deinit(struct share *share)
{
    budget_claim_deinit(&share->sending.claim);
    pace_deinit(&share->sending.pace);
    heartbeat_deinit(&share->sending.heartbeat);
    subscriptions_deinit(&share->sending.subscriptions);
}

void sending_begin(struct share *share)
{
    struct sending *sending = &share->sending;

    greeting_begin(&sending->greeting);
    heartbeat_open(&sending->heartbeat);
    if (greeting_is_through(&sending->greeting))
        heartbeat_start(&sending->heartbeat);
    else
        wake(share);
    subscriptions_begin(&sending->subscriptions);
}

void sending_end(struct share *share)
{
    struct sending *sending = &share->sending;

    sending->trouble = (struct failure){0};
    budget_rest(&sending->claim);
    pace_forget(&sending->pace);
    greeting_end(&sending->greeting);
    heartbeat_end(&sending->heartbeat);
    subscriptions_end(&sending->subscriptions);
}

void sending_review(struct share *share)
{
    struct failure trouble = share->sending.trouble;

    if (trouble.cause == 0) {
        subscriptions_review(&share->sending.subscriptions);
        return;
    }
    share->sending.trouble = (struct failure){0};
    share->shares->ops->break_off(share->upstream, &trouble);
}

void sending_rest(struct share *share, bool is_resting)
{
    heartbeat_rest(&share->sending.heartbeat, is_resting);
}

int sending_heard(struct share *share, bool is_binary, struct wsp_view payload)
{
    int r = heartbeat_heard(&share->sending.heartbeat, is_binary, payload);

    if (heartbeat_reply(&share->sending.heartbeat) != NULL)
        wake(share);
    return r;
}

/* --- what the daemon itself says --- */

/* It is not said later instead: a server that has been told the half of something is not what anybody waits for. */
static struct outgoing *cannot_say(struct share *share, int error)
{
    if (error < 0)
        failure_set(&share->sending.trouble, WSP_CAUSE_INTERNAL, 0, "the daemon is in trouble: %s",
                    strerror(-error));
    review_later(share);
    return NULL;
}

/* Takes the payload. */
static struct outgoing *say_take(struct share *share, struct wsp_buffer *payload)
{
    struct outgoing *outgoing;
    int r = outgoing_new(share, payload, &outgoing);

    return r == 0 ? outgoing : cannot_say(share, r);
}

static struct outgoing *say(struct share *share, struct wsp_view text)
{
    struct wsp_buffer payload;
    int r;

    wsp_buffer_init(&payload, SIZE_MAX);
    r = wsp_buffer_append(&payload, text.data, text.len);
    return r == 0 ? say_take(share, &payload) : cannot_say(share, r);
}

/* The same for what the administrator has written, with the credentials that it names as they are now. */
static struct outgoing *say_configured(struct share *share, const char *text)
{
    struct wsp_buffer payload;
    int r;

    wsp_buffer_init(&payload, SIZE_MAX);
    r = credential_expand(share->target->credentials_dir, wsp_view_of_string(text), CREDENTIAL_TEXT,
                          &payload, NULL, &share->sending.trouble);
    if (r == 0)
        return say_take(share, &payload);
    wsp_buffer_deinit(&payload);
    return cannot_say(share, r);
}

static struct outgoing *reply(struct share *share, const char *text)
{
    struct outgoing *outgoing = say(share, wsp_view_of_string(text));

    if (outgoing == NULL)
        return NULL;
    budget_charge(&share->sending.claim, 1);
    heartbeat_replied(&share->sending.heartbeat);
    return outgoing;
}

static struct outgoing *greet(struct share *share, const char *text)
{
    struct sending *sending = &share->sending;
    struct outgoing *outgoing = say_configured(share, text);

    if (outgoing == NULL)
        return NULL;
    budget_charge(&sending->claim, 1);
    greeting_said(&sending->greeting);
    if (greeting_is_through(&sending->greeting))
        heartbeat_start(&sending->heartbeat);
    return outgoing;
}

static struct outgoing *beat(struct share *share, const char *text)
{
    struct outgoing *outgoing = say_configured(share, text);

    if (outgoing == NULL)
        return NULL;
    budget_charge(&share->sending.claim, 1);
    outgoing->is_heartbeat = true;
    heartbeat_said(&share->sending.heartbeat);
    return outgoing;
}

/* NULL: nothing now; *ret_is_all says that nothing else may go either. */
static struct outgoing *next_own(struct share *share, bool *ret_is_all)
{
    struct sending *sending = &share->sending;
    const char *text;

    *ret_is_all = true;
    if (sending->trouble.cause != 0)
        return NULL;
    if ((text = heartbeat_reply(&sending->heartbeat)) != NULL)
        return reply(share, text);
    if (!greeting_is_through(&sending->greeting)) {
        text = greeting_next(&sending->greeting);
        return text == NULL ? NULL : greet(share, text);
    }
    if ((text = heartbeat_next(&sending->heartbeat)) != NULL)
        return beat(share, text);
    *ret_is_all = false;
    return NULL;
}

/* --- what channels say --- */

static bool may_go(const struct channel *channel)
{
    return !list_is_empty(&channel->outbox) && !subscriber_is_waiting(&channel->subscriber);
}

/* Who is among the senders has something; a request may have to wait for the replies to others. */
static struct outgoing *first_that_may_go(struct share *share)
{
    struct list *first;

    while ((first = list_first(&share->senders)) != NULL) {
        struct channel *channel = LIST_ENTRY(first, struct channel, sender_link);
        struct outgoing *outgoing = LIST_ENTRY(channel->outbox.next, struct outgoing, link);

        outgoing->share = share;
        if (routing_ask(share, channel, outgoing))
            return outgoing;
    }
    return NULL;
}

/* About how many messages the channels have for the server; of very many channels no more than of some. */
static uint64_t n_waiting(const struct share *share)
{
    enum { MAX_COUNTED = 64 };
    unsigned n_counted = 0;
    uint64_t n = 0;

    LIST_FOR_EACH (node, &share->senders) {
        const struct channel *channel = LIST_ENTRY(node, struct channel, sender_link);

        n += channel->n_given + 1 - LIST_ENTRY(channel->outbox.next, struct outgoing, link)->number;
        if (++n_counted == MAX_COUNTED)
            break;
    }
    return n;
}

static struct outgoing *next_of_channels(struct share *share)
{
    struct outgoing *outgoing = first_that_may_go(share);
    struct channel *channel;

    if (outgoing == NULL)
        return NULL;
    if (!budget_take(&share->sending.claim)) {
        budget_expect(&share->sending.claim, n_waiting(share));
        return NULL;
    }
    channel = outgoing->channel;
    list_append(&channel->in_flight, &outgoing->link);
    list_remove(&channel->sender_link);
    subscriptions_passed(&share->sending.subscriptions, &channel->subscriber, outgoing->number);
    if (may_go(channel))
        list_append(&share->senders, &channel->sender_link);
    return outgoing;
}

static struct outgoing *next_subscription(struct share *share)
{
    struct sending *sending = &share->sending;
    struct outgoing *outgoing;
    struct wsp_view text;

    if (!pace_is_free(&sending->pace) || !subscriptions_next(&sending->subscriptions, &text) ||
        !budget_take(&sending->claim))
        return NULL;
    outgoing = say(share, text);
    if (outgoing == NULL)
        return NULL;
    subscriptions_said(&sending->subscriptions);
    pace_said(&sending->pace);
    return outgoing;
}

/* Who subscribes again and again does not keep the messages of others waiting, nor these a subscription. */
static struct outgoing *next_by_turns(struct share *share)
{
    struct sending *sending = &share->sending;
    bool is_beginning = subscriptions_are_beginning(&sending->subscriptions);
    bool is_channels_turn = sending->is_channels_turn && !is_beginning;
    struct outgoing *outgoing = is_channels_turn ? next_of_channels(share) : NULL;

    sending->is_channels_turn = outgoing == NULL;
    if (outgoing == NULL)
        outgoing = next_subscription(share);
    if (outgoing == NULL && !is_channels_turn && !is_beginning) {
        outgoing = next_of_channels(share);
        sending->is_channels_turn = false;
    }
    return outgoing;
}

struct outgoing *share_next_outgoing(struct share *share)
{
    bool is_own_all = !greeting_is_through(&share->sending.greeting);
    struct outgoing *own = NULL;

    if (!takes_sends(share))
        return NULL;
    if (share->state == SHARE_OPEN)
        own = next_own(share, &is_own_all);
    return own != NULL || is_own_all ? own : next_by_turns(share);
}

void share_has_outgoing(struct share *share, struct channel *channel)
{
    if (may_go(channel) && !list_is_linked(&channel->sender_link))
        list_append(&share->senders, &channel->sender_link);
    if (takes_sends(share))
        share->shares->ops->wake(share->upstream);
}

/* --- subscriptions of channels --- */

/* After what the channel has given before, of which nothing may wait any more. */
static uint64_t place_of(const struct channel *channel)
{
    return list_is_empty(&channel->outbox) ? 0 : channel->n_given;
}

static int refuse(const struct share *share, const struct user *user, int r,
                  struct failure *ret_failure)
{
    switch (r) {
    case SUBSCRIPTIONS_CONFLICT:
        failure_set(ret_failure, WSP_CAUSE_CONFLICT, 0,
                    "on_leave: this channel has subscribed the same on_connect with another one");
        break;
    case SUBSCRIPTIONS_TOO_MANY:
        failure_set(ret_failure, WSP_CAUSE_QUOTA, 0,
                    "a channel may have no more than %d subscriptions, of %d bytes together",
                    MAX_SUBSCRIPTIONS_PER_CHANNEL, MAX_SUBSCRIPTION_BYTES_PER_CHANNEL);
        break;
    case SUBSCRIPTIONS_QUOTA:
        failure_set(ret_failure, WSP_CAUSE_QUOTA, 0,
                    "user %ju has subscriptions of %" PRIu64
                    " bytes, and may have no more than %" PRIu64 " (max-subscriptions)",
                    (uintmax_t)user->uid, user->used[QUOTA_SUBSCRIPTION_BYTES],
                    user->quota->limits[QUOTA_SUBSCRIPTION_BYTES]);
        break;
    default:
        failure_set(ret_failure, WSP_CAUSE_TOO_BIG, 0,
                    "a subscription is a message, and longer than the %" PRIu64
                    " bytes that one may have (max-message)",
                    share->target->max_message);
    }
    return ret_failure->cause;
}

int sending_subscribe(struct share *share, struct channel *channel, struct wsp_view on_connect,
                      struct wsp_view on_leave, struct failure *ret_failure)
{
    enum { TOO_LONG = 100 };
    uint64_t max = share->target->max_message;
    int r = TOO_LONG;

    if (on_connect.len <= max && on_leave.len <= max)
        r = subscriptions_add(&share->sending.subscriptions, &channel->subscriber, channel->user,
                              on_connect, on_leave, place_of(channel));
    return r > 0 ? refuse(share, channel->user, r, ret_failure) : r;
}

void sending_unsubscribe(struct share *share, struct channel *channel, struct wsp_view on_connect)
{
    subscriptions_remove(&share->sending.subscriptions, &channel->subscriber, on_connect,
                         place_of(channel));
}

void sending_leave(struct share *share, struct channel *channel)
{
    subscriptions_leave(&share->sending.subscriptions, &channel->subscriber);
}

bool sending_holds_back(const struct share *share)
{
    const struct sending *sending = &share->sending;

    return sending->claim.state == CLAIM_WAITING || !pace_is_free(&sending->pace);
}

void sending_control(struct share *share)
{
    budget_charge(&share->sending.claim, 1);
}

void sending_dropped(struct share *share, struct channel *channel)
{
    subscriptions_passed(&share->sending.subscriptions, &channel->subscriber, UINT64_MAX);
}
