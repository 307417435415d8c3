/* SPDX-License-Identifier: MIT
 *
 * subscriptions: what channels want said to each connection; see subscriptions.h.
 * Between channels, which hold subscriptions, and sending, which says them. Invariant: settle has been called for a
 * subscription since what is wanted of it, or what the server knows of it, has changed.
 *
 *  wanted | in force | it is                                                     | next
 *  no     | no       | in no list; freed once nobody holds it                    |
 *  yes    | no       | due: on_connect                                           | said: in force
 *  yes    | yes      | in no list                                                |
 *  no     | yes      | forsaken until the review at the end of the turn,         | wanted again: as it was
 *         |          | then due: on_leave; without one it is just forgotten      | said: not in force
 *
 * A hold that waits for messages of its channel is pending. It wants the subscription from then on, if it was asked for,
 * and until then, if it is being given up.
 */
#include "daemon/subscriptions.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"

/* A subscriber's share in a subscription. */
struct hold {
    struct list link;         /* in subscription->holds */
    struct list own_link;     /* in subscriber->holds */
    struct list pending_link; /* in subscriber->pending */
    struct subscription *subscription;
    struct subscriber *subscriber;
    struct charge charge; /* SUBSCRIPTION_BYTES */
    char *on_leave;       /* not a string: it has on_leave_len */
    size_t on_leave_len;
    uint64_t after;  /* while pending: the message that it waits for */
    bool is_wanting; /* counts in n_wanted */
    bool is_awaited; /* counts in n_awaited */
};

static uint64_t cost_of(struct wsp_view on_connect, struct wsp_view on_leave)
{
    return sizeof(struct subscription) + sizeof(struct hold) + 3 * BLOCK_OVERHEAD + on_connect.len +
           on_leave.len;
}

static struct subscription *subscription_of(struct list *due_link)
{
    return LIST_ENTRY(due_link, struct subscription, due_link);
}

/* --- what a channel's messages wait for --- */

static void await(struct hold *hold)
{
    if (hold->is_awaited)
        return;
    hold->is_awaited = true;
    hold->subscriber->n_awaited++;
    list_prepend(&hold->subscription->holds, &hold->link);
}

static struct hold *pending_hold(struct list *link)
{
    return LIST_ENTRY(link, struct hold, pending_link);
}

static void await_no_more(struct hold *hold)
{
    if (!hold->is_awaited)
        return;
    hold->is_awaited = false;
    list_append(&hold->subscription->holds, &hold->link);
    if (--hold->subscriber->n_awaited == 0)
        hold->subscriber->released(hold->subscriber);
}

/* --- a subscription --- */

static int compare(const void *a, const void *b)
{
    struct wsp_view x = ((const struct subscription *)a)->on_connect;
    struct wsp_view y = ((const struct subscription *)b)->on_connect;

    if (x.len != y.len)
        return x.len < y.len ? -1 : 1;
    return x.len == 0 ? 0 : memcmp(x.data, y.data, x.len);
}

static struct subscription *find(struct subscriptions *subscriptions, struct wsp_view on_connect)
{
    struct subscription probe = {.on_connect = on_connect};
    struct subscription **found = tfind(&probe, &subscriptions->by_text, compare);

    return found == NULL ? NULL : *found;
}

static struct wsp_view on_leave_of_hold(const struct hold *hold)
{
    return (struct wsp_view){(const uint8_t *)hold->on_leave, hold->on_leave_len};
}

struct wsp_view subscription_on_leave(const struct subscription *s)
{
    struct list *last = list_is_empty(&s->holds) ? NULL : s->holds.prev;

    return last == NULL ? (struct wsp_view){(const uint8_t *)s->on_leave, s->on_leave_len}
                        : on_leave_of_hold(LIST_ENTRY(last, struct hold, link));
}

static struct wsp_view on_leave_of(const struct subscription *s)
{
    return (struct wsp_view){(const uint8_t *)s->on_leave, s->on_leave_len};
}

