/* SPDX-License-Identifier: MIT
 *
 * tls_verify: whether a server is who it should be: its certificates' chain, the name, pinned keys;
 * and in words what is wrong, and what would be right.
 * Neighbours: tls has the sessions, OpenSSL calls in the handshake.
 * Invariant: a handshake goes on only after tls_verify has returned 1; what it returns 0 for is in the
 * session's failure.
 */
#ifndef WSPLEX_DAEMON_TLS_VERIFY_H
#define WSPLEX_DAEMON_TLS_VERIFY_H

#include <openssl/ssl.h>

#include "daemon/tls.h"

/* For SSL_CTX_set_cert_verify_callback: before anything of ours is sent that would tell the server who
 * we are. 1: it is the one; 0: it is not. */
int tls_verify(X509_STORE_CTX *store, void *unused);

/* For SSL_set_verify: called for each thing that is wrong with a chain. */
int tls_verify_step(int is_good, X509_STORE_CTX *store);

#endif
