/* SPDX-License-Identifier: MIT
 *
 * upgrade: the opening handshake of one upstream: the request that its target asks for, and the
 * judgement of the answer in the words of a failure.
 * Neighbours: upstream moves the bytes, proto/websocket/handshake writes and judges them.
 * Invariant: no failure says anything of the request's query, credentials or headers, nor of the
 * answer's body; what the body says is the excerpt alone.
 */
#ifndef WSPLEX_DAEMON_UPGRADE_H
#define WSPLEX_DAEMON_UPGRADE_H

#include "daemon/failure.h"
#include "daemon/target.h"
#include "proto/buffer.h"
#include "proto/websocket/offer.h"

struct upgrade;

/* What an upgrade takes from the cryptographic room. */
typedef void (*upgrade_random_fn)(void *to, size_t len);
typedef int (*upgrade_sha1_fn)(const void *data, size_t len, uint8_t ret_digest[20]);

/* Appends the request to out, which is secret from now on, and begins to wait for its answer. The target outlives the upgrade.
 * 0; -ENOMEM; 1 when the target cannot be put into a request, or a credential of it not be read,
 * with failure set. */
int upgrade_new(const struct target *target, upgrade_random_fn random, upgrade_sha1_fn sha1,
                struct wsp_buffer *out, struct upgrade **ret_upgrade, struct failure *ret_failure);
struct upgrade *upgrade_free(struct upgrade *upgrade); /* takes NULL; returns NULL */

enum upgrade_result {
    UPGRADE_MORE = 1, /* the answer is not whole yet */
    UPGRADE_REFUSED,  /* as FAILED; but more of its body would make the excerpt longer */
    UPGRADE_FAILED,   /* it is another answer than we need: failure */
};

/* What is in force; the views live as long as the upgrade, rest as long as the input. */
struct upgrade_answer {
    struct wsp_view protocol, extensions;
    struct wsp_deflate_agreement deflate; /* what the extensions come to */
    struct wsp_view rest;                 /* what follows the answer: the server's first frames */
};

/* The next bytes of the answer. 0 with *ret_answer, an upgrade_result, or -ENOMEM. After REFUSED it
 * may be called again. */
int upgrade_read(struct upgrade *upgrade, struct wsp_view input, struct upgrade_answer *ret_answer,
                 struct failure *ret_failure);

/* How the body of an answer that refuses begins, as far as it was read: a new text, the caller's to
 * free. What the server tells back of an endpoint's headers, path, query and credentials is masked. NULL:
 * there is none, or no memory. */
char *upgrade_excerpt(const struct upgrade *upgrade);

#endif
