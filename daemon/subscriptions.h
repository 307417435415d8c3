/* SPDX-License-Identifier: MIT
 *
 * subscriptions: what the channels of a share want said to each of its connections, and taken back
 * when the last of them wants it no more. The same text of several channels is said once.
 * Neighbours: a channel's SUBSCRIBE and UNSUBSCRIBE come in, sending takes the texts that are due;
 * each channel embeds a struct subscriber.
 * Invariant: a subscription is due exactly while what the channels want differs from what the
 * server has been told, and those that are due stand in one list, in the order in which they came
 * to be.
 *
 * The text on_connect is what a subscription is known by, and how it is counted. Each channel has an
 * on_leave of its own, and who wanted it last has that said: so nobody can keep others from a topic by
 * taking it back in another way than they do. Nothing is withdrawn before the end of the turn: who comes in
 * the turn in which the last one leaves finds it as it was.
 *
 * A channel's subscriptions keep their places among the messages that it sends. What it asks while
 * messages of its own wait takes effect when these have been taken, and messages that it sends after
 * a SUBSCRIBE wait until that has been said. The number of a message is counted by the channel; 0:
 * before all of them.
 */
#ifndef WSPLEX_DAEMON_SUBSCRIPTIONS_H
#define WSPLEX_DAEMON_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/list.h"
#include "daemon/quota.h"
#include "proto/buffer.h"

struct subscriptions {
    void *by_text;        /* tsearch(3) tree of struct subscription */
    struct list all;      /* of them, in the order in which they were first asked for */
    struct list due;      /* of them: the next one to be said or withdrawn first */
    struct list forsaken; /* of them: told to the server, and nobody wants them: for review */
    unsigned n_all;
    unsigned n_again; /* due since the connection opened, and to be said before anything else */
    bool is_open;
    void (*wake)(void *owner);   /* something is due; only marks */
    void (*review)(void *owner); /* subscriptions_review is to be called at the end of the turn */
    void *owner;
};

struct subscription {
    struct list link;           /* in all */
    struct list due_link;       /* in due or forsaken */
    struct list holds;          /* of subscribers, struct hold; those that are awaited first */
    unsigned n_wanted;          /* of these, those for which it is to be said */
    bool is_in_force;           /* this connection has been told on_connect */
    bool is_again;              /* counts in n_again */
    struct charge charge;       /* of who wanted it last, while nobody does and it is in force */
    struct wsp_view on_connect; /* in text */
    char *on_leave;             /* theirs, for as long; not a string: it has on_leave_len */
    size_t on_leave_len;
    uint8_t text[];
};

/* Embedded in a channel; all its members are private. */
struct subscriber {
    struct list holds;   /* struct hold, in the order in which they were asked for */
    struct list pending; /* of these, those that wait for messages of the channel to be taken */
    unsigned n_holds;
    uint64_t bytes;     /* what they cost */
    unsigned n_awaited; /* of these, those that have to be said before the channel's next message */
    void (*released)(struct subscriber *subscriber); /* n_awaited has become 0; only marks */
};

enum {
    SUBSCRIPTIONS_CONFLICT = 1, /* the channel itself holds on_connect with another on_leave */
    SUBSCRIPTIONS_TOO_MANY = 2, /* more than MAX_SUBSCRIPTIONS_PER_CHANNEL, or longer together than
                                   MAX_SUBSCRIPTION_BYTES_PER_CHANNEL */
    SUBSCRIPTIONS_QUOTA = 3,    /* the user is at its limit of QUOTA_SUBSCRIPTION_BYTES */
};

void subscriptions_init(struct subscriptions *subscriptions, void (*wake)(void *owner),
                        void (*review)(void *owner), void *owner);
void subscriptions_deinit(
    struct subscriptions *subscriptions); /* every subscriber has left; takes a zeroed one */

void subscriber_init(struct subscriber *subscriber,
                     void (*released)(struct subscriber *subscriber));

/* How it would be taken back: by one of those who hold it, or by who wanted it last. */
struct wsp_view subscription_on_leave(const struct subscription *s);

/* The channel of that user wants it, once message number after has been taken (0: at once). Harmless if it has it already. on_leave
 * empty: it cannot be withdrawn, and is said again for the next who asks when nobody has held it.
 * 0; -ENOMEM; one of the above: nothing has changed. */
int subscriptions_add(struct subscriptions *subscriptions, struct subscriber *subscriber,
                      struct user *user, struct wsp_view on_connect, struct wsp_view on_leave,
                      uint64_t after);

/* Wants it no more, once message number after has been taken. Harmless if it does not have it. */
void subscriptions_remove(struct subscriptions *subscriptions, struct subscriber *subscriber,
                          struct wsp_view on_connect, uint64_t after);

/* Wants nothing any more, at once. */
void subscriptions_leave(struct subscriptions *subscriptions, struct subscriber *subscriber);

/* Message number of the channel, and so all before it, has been taken, or will never be. */
void subscriptions_passed(struct subscriptions *subscriptions, struct subscriber *subscriber,
                          uint64_t number);

/* The next message of the channel has to wait; released is called when it no longer has. */
static inline bool subscriber_is_waiting(const struct subscriber *subscriber)
{
    return subscriber->n_awaited > 0;
}

/* A connection has opened, and has been told nothing yet; or it is open no more. */
void subscriptions_begin(struct subscriptions *subscriptions);
void subscriptions_end(struct subscriptions *subscriptions);

/* The end of a turn, and the connection stays open: what nobody wants any more is now due. */
void subscriptions_review(struct subscriptions *subscriptions);

/* Not all of what was wanted when the connection opened has been said. */
static inline bool subscriptions_are_beginning(const struct subscriptions *subscriptions)
{
    return subscriptions->n_again > 0;
}

/* The text that is due next; false: none. Valid until the next call. */
bool subscriptions_next(const struct subscriptions *subscriptions, struct wsp_view *ret_text);
void subscriptions_said(struct subscriptions *subscriptions); /* the upstream has taken it */

#endif
