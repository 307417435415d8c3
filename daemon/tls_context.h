/* SPDX-License-Identifier: MIT
 *
 * tls_context: what connections with the same TLS settings have in common: trust anchors, the
 * client's certificate and key, and how TLS is spoken. Made once and kept until a file changes.
 * Neighbours: tls_file reads the files, tls makes sessions of contexts.
 * Invariant: a context that is handed out was made of the files as they are now; a directory that has
 * not changed itself is taken for unchanged until tls_contexts_forget.
 */
#ifndef WSPLEX_DAEMON_TLS_CONTEXT_H
#define WSPLEX_DAEMON_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "daemon/failure.h"
#include "daemon/list.h"
#include "daemon/target.h"

enum { TLS_CONTEXT_N_PATHS = 4 };

struct tls_context {
    struct list link;
    uint64_t id; /* never that of another, nor of what it was before a change */
    struct {
        char *path; /* NULL: not given */
        struct stat version;
    } files[TLS_CONTEXT_N_PATHS];
    SSL_CTX *ssl; /* connections hold it as well */
};

struct tls_contexts {
    struct list all; /* the one that was used last is the last */
    unsigned n;
    uint64_t last_id;
    int (*on_session)(SSL *ssl, SSL_SESSION *session);  /* as SSL_CTX_sess_set_new_cb */
    int (*verify)(X509_STORE_CTX *store, void *unused); /* the chain that a server has shown */
    void (*on_gone)(struct tls_contexts *contexts,
                    uint64_t id); /* nothing made of it may be used */
};

/* All three functions are to be given. */
void tls_contexts_init(struct tls_contexts *contexts);
void tls_contexts_deinit(struct tls_contexts *contexts);

/* Every file is read again when it is needed next. */
void tls_contexts_forget(struct tls_contexts *contexts);

/* The context for these settings, borrowed until the next call of any function here. 0; -ENOMEM; 1
 * when a file cannot be used, with the failure. */
int tls_contexts_get(struct tls_contexts *contexts, const struct tls_settings *settings,
                     struct tls_context **ret_context, struct failure *ret_failure);

/* Whether a context that was handed out under this id would still be handed out. */
bool tls_contexts_has(const struct tls_contexts *contexts, uint64_t id);

#endif
