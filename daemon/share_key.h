/* SPDX-License-Identifier: MIT
 *
 * share_key: what must agree for two channels to meet on one upstream, as one run of bytes.
 * Neighbours: target has the fields, share keeps the keys of what can be joined in a tree.
 * Invariant: two keys are equal exactly when every identity field of their targets is; they are compared whole, so no
 * chance and nobody's cunning makes two different targets meet.
 */
#ifndef WSPLEX_DAEMON_SHARE_KEY_H
#define WSPLEX_DAEMON_SHARE_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/target.h"

struct share_key {
    void *owner; /* the share that has the key; no part of it */
    size_t len;
    uint8_t bytes[]; /* holds credentials: never shown */
};

/* The key of a target, without owner; NULL: no memory. Header names agree whatever their case, as in HTTP; the order of
 * headers and of subprotocols is part of the key, because the server sees it. */
struct share_key *share_key_new(const struct target *target);

/* Takes NULL; returns NULL. Leaves nothing of the credentials in memory. */
struct share_key *share_key_free(struct share_key *key);

/* Less than, equal to or greater than 0; an order for tsearch(3), whose arguments these are. */
int share_key_compare(const void *a, const void *b);

#endif
