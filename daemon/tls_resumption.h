/* SPDX-License-Identifier: MIT
 *
 * tls_resumption: TLS sessions that servers let us resume, kept for the next connection to the same
 * target for the same user with the same settings.
 * Neighbours: tls puts in what servers give and takes out what a new connection may offer.
 * Invariant: a session comes out only for the key and the context that it was put in with, one of TLS
 * 1.3 once, and none whose certificate has expired meanwhile; see limits.h for how many there are.
 */
#ifndef WSPLEX_DAEMON_TLS_RESUMPTION_H
#define WSPLEX_DAEMON_TLS_RESUMPTION_H

#include <openssl/ssl.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/list.h"
#include "daemon/share_key.h"

struct tls_resumption {
    struct list all; /* struct kept, the oldest first */
    unsigned n;
};

void tls_resumption_init(struct tls_resumption *resumption);
void tls_resumption_deinit(struct tls_resumption *resumption);

/* Becomes owner of the session; copies the key. Without memory the session is just not kept. */
void tls_resumption_take(struct tls_resumption *resumption, const struct share_key *key,
                         uint64_t context_id, uid_t uid, SSL_SESSION *session);

/* A session to offer, which the caller frees; NULL: none. */
SSL_SESSION *tls_resumption_get(struct tls_resumption *resumption, const struct share_key *key,
                                uint64_t context_id);

/* The server did not like what was offered, or the context has gone. */
void tls_resumption_forget_key(struct tls_resumption *resumption, const struct share_key *key);
void tls_resumption_forget_context(struct tls_resumption *resumption, uint64_t context_id);

#endif
