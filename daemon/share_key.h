/* SPDX-License-Identifier: MIT
 *
 * share_key: what must agree for two channels to meet on one upstream, as one run of bytes.
 * Neighbours: target has the fields, share keeps the keys of what can be joined in a tree.
 * Invariant: two keys are equal exactly when every identity field of their targets is; they are
 * compared whole, so no chance and nobody's cunning makes two different targets meet.
 */
#ifndef WSPLEX_DAEMON_SHARE_KEY_H
#define WSPLEX_DAEMON_SHARE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/target.h"

struct share_key {
    void *owner; /* the share that has the key; no part of it */
    size_t len;
    uint8_t bytes[]; /* holds credentials: never shown */
};

/* The key of a target, without owner; NULL: no memory. Header names agree whatever their case, as
 * in HTTP; the order of headers and of subprotocols is part of the key, because the server sees
 * it. */
struct share_key *share_key_new(const struct target *target);

/* What must agree for a connection to go on with the TLS session of another: as above, of the part
 * of the identity that says for whom, where to and how TLS is spoken. */
struct share_key *share_key_new_tls(const struct target *target);

struct share_key *share_key_copy(const struct share_key *key); /* without owner; NULL: no memory */

/* Takes NULL; returns NULL. Leaves nothing of the credentials in memory. */
struct share_key *share_key_free(struct share_key *key);

/* Whether they are the same. */
bool share_key_equals(const struct share_key *a, const struct share_key *b);

/* A tree of keys, none of which is there twice: NULL at first, then tsearch(3)'s. add borrows a key
 * that is not there yet (0, -ENOMEM) until remove, which takes one that is not there; find gives
 * the one of the tree that equals key, or NULL. */
int share_key_add(void **tree, struct share_key *key);
void share_key_remove(void **tree, const struct share_key *key);
void share_key_replace(void *const *tree, const struct share_key *old,
                       struct share_key *key); /* an equal one takes its place; cannot fail */
struct share_key *share_key_find(void *const *tree, const struct share_key *key);

#endif