static struct subscription *subscription_new(struct subscriptions *subscriptions,
                                             struct wsp_view on_connect)
{
    struct subscription *s = malloc(sizeof(*s) + on_connect.len);

    if (s == NULL)
        return NULL;
    *s = (struct subscription){.on_connect = {s->text, on_connect.len}};
    if (on_connect.len > 0)
        memcpy(s->text, on_connect.data, on_connect.len);
    list_init(&s->link);
    list_init(&s->due_link);
    list_init(&s->holds);
    if (tsearch(s, &subscriptions->by_text, compare) == NULL) {
        free(s);
        return NULL;
    }
    list_append(&subscriptions->all, &s->link);
    subscriptions->n_all++;
    return s;
}

static void subscription_free(struct subscriptions *subscriptions, struct subscription *s)
{
    tdelete(s, &subscriptions->by_text, compare);
    list_remove(&s->link);
    list_remove(&s->due_link);
    subscriptions->n_all--;
    charge_release(&s->charge);
    free(s->on_leave);
    free(s);
}

/* NULL: nobody waits for it. */
static struct hold *first_awaited(const struct subscription *s)
{
    struct list *first = list_first(&s->holds);
    struct hold *hold = first == NULL ? NULL : LIST_ENTRY(first, struct hold, link);

    return hold != NULL && hold->is_awaited ? hold : NULL;
}

/* Who says a word and takes it back again and again does so at no cost of the thousands that hold it too. */
static void nothing_is_due(struct subscriptions *subscriptions, struct subscription *s)
{
    struct hold *hold;

    if (!list_is_linked(&s->due_link))
        return;
    list_remove(&s->due_link);
    subscriptions->n_again -= s->is_again;
    s->is_again = false;
    while ((hold = first_awaited(s)) != NULL)
        await_no_more(hold);
}

static void forget_on_leave(struct subscription *s)
{
    free(s->on_leave);
    s->on_leave = NULL;
    s->on_leave_len = 0;
    charge_release(&s->charge);
}

/* May free it. */
static void settle(struct subscriptions *subscriptions, struct subscription *s)
{
    bool is_wanted = s->n_wanted > 0;

    if (is_wanted || !s->is_in_force)
        forget_on_leave(s);
    if (is_wanted == s->is_in_force || !subscriptions->is_open) {
        nothing_is_due(subscriptions, s);
        if (!s->is_in_force && list_is_empty(&s->holds))
            subscription_free(subscriptions, s);
    } else if (!list_is_linked(&s->due_link)) {
        list_append(is_wanted ? &subscriptions->due : &subscriptions->forsaken, &s->due_link);
        (is_wanted ? subscriptions->wake : subscriptions->review)(subscriptions->owner);
    }
}

/* --- holds --- */

static struct hold *find_hold(const struct subscription *s, const struct subscriber *subscriber)
{
    LIST_FOR_EACH (node, &subscriber->holds) {
        struct hold *hold = LIST_ENTRY(node, struct hold, own_link);

        if (hold->subscription == s)
            return hold;
    }
    return NULL;
}

static void begin_to_want(struct subscriptions *subscriptions, struct hold *hold)
{
    struct subscription *s = hold->subscription;

    hold->is_wanting = true;
    s->n_wanted++;
    if (subscriptions->is_open && !s->is_in_force)
        await(hold);
    settle(subscriptions, s);
}

/* Who wanted it last says how it is taken back, and stays charged with that until the server has been told. */
static void leave_behind(struct subscription *s, struct hold *hold)
{
    forget_on_leave(s);
    s->on_leave = hold->on_leave;
    s->on_leave_len = hold->on_leave_len;
    hold->on_leave = NULL;
    charge_move(&s->charge, &hold->charge);
}

