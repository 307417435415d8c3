/* SPDX-License-Identifier: MIT
 *
 * tls: sessions; see tls.h.
 * Neighbours: contexts, resumption and verification below; dial and transport_tls above.
 * Invariant: see tls.h.
 */
#include "daemon/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/tls_context.h"
#include "daemon/tls_file.h"
#include "daemon/tls_resumption.h"
#include "daemon/tls_verify.h"
#include "proto/local/errors.h"

struct tls {
    struct tls_contexts contexts;
    struct tls_resumption resumption;
};

/* Whoever sends more than usual gets a full handshake each time. */
static bool session_is_small(const SSL *ssl, const SSL_SESSION *session)
{
    const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    const unsigned char *ticket;
    size_t len;

    SSL_SESSION_get0_ticket(session, &ticket, &len);
    for (int i = 0; i < sk_X509_num(chain); i++)
        len += (size_t)i2d_X509(sk_X509_value(chain, i), NULL);
    return len <= MAX_TLS_SESSION_LEN;
}

/* Of TLS 1.2 it comes within the handshake, of TLS 1.3 at any time after it. 1: it is kept; 0: not,
 * as it would never be used. */
static int session_came(SSL *ssl, SSL_SESSION *session)
{
    struct tls_session *ours = SSL_get_app_data(ssl);

    if (!tls_contexts_has(&ours->tls->contexts, ours->context_id) ||
        !session_is_small(ssl, session))
        return 0;
    tls_resumption_take(&ours->tls->resumption, ours->key, ours->context_id, ours->uid, session);
    return 1;
}

static void context_gone(struct tls_contexts *contexts, uint64_t id)
{
    tls_resumption_forget_context(&LIST_ENTRY(contexts, struct tls, contexts)->resumption, id);
}

int tls_new(struct tls **ret_tls)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL)
        return -ENOMEM;
    tls->contexts.on_session = session_came;
    tls->contexts.verify = tls_verify;
    tls->contexts.on_gone = context_gone;
    tls_contexts_init(&tls->contexts);
    tls_resumption_init(&tls->resumption);
    *ret_tls = tls;
    return 0;
}

struct tls *tls_free(struct tls *tls)
{
    if (tls == NULL)
        return NULL;
    tls_contexts_deinit(&tls->contexts);
    tls_resumption_deinit(&tls->resumption);
    free(tls);
    return NULL;
}

void tls_forget(struct tls *tls)
{
    tls_contexts_forget(&tls->contexts);
}

int tls_check(struct tls *tls, const struct tls_settings *settings, struct failure *ret_failure)
{
    struct tls_context *context;

    return tls_contexts_get(&tls->contexts, settings, &context, ret_failure);
}

/* --- sessions --- */

/* Whom the certificate must name. RFC 9525 and the browsers look at subjectAltName alone, and so do we. */
static bool session_expect(struct tls_session *session, bool is_address)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(session->ssl);

    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(param, session->host) == 1;
    /* RFC 6066, section 3: addresses are not sent as server names. */
    return SSL_set_tlsext_host_name(session->ssl, session->host) == 1 &&
           SSL_set1_host(session->ssl, session->host) == 1;
}

/* 0; -ENOMEM. A session that OpenSSL does not take is not worth more than a full handshake. */
static int session_resume(struct tls_session *session, const struct target *target)
{
    SSL_SESSION *known;

    session->key = share_key_new_tls(target);
    if (session->key == NULL)
        return -ENOMEM;
    known = tls_resumption_get(&session->tls->resumption, session->key, session->context_id);
    if (known != NULL)
        SSL_set_session(session->ssl, known);
    SSL_SESSION_free(known);
    ERR_clear_error();
    return 0;
}

static int session_name(struct tls_session *session, const struct target *target)
{
    const char *host = target->url.hostname;
    size_t len = strlen(host);

    if (len >= sizeof(session->host)) {
        failure_set(&session->failure, WSP_CAUSE_TLS, 0, "the host name is longer than any can be");
        return 1;
    }
    memcpy(session->host, host, len + 1);
    /* The dot at the end of an absolute name is for the resolver: no certificate has it (RFC 6066, section 3). */
    if (target->url.host_kind == WSP_HOST_DOMAIN && len > 0 && host[len - 1] == '.')
        session->host[len - 1] = '\0';
    return 0;
}

