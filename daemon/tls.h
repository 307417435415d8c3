/* SPDX-License-Identifier: MIT
 *
 * tls: what every TLS connection of the daemon has in common: the contexts with their trust
 * anchors, and the sessions made of them, which verify chain and name and say in words what was
 * wrong with a certificate.
 * Neighbours: dial asks for a session, transport_tls runs it over a descriptor.
 * Invariant: no session leaves this file without verification of chain and host name.
 */
#ifndef WSPLEX_DAEMON_TLS_H
#define WSPLEX_DAEMON_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "daemon/failure.h"

struct tls;

/* 0, -ENOMEM. */
int tls_new(struct tls **ret_tls);
struct tls *tls_free(struct tls *tls); /* sessions may live on; takes NULL */

/* One connection to be. */
struct tls_session {
    SSL *ssl;
    struct failure failure; /* set by verification; cause 0: nothing was found */
    char host[256];         /* as it was to be verified, for texts */
};

/* A session that will accept nobody but host: a name in ASCII, or an address (is_address), which is
 * looked for among the certificate's addresses. ca_file holds the trust anchors (PEM), NULL: the
 * system's; it is read again when it has changed. The session must stay where it is until deinit.
 * 0; -ENOMEM; 1 when the CA file or the name cannot be used, with failure set. */
int tls_session_init(struct tls_session *session, struct tls *tls, const char *ca_file,
                     const char *host, bool is_address);
void tls_session_deinit(struct tls_session *session); /* takes a zeroed one */

/* Why the TLS handshake failed: what verification found, or what OpenSSL's error queue says, or the
 * errno that the socket gave (0: the server ended the connection). Empties the queue. */
void tls_session_describe_handshake(struct tls_session *session, int saved_errno);

#endif