/* May free its subscription. */
static void hold_free(struct subscriptions *subscriptions, struct hold *hold)
{
    struct subscription *s = hold->subscription;

    await_no_more(hold);
    list_remove(&hold->link);
    list_remove(&hold->own_link);
    list_remove(&hold->pending_link);
    hold->subscriber->n_holds--;
    hold->subscriber->bytes -= hold->charge.amount;
    if (hold->is_wanting && s->n_wanted == 1)
        leave_behind(s, hold);
    charge_release(&hold->charge);
    s->n_wanted -= hold->is_wanting;
    free(hold->on_leave);
    free(hold);
    settle(subscriptions, s);
}

/* What the last that wanted it is charged with is taken over by who wants it next, if that is at once. */
static int charge_hold(struct hold *hold, struct subscription *s, struct user *user, uint64_t cost,
                       bool takes_over)
{
    int r = 0;

    if (takes_over && s->charge.user == user)
        charge_move(&hold->charge, &s->charge);
    if (hold->charge.amount > cost)
        charge_shrink(&hold->charge, hold->charge.amount - cost);
    else
        r = charge_take(&hold->charge, user, QUOTA_SUBSCRIPTION_BYTES, cost - hold->charge.amount);
    if (r != 0 && hold->charge.amount > 0)
        charge_move(&s->charge, &hold->charge);
    return r == 0 ? 0 : SUBSCRIPTIONS_QUOTA;
}

static int hold_new(struct subscription *s, struct subscriber *subscriber, struct user *user,
                    uint64_t cost, bool is_at_once, struct hold **ret_hold)
{
    struct hold *hold = malloc(sizeof(*hold));
    int r;

    if (hold == NULL)
        return -ENOMEM;
    *hold = (struct hold){.subscription = s, .subscriber = subscriber};
    r = charge_hold(hold, s, user, cost, is_at_once);
    if (r != 0) {
        free(hold);
        return r;
    }
    list_init(&hold->link);
    list_init(&hold->own_link);
    list_init(&hold->pending_link);
    list_append(&s->holds, &hold->link);
    list_append(&subscriber->holds, &hold->own_link);
    subscriber->n_holds++;
    subscriber->bytes += cost;
    *ret_hold = hold;
    return 0;
}

static void wait_for(struct hold *hold, uint64_t after)
{
    hold->after = after;
    list_append(&hold->subscriber->pending, &hold->pending_link);
}

/* --- the rooms beside --- */

void subscriptions_init(struct subscriptions *subscriptions, void (*wake)(void *owner),
                        void (*review)(void *owner), void *owner)
{
    *subscriptions = (struct subscriptions){.wake = wake, .review = review, .owner = owner};
    list_init(&subscriptions->all);
    list_init(&subscriptions->due);
    list_init(&subscriptions->forsaken);
}

void subscriptions_deinit(struct subscriptions *subscriptions)
{
    if (subscriptions->owner != NULL)
        subscriptions_end(subscriptions);
}

void subscriber_init(struct subscriber *subscriber, void (*released)(struct subscriber *subscriber))
{
    *subscriber = (struct subscriber){.released = released};
    list_init(&subscriber->holds);
    list_init(&subscriber->pending);
}

static int add_anew(struct subscriptions *subscriptions, struct subscription *s,
                    struct subscriber *subscriber, struct user *user, struct wsp_view on_leave,
                    uint64_t after)
{
    uint64_t cost = cost_of(s->on_connect, on_leave);
    struct hold *hold;
    char *copy;
    int r;

    if (subscriber->n_holds >= MAX_SUBSCRIPTIONS_PER_CHANNEL ||
        cost > MAX_SUBSCRIPTION_BYTES_PER_CHANNEL - subscriber->bytes)
        return SUBSCRIPTIONS_TOO_MANY;
    copy = wsp_view_to_string(on_leave);
    r = copy == NULL ? -ENOMEM : hold_new(s, subscriber, user, cost, after == 0, &hold);
    if (r != 0) {
        free(copy);
        return r;
    }
    hold->on_leave = copy;
    hold->on_leave_len = on_leave.len;
    if (after > 0)
        wait_for(hold, after);
    else
        begin_to_want(subscriptions, hold);
    return 0;
}