int tls_session_init(struct tls_session *session, struct tls *tls, const struct target *target)
{
    struct tls_context *context = NULL;
    int r;

    memset(session, 0, sizeof(*session));
    session->tls = tls;
    session->settings = &target->tls;
    session->uid = target->scope;
    r = session_name(session, target);
    if (r == 0)
        r = tls_contexts_get(&tls->contexts, &target->tls, &context, &session->failure);
    if (r != 0)
        return r;
    session->context_id = context->id;
    session->ssl = SSL_new(context->ssl);
    if (session->ssl == NULL)
        return -ENOMEM;
    SSL_set_app_data(session->ssl, session);
    SSL_set_verify(session->ssl, SSL_VERIFY_PEER, tls_verify_step);
    SSL_set_connect_state(session->ssl);
    /* A server may tell back what it was asked. */
    if (target_has_credentials(target))
        SSL_set_options(session->ssl, SSL_OP_CLEANSE_PLAINTEXT);
    if (!session_expect(session, target->url.host_kind != WSP_HOST_DOMAIN) ||
        session_resume(session, target) < 0) {
        tls_session_deinit(session);
        return -ENOMEM;
    }
    return 0;
}

void tls_session_deinit(struct tls_session *session)
{
    /* RFC 8446, section 6.1, and RFC 5246, section 7.2.1: a connection that was cut off may be resumed all the same;
     * OpenSSL would forbid it. After a fatal alert it has done so already. */
    if (session->ssl != NULL)
        SSL_set_shutdown(session->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(session->ssl);
    session->ssl = NULL;
    session->key = share_key_free(session->key);
}

int tls_session_judge(struct tls_session *session)
{
    static const char http[] = "http/1.1";
    const unsigned char *chosen;
    unsigned len;

    session->settings = NULL;
    SSL_get0_alpn_selected(session->ssl, &chosen, &len);
    if (len == 0 || (len == strlen(http) && memcmp(chosen, http, len) == 0))
        return 0;
    failure_set(
        &session->failure, WSP_CAUSE_TLS, 0,
        "%s chose the protocol \"%.*s\", which was not offered to it (ALPN); WebSockets need "
        "http/1.1",
        session->host, len > 40 ? 40 : (int)len, (const char *)chosen);
    return 1;
}

/* --- why a handshake failed --- */

/* Reasons that are told in other words than OpenSSL's, after the name of the host. */
static const struct {
    int reason;
    bool is_lasting; /* until the certificate that we show is another */
    const char *text;
} reasons[] = {
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, false, "ended the connection during the TLS handshake"},
    {SSL_R_WRONG_VERSION_NUMBER, false, "does not answer with TLS on this port"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, false, "does not answer with TLS on this port"},
    {SSL_R_HTTP_REQUEST, false, "does not answer with TLS on this port"},
    {SSL_R_UNSUPPORTED_PROTOCOL, false,
     "speaks no version of TLS that is safe; the server must be set to TLS 1.2 or 1.3"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, false,
     "speaks no version of TLS that is safe; the server must be set to TLS 1.2 or 1.3"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, true,
     "wants a client's certificate, and there is none for it (cert-file)"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, true,
     "does not trust the client's certificate (cert-file): it does not know its issuer"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, true,
     "refused the client's certificate (cert-file): it has expired"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, true, "refused the client's certificate (cert-file)"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, true,
     "refused the client's certificate (cert-file): it is not one for clients"},
};

static bool session_describe_reason(const struct tls_session *session, unsigned long error,
                                    struct failure *ret_failure)
{
    for (size_t i = 0; ERR_GET_LIB(error) == ERR_LIB_SSL && i < sizeof(reasons) / sizeof(*reasons);
         i++)
        if (reasons[i].reason == ERR_GET_REASON(error)) {
            failure_set(ret_failure, WSP_CAUSE_TLS, 0, "%s %s", session->host, reasons[i].text);
            ret_failure->is_lasting = reasons[i].is_lasting;
            return true;
        }
    return false;
}

bool tls_session_describe_alert(const struct tls_session *session, struct failure *ret_failure)
{
    unsigned long error = ERR_peek_error();

    return ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET &&
           session_describe_reason(session, error, ret_failure);
}

void tls_session_describe_handshake(struct tls_session *session, int saved_errno)
{
    struct failure *failure = &session->failure;
    unsigned long error = ERR_peek_error();

    /* Whatever it was, it must not be offered once more. */
    tls_resumption_forget_key(&session->tls->resumption, session->key);
    if (failure->cause != 0 || session_describe_reason(session, error, failure))
        ERR_clear_error();
    else if (error == 0 && saved_errno != 0)
        failure_set(failure, WSP_CAUSE_TLS, 0,
                    "the connection to %s failed during the TLS handshake: %s", session->host,
                    strerror(saved_errno));
    else if (error == 0)
        failure_set(failure, WSP_CAUSE_TLS, 0, "%s ended the connection during the TLS handshake",
                    session->host);
    else if (ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET)
        failure_set(failure, WSP_CAUSE_TLS, 0, "%s refused the TLS handshake: %s", session->host,
                    tls_error_text());
    else
        failure_set(failure, WSP_CAUSE_TLS, 0, "the TLS handshake with %s failed: %s",
                    session->host, tls_error_text());
    ERR_clear_error();
}
