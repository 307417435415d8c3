/* SPDX-License-Identifier: MIT
 *
 * tls_resumption: one list, the oldest first; see tls_resumption.h.
 * Between tls and the memory that is worth having. Invariant: n counts what is in the list.
 */
#include "daemon/tls_resumption.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/limits.h"

struct kept {
    struct list link;
    uint64_t context_id;
    uid_t uid;
    SSL_SESSION *session;
    struct share_key *key;
};

static struct kept *kept_of(struct list *node)
{
    return LIST_ENTRY(node, struct kept, link);
}

static void kept_free(struct tls_resumption *resumption, struct kept *kept)
{
    list_remove(&kept->link);
    resumption->n--;
    SSL_SESSION_free(kept->session);
    share_key_free(kept->key);
    free(kept);
}

void tls_resumption_init(struct tls_resumption *resumption)
{
    list_init(&resumption->all);
    resumption->n = 0;
}

void tls_resumption_deinit(struct tls_resumption *resumption)
{
    LIST_FOR_EACH (node, &resumption->all)
        kept_free(resumption, kept_of(node));
}

void tls_resumption_forget_key(struct tls_resumption *resumption, const struct share_key *key)
{
    LIST_FOR_EACH (node, &resumption->all)
        if (share_key_equals(kept_of(node)->key, key))
            kept_free(resumption, kept_of(node));
}

void tls_resumption_forget_context(struct tls_resumption *resumption, uint64_t context_id)
{
    LIST_FOR_EACH (node, &resumption->all)
        if (kept_of(node)->context_id == context_id)
            kept_free(resumption, kept_of(node));
}

/* --- in --- */

/* Each bound gives way from its own oldest, so nobody's sessions are pushed out by another user's as long as there
 * are few who have many. */
static void make_room(struct tls_resumption *resumption, const struct share_key *key, uid_t uid)
{
    struct kept *oldest_of_key = NULL, *oldest_of_user = NULL;
    unsigned n_of_key = 0, n_of_user = 0;

    LIST_FOR_EACH (node, &resumption->all) {
        struct kept *kept = kept_of(node);

        if (share_key_equals(kept->key, key) && n_of_key++ == 0)
            oldest_of_key = kept;
        if (kept->uid == uid && n_of_user++ == 0)
            oldest_of_user = kept;
    }
    if (n_of_key >= MAX_TLS_SESSIONS_PER_TARGET)
        kept_free(resumption, oldest_of_key);
    else if (n_of_user >= MAX_TLS_SESSIONS_PER_USER)
        kept_free(resumption, oldest_of_user);
    else if (resumption->n >= MAX_TLS_SESSIONS)
        kept_free(resumption, kept_of(resumption->all.next));
}

void tls_resumption_take(struct tls_resumption *resumption, const struct share_key *key,
                         uint64_t context_id, uid_t uid, SSL_SESSION *session)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    make_room(resumption, key, uid);
    if (kept == NULL || (kept->key = share_key_copy(key)) == NULL) {
        SSL_SESSION_free(session);
        free(kept);
        return;
    }
    kept->context_id = context_id;
    kept->uid = uid;
    kept->session = session;
    list_init(&kept->link);
    list_append(&resumption->all, &kept->link);
    resumption->n++;
}

/* --- out --- */

/* A resumed handshake verifies no certificate, so one that would not pass any more must not be resumed from. */
static bool session_is_good(const SSL_SESSION *session)
{
    X509 *certificate = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);
    time_t ends = (time_t)SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session);
    unsigned long hint_s = SSL_SESSION_get_ticket_lifetime_hint(session);

    if (hint_s > 0 && (time_t)SSL_SESSION_get_time(session) + (time_t)hint_s < ends)
        ends = (time_t)SSL_SESSION_get_time(session) + (time_t)hint_s;
    return SSL_SESSION_is_resumable(session) && time(NULL) < ends && certificate != NULL &&
           X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

SSL_SESSION *tls_resumption_get(struct tls_resumption *resumption, const struct share_key *key,
                                uint64_t context_id)
{
    SSL_SESSION *session;
    struct kept *newest = NULL;

    LIST_FOR_EACH (node, &resumption->all) {
        struct kept *kept = kept_of(node);

        if (kept->context_id != context_id || !share_key_equals(kept->key, key))
            continue;
        if (session_is_good(kept->session))
            newest = kept;
        else
            kept_free(resumption, kept);
    }
    if (newest == NULL)
        return NULL;
    session = newest->session;
    SSL_SESSION_up_ref(session);
    /* RFC 8446, appendix C.4: who sees a ticket twice knows that both connections are ours. */
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
        kept_free(resumption, newest);
    return session;
}
