/* SPDX-License-Identifier: MIT
 *
 * tls_file: the PEM files that TLS needs, read whole and never waited for: certificates to trust,
 * from files and directories, and the client's own with its key.
 * Neighbours: the file system and OpenSSL's PEM below, tls_context above.
 * Invariant: only regular files of a bounded length are read; a key only if nobody else can read it.
 */
#ifndef WSPLEX_DAEMON_TLS_FILE_H
#define WSPLEX_DAEMON_TLS_FILE_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "daemon/failure.h"
#include "daemon/target.h"

/* Each: 0; -ENOMEM; 1 with the failure, which names the file. They leave OpenSSL's queue empty. */

/* Every certificate of the file becomes a trust anchor; there must be one. */
int tls_file_trust(const char *path, X509_STORE *store, struct failure *ret_failure);

/* The same of the files of a directory whose names end in .pem or .crt, or are those that
 * c_rehash(1) gives (8 hexadecimal digits, a dot, a number). One without a certificate is skipped,
 * one that is damaged is a failure, and so is a directory without any. */
int tls_directory_trust(const char *path, X509_STORE *store, struct failure *ret_failure);

/* The certificate of cert_file with what follows it as its chain, and the key of key_file, or of
 * cert_file when that is NULL. */
int tls_file_use(const char *cert_file, const char *key_file, SSL_CTX *context,
                 struct failure *ret_failure);

/* Whether a failure of tls_file_use is the key's, and not the certificate's. */
bool tls_failure_is_of_key(const struct failure *failure);

/* OpenSSL's oldest error, from which the others follow, as a text. Empties the queue. */
const char *tls_error_text(void);

#endif
