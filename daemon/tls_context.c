/* SPDX-License-Identifier: MIT
 *
 * tls_context: makes and keeps SSL_CTXs; see tls_context.h.
 * Between tls_file and tls. Invariant: see tls_context.h; there are never more than MAX_TLS_CONTEXTS.
 */
#include "daemon/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/file_version.h"
#include "daemon/limits.h"
#include "daemon/tls_file.h"
#include "proto/local/errors.h"

/* What OpenSSL takes from the socket in one read: several full records under load. Released when it is empty. */
enum { READ_BUFFER_LEN = 64 * 1024 };

/* RFC 6455 is HTTP/1.1; a server that also speaks HTTP/2 must not choose it. */
static const unsigned char alpn[] = "\x08http/1.1";

static void context_free(struct tls_context *context)
{
    list_remove(&context->link);
    for (int i = 0; i < TLS_CONTEXT_N_PATHS; i++)
        free(context->files[i].path);
    SSL_CTX_free(context->ssl);
    free(context);
}

static void context_drop(struct tls_contexts *contexts, struct tls_context *context)
{
    contexts->n--;
    contexts->on_gone(contexts, context->id);
    context_free(context);
}

void tls_contexts_init(struct tls_contexts *contexts)
{
    list_init(&contexts->all);
}

void tls_contexts_forget(struct tls_contexts *contexts)
{
    LIST_FOR_EACH (node, &contexts->all)
        context_drop(contexts, LIST_ENTRY(node, struct tls_context, link));
}

void tls_contexts_deinit(struct tls_contexts *contexts)
{
    tls_contexts_forget(contexts);
}

/* --- making one --- */

static SSL_CTX *ssl_new(const struct tls_contexts *contexts)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());

    if (ssl == NULL)
        return NULL;
    if (SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) != 0) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    /* A short write may be repeated from a buffer that has moved; an idle connection holds no buffers. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Or a read would go on for as long as a server sends key updates, tickets and the like. */
    SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, contexts->on_session);
    SSL_CTX_set_cert_verify_callback(ssl, contexts->verify, NULL);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_default_read_buffer_len(ssl, READ_BUFFER_LEN);
    return ssl;
}

static int trust_system(SSL_CTX *ssl, struct failure *ret_failure)
{
    ERR_clear_error();
    if (SSL_CTX_set_default_verify_paths(ssl) == 1)
        return 0;
    failure_set(ret_failure, WSP_CAUSE_TLS, 0,
                "the trusted certificates cannot be read from the system's store: %s",
                tls_error_text());
    return 1;
}

static int trust(SSL_CTX *ssl, const struct tls_settings *settings, struct failure *ret_failure)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    int r = 0;

    if (settings->ca_file == NULL && settings->ca_path == NULL)
        return trust_system(ssl, ret_failure);
    /* Who names a file trusts what stands in it, be it an intermediate or the server's own certificate. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    if (settings->ca_file != NULL)
        r = tls_file_trust(settings->ca_file, store, ret_failure);
    if (r == 0 && settings->ca_path != NULL)
        r = tls_directory_trust(settings->ca_path, store, ret_failure);
    return r;
}

static void settings_paths(const struct tls_settings *settings,
                           const char *ret_paths[TLS_CONTEXT_N_PATHS])
{
    ret_paths[0] = settings->ca_file;
    ret_paths[1] = settings->ca_path;
    ret_paths[2] = settings->cert_file;
    ret_paths[3] = settings->key_file;
}

/* The versions are taken before the files are read: what changes meanwhile is read once more. */
static int context_note(struct tls_context *context, const struct tls_settings *settings)
{
    const char *paths[TLS_CONTEXT_N_PATHS];

    settings_paths(settings, paths);
    for (int i = 0; i < TLS_CONTEXT_N_PATHS; i++) {
        if (paths[i] == NULL)
            continue;
        context->files[i].path = strdup(paths[i]);
        if (context->files[i].path == NULL)
            return -ENOMEM;
        /* One that is not there is told when it is read. */
        (void)stat(paths[i], &context->files[i].version);
    }
    return 0;
}

static int context_new(struct tls_contexts *contexts, const struct tls_settings *settings,
                       struct tls_context **ret_context, struct failure *ret_failure)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    int r;

    if (context == NULL)
        return -ENOMEM;
    list_init(&context->link);
    r = context_note(context, settings);
    if (r < 0)
        goto free_context;
    context->ssl = ssl_new(contexts);
    if (context->ssl == NULL) {
        r = -ENOMEM;
        goto free_context;
    }
    r = trust(context->ssl, settings, ret_failure);
    if (r == 0 && settings->cert_file != NULL)
        r = tls_file_use(settings->cert_file, settings->key_file, context->ssl, ret_failure);
    if (r != 0)
        goto free_context;
    *ret_context = context;
    return 0;

free_context:
    context_free(context);
    return r;
}

/* --- finding one --- */

static bool context_is_for(const struct tls_context *context, const struct tls_settings *settings)
{
    const char *paths[TLS_CONTEXT_N_PATHS];

    settings_paths(settings, paths);
    for (int i = 0; i < TLS_CONTEXT_N_PATHS; i++) {
        const char *path = context->files[i].path;

        if (path == NULL || paths[i] == NULL ? path != paths[i] : strcmp(path, paths[i]) != 0)
            return false;
    }
    return true;
}

static bool context_is_current(const struct tls_context *context)
{
    for (int i = 0; i < TLS_CONTEXT_N_PATHS; i++) {
        struct stat now = {0};

        if (context->files[i].path == NULL)
            continue;
        if (stat(context->files[i].path, &now) < 0 ||
            !file_version_is_same(&now, &context->files[i].version))
            return false;
    }
    return true;
}

bool tls_contexts_has(const struct tls_contexts *contexts, uint64_t id)
{
    for (const struct list *node = contexts->all.next; node != &contexts->all; node = node->next)
        if (LIST_ENTRY(node, const struct tls_context, link)->id == id)
            return true;
    return false;
}

static struct tls_context *context_find(struct tls_contexts *contexts,
                                        const struct tls_settings *settings)
{
    LIST_FOR_EACH (node, &contexts->all) {
        struct tls_context *context = LIST_ENTRY(node, struct tls_context, link);

        if (context_is_for(context, settings))
            return context;
    }
    return NULL;
}

int tls_contexts_get(struct tls_contexts *contexts, const struct tls_settings *settings,
                     struct tls_context **ret_context, struct failure *ret_failure)
{
    struct tls_context *context = context_find(contexts, settings);
    int r;

    if (context != NULL && !context_is_current(context)) {
        context_drop(contexts, context);
        context = NULL;
    }
    if (context == NULL) {
        r = context_new(contexts, settings, &context, ret_failure);
        if (r != 0)
            return r;
        context->id = ++contexts->last_id;
        if (contexts->n == MAX_TLS_CONTEXTS)
            context_drop(contexts, LIST_ENTRY(contexts->all.next, struct tls_context, link));
        contexts->n++;
    }
    list_append(&contexts->all, &context->link);
    *ret_context = context;
    return 0;
}