int subscriptions_add(struct subscriptions *subscriptions, struct subscriber *subscriber,
                      struct user *user, struct wsp_view on_connect, struct wsp_view on_leave,
                      uint64_t after)
{
    struct subscription *s = find(subscriptions, on_connect);
    struct hold *hold = s == NULL ? NULL : find_hold(s, subscriber);
    int r;

    if (hold != NULL && !wsp_view_equals(on_leave_of_hold(hold), on_leave))
        return SUBSCRIPTIONS_CONFLICT;
    if (hold != NULL) {
        if (hold->is_wanting)
            list_remove(&hold->pending_link);
        return 0;
    }
    if (s == NULL)
        s = subscription_new(subscriptions, on_connect);
    if (s == NULL)
        return -ENOMEM;
    r = add_anew(subscriptions, s, subscriber, user, on_leave, after);
    if (r != 0)
        settle(subscriptions, s);
    return r;
}

void subscriptions_remove(struct subscriptions *subscriptions, struct subscriber *subscriber,
                          struct wsp_view on_connect, uint64_t after)
{
    struct subscription *s = find(subscriptions, on_connect);
    struct hold *hold = s == NULL ? NULL : find_hold(s, subscriber);

    if (hold == NULL)
        return;
    if (after == 0 || !hold->is_wanting)
        hold_free(subscriptions, hold);
    else if (!list_is_linked(&hold->pending_link))
        wait_for(hold, after);
}

void subscriptions_leave(struct subscriptions *subscriptions, struct subscriber *subscriber)
{
    struct list *node;

    while ((node = list_take_first(&subscriber->holds)) != NULL)
        hold_free(subscriptions, LIST_ENTRY(node, struct hold, own_link));
}

void subscriptions_passed(struct subscriptions *subscriptions, struct subscriber *subscriber,
                          uint64_t number)
{
    struct list *pending = &subscriber->pending;

    while (!list_is_empty(pending) && pending_hold(pending->next)->after <= number) {
        struct hold *hold = pending_hold(list_take_first(pending));

        if (hold->is_wanting)
            hold_free(subscriptions, hold);
        else
            begin_to_want(subscriptions, hold);
    }
}

/* --- connections --- */

void subscriptions_begin(struct subscriptions *subscriptions)
{
    subscriptions->is_open = true;
    LIST_FOR_EACH (node, &subscriptions->all) {
        struct subscription *s = LIST_ENTRY(node, struct subscription, link);

        if (s->n_wanted == 0)
            continue;
        s->is_again = true;
        subscriptions->n_again++;
        settle(subscriptions, s);
    }
}

void subscriptions_end(struct subscriptions *subscriptions)
{
    subscriptions->is_open = false;
    LIST_FOR_EACH (node, &subscriptions->all) {
        struct subscription *s = LIST_ENTRY(node, struct subscription, link);

        s->is_in_force = false;
        settle(subscriptions, s);
    }
}

void subscriptions_review(struct subscriptions *subscriptions)
{
    struct list *node;

    while ((node = list_take_first(&subscriptions->forsaken)) != NULL) {
        struct subscription *s = subscription_of(node);

        if (s->on_leave_len > 0) {
            list_append(&subscriptions->due, node);
            subscriptions->wake(subscriptions->owner);
        } else {
            s->is_in_force = false;
            settle(subscriptions, s);
        }
    }
}

bool subscriptions_next(const struct subscriptions *subscriptions, struct wsp_view *ret_text)
{
    struct list *first = list_first(&subscriptions->due);
    const struct subscription *s = first == NULL ? NULL : subscription_of(first);

    if (s == NULL)
        return false;
    *ret_text = s->is_in_force ? on_leave_of(s) : s->on_connect;
    return true;
}

void subscriptions_said(struct subscriptions *subscriptions)
{
    struct subscription *s = subscription_of(list_first(&subscriptions->due));

    s->is_in_force = !s->is_in_force;
    settle(subscriptions, s);
}
