/* SPDX-License-Identifier: MIT
 *
 * tls: the TLS sessions of the daemon's connections, made of contexts that they share and resumed
 * from what servers have let us keep.
 * Neighbours: tls_context, tls_resumption and tls_verify below; dial asks for a session, and
 * transport_tls runs it over a descriptor.
 * Invariant: no session leaves this file without verification of chain and host name, unless the
 * configuration of its endpoint says so by name.
 */
#ifndef WSPLEX_DAEMON_TLS_H
#define WSPLEX_DAEMON_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/failure.h"
#include "daemon/share_key.h"
#include "daemon/target.h"

struct tls;

/* 0, -ENOMEM. */
int tls_new(struct tls **ret_tls);

/* Every session must be gone. Takes NULL; returns NULL. */
struct tls *tls_free(struct tls *tls);

/* Files are read again when they are needed next, and no session is resumed that is known so far. */
void tls_forget(struct tls *tls);

/* Whether connections with these settings could be made: reads what they name. 0; -ENOMEM; 1 with the
 * failure. */
int tls_check(struct tls *tls, const struct tls_settings *settings, struct failure *ret_failure);

/* One connection to be. */
struct tls_session {
    SSL *ssl;
    struct failure failure; /* set by verification; cause 0: nothing was found */
    char host[256];         /* as it was to be verified, for texts */
    /* Until the handshake is over. */
    const struct tls_settings *settings;
    /* For what the server lets us keep. */
    struct tls *tls;
    struct share_key *key;
    uint64_t context_id;
    uid_t uid;
};

/* A session that will accept nobody but the target's host: a name, or an address, which is looked for
 * among the certificate's addresses. What the target's tls names is read again when it has changed. The
 * session must stay where it is until deinit, the target until the handshake is over.
 * 0; -ENOMEM; 1 when a file or the name cannot be used, with failure set. */
int tls_session_init(struct tls_session *session, struct tls *tls, const struct target *target);
void tls_session_deinit(struct tls_session *session); /* takes a zeroed one */

/* The handshake went well: whether what was agreed on is what we can speak. 0; 1 with failure set. */
int tls_session_judge(struct tls_session *session);

/* What the server says, after the handshake, that it dislikes of ours (in TLS 1.3 it looks at the client's
 * certificate when the handshake is over on this side): true with the failure, from OpenSSL's queue. */
bool tls_session_describe_alert(const struct tls_session *session, struct failure *ret_failure);

/* Why the TLS handshake failed: what verification found, or what OpenSSL's error queue says, or the
 * errno that the socket gave (0: the server ended the connection). Empties the queue. */
void tls_session_describe_handshake(struct tls_session *session, int saved_errno);

#endif
