/* SPDX-License-Identifier: MIT
 *
 * quota: what each uid holds of the daemon. Every client, channel, upstream and queued byte is
 * charged to a user; a charge is an object that gives back what it took when it is released, so
 * nothing can be given back twice.
 * Neighbours: client, channel, share and log take charges; control shows the users.
 * Invariant: a user's counters are the sum of the charges that live on it; a user without any goes
 * away.
 *
 * Bytes on their way down and bytes on their way up are counted apart: programs that read slowly
 * may use up the first kind for as long as they like, and no send of the same user fails for it.
 * Messages that are still arriving are apart from both: a server decides about them. What a
 * connection holds between messages (its own state, OpenSSL's, and up to 80 KiB of zlib's where it is
 * compressed) has a bound of its own, and is what one of UPSTREAMS stands for.
 */
#ifndef WSPLEX_DAEMON_QUOTA_H
#define WSPLEX_DAEMON_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/list.h"
#include "daemon/slice.h"

/* name, default limit per uid, what it counts */
#define QUOTA_RESOURCES(R)                                                                       \
    R(CLIENTS, clients, 1024, "connections on the local socket")                                 \
    R(CHANNELS, channels, 20000, "WebSocket objects of these clients")                           \
    R(UPSTREAMS, upstreams, 10000, "remote connections")                                         \
    R(QUEUED_BYTES, queued_bytes, 256 << 20, "bytes of messages that wait for programs to read") \
    R(RECEIVING_BYTES, receiving_bytes, 256 << 20, "bytes of messages that have not come whole") \
    R(RESERVED_BYTES, reserved_bytes, 256 << 20, "room set aside for the long ones of these")    \
    R(SENDING_BYTES, sending_bytes, 256 << 20, "bytes of messages that wait to be sent")         \
    R(SUBSCRIPTION_BYTES, subscription_bytes, 16 << 20, "bytes of subscriptions that are kept")

enum quota_resource {
#define QUOTA_ENUM(NAME, name, limit, text) QUOTA_##NAME,
    QUOTA_RESOURCES(QUOTA_ENUM)
#undef QUOTA_ENUM
        QUOTA_N_RESOURCES
};

const char *quota_resource_to_string(enum quota_resource resource);

enum { QUOTA_EXCEEDED = 1 };

/* What malloc adds to a block, roughly: charged with each block that holds a message, so that empty
 * ones are not free. */
enum { BLOCK_OVERHEAD = 16 };

struct quota {
    uint64_t limits[QUOTA_N_RESOURCES]; /* per uid; changed by configuration at any time */
    void *users;                        /* tsearch(3) tree by uid */
};

/* Those who wait for a resource of a user. */
struct line {
    struct list waiting;    /* struct waiter, the oldest first */
    uint64_t waiting_bytes; /* of what is used, what they hold */
    unsigned n_turns;       /* waiters that were admitted and have not left */
};

struct user {
    struct quota *quota;
    uid_t uid;
    unsigned n_refs;
    uint64_t used[QUOTA_N_RESOURCES];
    struct line lines[QUOTA_N_RESOURCES];
    struct list keepers; /* struct keeper, the one first that has been there longest */
    struct slice slice;
};

/* Something that holds QUEUED_BYTES for which nobody waits. It is among its user's keepers as long as it does. */
struct keeper {
    struct list link;
    /* Lets go of them until the user is no longer over the limit, or there are none. */
    void (*give_way)(struct keeper *keeper);
};

void quota_init(struct quota *quota);   /* with the default limits */
void quota_deinit(struct quota *quota); /* no user may be left */

/* After limits have been changed: admits the waiters that have room now. */
void quota_limits_changed(struct quota *quota);

/* The user of that uid, made when new. Returns 0 or -ENOMEM; release with user_unref. */
int quota_user_ref(struct quota *quota, uid_t uid, struct user **ret_user);
struct user *user_ref(struct user *user);
struct user *user_unref(struct user *user); /* takes NULL; returns NULL */

/* More is in use than the limit allows: possible after charge_force or a lowered limit. */
bool user_is_over(const struct user *user, enum quota_resource resource);
uint64_t user_room(const struct user *user, enum quota_resource resource);

/* What is only kept goes, as far as the user is over the limit of QUEUED_BYTES, before anybody else suffers. */
void user_give_way(struct user *user);

/* Embedded in what is charged. All zero is an empty charge. Holds a reference on the user while
 * amount > 0. */
struct charge {
    struct user *user;
    enum quota_resource resource;
    uint64_t amount;
};

/* Adds amount to the charge: 0, or QUOTA_EXCEEDED and nothing changed. */
int charge_take(struct charge *charge, struct user *user, enum quota_resource resource,
                uint64_t amount);

/* The same past the limit: for bytes that have come already and must be held; the caller asks
 * user_is_over. */
void charge_force(struct charge *charge, struct user *user, enum quota_resource resource,
                  uint64_t amount);

/* Gives back part (at most what is there), or all. May admit a waiter. */
void charge_shrink(struct charge *charge, uint64_t amount);
void charge_release(struct charge *charge);

/* What was charged to one object is now charged to another; to is empty before, from after. */
void charge_move(struct charge *to, struct charge *from);

/* Something that needs many bytes of a resource at once and can wait for them: a long message that
 * arrives, from a program (SENDING_BYTES) or from a server (RESERVED_BYTES). Whoever waits is admitted first come, first served, as soon as no more than half of the
 * user's limit is then in use; the other half is for what cannot wait. What those who wait hold
 * already is not counted, or they could wait for each other. One that needs more than that half
 * reserves all of it, and is admitted when no other has its turn: so that whatever the limit, one of
 * the long messages of a user can always be finished. What is received is queued next, so nobody is
 * admitted to RESERVED_BYTES while the user is over the limit of QUEUED_BYTES. */
struct waiter {
    struct list link;
    struct user *user;     /* while it waits or has its turn; its owner has a reference */
    struct charge *charge; /* is raised to amount when admitted; may hold a part of it already */
    enum quota_resource resource;
    uint64_t amount;  /* may be changed while it does not wait and has no turn */
    uint64_t counted; /* in waiting_bytes of its line, while it waits */
    bool has_turn;    /* from its admission until it leaves */
    void (*admitted)(
        struct waiter *waiter); /* from within waiter_wait or charge_shrink: only marks */
};

void waiter_init(struct waiter *waiter, struct charge *charge, enum quota_resource resource,
                 uint64_t amount, void (*admitted)(struct waiter *waiter));

/* Begins to wait; harmless when it waits or has its turn already. */
void waiter_wait(struct waiter *waiter, struct user *user);

/* Its charge has changed. */
void waiter_recount(struct waiter *waiter);

/* Waits no more, or has had its turn; takes one that does neither. What it has reserved is its charge's to give back. */
void waiter_leave(struct waiter *waiter);

/* Who is admitted next, as soon as others have given back enough; NULL: nobody waits for that. */
struct waiter *waiter_first(const struct user *user, enum quota_resource resource);

#endif
