/* SPDX-License-Identifier: MIT
 *
 * tls: contexts and sessions; see tls.h.
 * Neighbours: OpenSSL and the trust stores below; dial and transport_tls above.
 * Invariant: no session leaves this file without verification of chain and host name.
 */
#include "daemon/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/file_version.h"
#include "daemon/list.h"
#include "proto/local/errors.h"

/* What OpenSSL takes from the socket in one read: several full records under load. Released when it is empty. */
enum { READ_BUFFER_LEN = 64 * 1024 };

/* RFC 6455 is HTTP/1.1; a server that also speaks HTTP/2 must not choose it. */
static const unsigned char alpn[] = "\x08http/1.1";

/* One trust setting. There are as many as the configuration names, so none is ever thrown away but for a newer one. */
struct trust {
    struct list link;
    char *ca_file; /* NULL: the system's */
    struct stat stat;
    SSL_CTX *context;
};

struct tls {
    struct list trusts;
};

int tls_new(struct tls **ret_tls)
{
    struct tls *tls = malloc(sizeof(*tls));

    if (tls == NULL)
        return -ENOMEM;
    list_init(&tls->trusts);
    *ret_tls = tls;
    return 0;
}

static void trust_free(struct trust *trust)
{
    SSL_CTX_free(trust->context);
    list_remove(&trust->link);
    free(trust->ca_file);
    free(trust);
}

struct tls *tls_free(struct tls *tls)
{
    if (tls == NULL)
        return NULL;
    LIST_FOR_EACH (node, &tls->trusts)
        trust_free(LIST_ENTRY(node, struct trust, link));
    free(tls);
    return NULL;
}

/* --- contexts --- */

static SSL_CTX *context_new(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL)
        return NULL;
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(context, alpn, sizeof(alpn) - 1) != 0) {
        SSL_CTX_free(context);
        return NULL;
    }
    /* A short write may be repeated from a buffer that has moved; an idle connection holds no buffers. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_BUFFER_LEN);
    return context;
}

/* The reason of OpenSSL's oldest error, which is the one that the others follow from. Empties the queue. */
static const char *openssl_reason(void)
{
    unsigned long error = ERR_get_error();
    const char *reason;

    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(error))
        return strerror(ERR_GET_REASON(error));
    reason = ERR_reason_error_string(error);
    return reason != NULL ? reason : "unknown error";
}

/* 0; -ENOMEM; 1 with the failure. */
static int context_load(SSL_CTX *context, const char *ca_file, struct failure *ret_failure)
{
    int ok;

    ERR_clear_error();
    if (ca_file == NULL)
        ok = SSL_CTX_set_default_verify_paths(context);
    else
        ok = SSL_CTX_load_verify_file(context, ca_file);
    if (ok == 1)
        return 0;
    failure_set(ret_failure, WSP_CAUSE_TLS, 0,
                "the trusted certificates cannot be read from %s: %s",
                ca_file != NULL ? ca_file : "the system's store", openssl_reason());
    return 1;
}

static struct trust *trust_find(struct tls *tls, const char *ca_file)
{
    LIST_FOR_EACH (node, &tls->trusts) {
        struct trust *trust = LIST_ENTRY(node, struct trust, link);

        if (ca_file == NULL ? trust->ca_file == NULL
                            : trust->ca_file != NULL && strcmp(trust->ca_file, ca_file) == 0)
            return trust;
    }
    return NULL;
}

static int trust_new(struct tls *tls, const char *ca_file, const struct stat *stat,
                     struct trust **ret_trust, struct failure *ret_failure)
{
    struct trust *trust = calloc(1, sizeof(*trust));
    int r = -ENOMEM;

    if (trust == NULL)
        return -ENOMEM;
    list_init(&trust->link);
    trust->stat = *stat;
    if (ca_file != NULL && (trust->ca_file = strdup(ca_file)) == NULL)
        goto free_trust;
    trust->context = context_new();
    if (trust->context == NULL)
        goto free_trust;
    r = context_load(trust->context, ca_file, ret_failure);
    if (r != 0)
        goto free_trust;
    /* Who names a file trusts what stands in it, be it an intermediate or the server's own certificate. */
    if (ca_file != NULL)
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(trust->context), X509_V_FLAG_PARTIAL_CHAIN);
    list_append(&tls->trusts, &trust->link);
    *ret_trust = trust;
    return 0;

free_trust:
    trust_free(trust);
    return r;
}

/* The context for a CA file, made new when the file has changed; the system's directory is looked up by OpenSSL at
 * each handshake. 0, -ENOMEM, 1. */
static int trust_get(struct tls *tls, const char *ca_file, struct trust **ret_trust,
                     struct failure *ret_failure)
{
    struct trust *old = trust_find(tls, ca_file);
    struct stat now = {0};
    int r;

    if (ca_file != NULL && stat(ca_file, &now) < 0) {
        failure_set(ret_failure, WSP_CAUSE_TLS, 0,
                    "the trusted certificates cannot be read from %s: %s", ca_file,
                    strerror(errno));
        return 1;
    }
    if (old != NULL && file_version_is_same(&now, &old->stat)) {
        *ret_trust = old;
        return 0;
    }
    r = trust_new(tls, ca_file, &now, ret_trust, ret_failure);
    if (r == 0 && old != NULL)
        trust_free(old);
    return r;
}

/* --- what is wrong with a certificate --- */

/* A list of names, as far as there is room. What a certificate says is a stranger's word: failure_set, to which every
 * text goes, makes it printable. */
struct text {
    char bytes[160];
    size_t len;
    bool is_cut;
};

static void text_add(struct text *text, const void *bytes, size_t len)
{
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

static void text_add_name(struct text *text, const void *name, size_t len)
{
    static const char separator[] = ", ", ellipsis[] = "...";

    if (text->is_cut)
        return;
    if (text->len > 0)
        text_add(text, separator, strlen(separator));
    text->is_cut = text->len + len + sizeof(separator) + sizeof(ellipsis) > sizeof(text->bytes);
    if (text->is_cut)
        text_add(text, ellipsis, strlen(ellipsis));
    else
        text_add(text, name, len);
}

static void text_add_general_name(struct text *text, const GENERAL_NAME *name)
{
    const unsigned char *bytes;
    char address[INET6_ADDRSTRLEN];
    int len;

    if (name->type == GEN_DNS) {
        text_add_name(text, ASN1_STRING_get0_data(name->d.dNSName),
                      (size_t)ASN1_STRING_length(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
        bytes = ASN1_STRING_get0_data(name->d.iPAddress);
        len = ASN1_STRING_length(name->d.iPAddress);
        if ((len == 4 || len == 16) &&
            inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, address, sizeof(address)) != NULL)
            text_add_name(text, address, strlen(address));
    }
}

static void describe_wrong_name(struct tls_session *session, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    struct text text = {0};

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        text_add_general_name(&text, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    if (text.len > 0)
        failure_set(&session->failure, WSP_CAUSE_TLS, 0, "the certificate is not for %s but for %s",
                    session->host, text.bytes);
    else
        failure_set(&session->failure, WSP_CAUSE_TLS, 0,
                    "the certificate is not for %s: it has no subjectAltName at all",
                    session->host);
}

/* The certificate's own words for somebody: the common name, or else the whole name. */
static void name_to_text(X509_NAME *name, char *to, size_t room)
{
    if (name == NULL || X509_NAME_get_text_by_NID(name, NID_commonName, to, (int)room) <= 0)
        X509_NAME_oneline(name, to, (int)room);
}

/* "the certificate of example.org" or, further up the chain, that of whoever it is. */
static void certificate_to_text(const struct tls_session *session, int depth, X509 *certificate,
                                char *to, size_t room)
{
    char name[80];

    if (depth == 0) {
        snprintf(to, room, "the certificate of %.120s", session->host);
        return;
    }
    name_to_text(X509_get_subject_name(certificate), name, sizeof(name));
    snprintf(to, room, "the certificate of the issuer \"%s\"", name);
}

static void describe_time(struct tls_session *session, const char *whose, const char *what,
                          const ASN1_TIME *time)
{
    char day[32] = "an unreadable date";
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) == 1)
        strftime(day, sizeof(day), "%Y-%m-%d %H:%M UTC", &tm);
    failure_set(&session->failure, WSP_CAUSE_TLS, 0, "%s %s %s", whose, what, day);
}

static void describe_verification(struct tls_session *session, X509_STORE_CTX *store)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    int error = X509_STORE_CTX_get_error(store);
    char whose[160], issuer[80];

    if (certificate == NULL) {
        failure_set(&session->failure, WSP_CAUSE_TLS, 0, "the certificate of %s: %s", session->host,
                    X509_verify_cert_error_string(error));
        return;
    }
    certificate_to_text(session, X509_STORE_CTX_get_error_depth(store), certificate, whose,
                        sizeof(whose));
    name_to_text(X509_get_issuer_name(certificate), issuer, sizeof(issuer));
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        describe_time(session, whose, "expired on", X509_get0_notAfter(certificate));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        describe_time(session, whose, "is not valid before", X509_get0_notBefore(certificate));
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: describe_wrong_name(session, certificate); break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        failure_set(&session->failure, WSP_CAUSE_TLS, 0,
                    "%s is self-signed and not among the trusted ones (ca-file)", whose);
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        failure_set(
            &session->failure, WSP_CAUSE_TLS, 0,
            "%s has an unknown issuer, \"%s\", which is not among the trusted ones (ca-file)",
            whose, issuer);
        break;
    default:
        failure_set(&session->failure, WSP_CAUSE_TLS, 0, "%s: %s", whose,
                    X509_verify_cert_error_string(error));
    }
}

static int verified(int is_good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *session = SSL_get_app_data(ssl);

    /* OpenSSL goes on to the next check if we say so; the first thing that is wrong is enough. */
    if (!is_good)
        describe_verification(session, store);
    return is_good;
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

int tls_session_init(struct tls_session *session, struct tls *tls, const char *ca_file,
                     const char *host, bool is_address)
{
    size_t len = strlen(host);
    struct trust *trust = NULL;
    int r;

    memset(session, 0, sizeof(*session));
    r = trust_get(tls, ca_file, &trust, &session->failure);
    if (r != 0)
        return r;
    if (len >= sizeof(session->host)) {
        failure_set(&session->failure, WSP_CAUSE_TLS, 0, "the host name is longer than any can be");
        return 1;
    }
    snprintf(session->host, sizeof(session->host), "%s", host);
    /* The dot at the end of an absolute name is for the resolver: no certificate has it (RFC 6066, section 3). */
    if (!is_address && len > 0 && session->host[len - 1] == '.')
        session->host[len - 1] = '\0';
    session->ssl = SSL_new(trust->context);
    if (session->ssl == NULL)
        return -ENOMEM;
    if (!session_expect(session, is_address)) {
        tls_session_deinit(session);
        return -ENOMEM;
    }
    SSL_set_app_data(session->ssl, session);
    SSL_set_verify(session->ssl, SSL_VERIFY_PEER, verified);
    SSL_set_connect_state(session->ssl);
    return 0;
}

void tls_session_deinit(struct tls_session *session)
{
    SSL_free(session->ssl);
    session->ssl = NULL;
}

void tls_session_describe_handshake(struct tls_session *session, int saved_errno)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);

    if (session->failure.cause != 0)
        ERR_clear_error();
    else if (error == 0 && saved_errno != 0)
        failure_set(&session->failure, WSP_CAUSE_TLS, 0,
                    "the connection to %s failed during the TLS handshake: %s", session->host,
                    strerror(saved_errno));
    else if (error == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        failure_set(&session->failure, WSP_CAUSE_TLS, 0,
                    "%s ended the connection during the TLS handshake", session->host);
    else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG)
        failure_set(&session->failure, WSP_CAUSE_TLS, 0, "%s does not answer with TLS on this port",
                    session->host);
    else if (reason >= SSL_AD_REASON_OFFSET)
        failure_set(&session->failure, WSP_CAUSE_TLS, 0, "%s refused the TLS handshake: %s",
                    session->host, openssl_reason());
    else
        failure_set(&session->failure, WSP_CAUSE_TLS, 0, "the TLS handshake with %s failed: %s",
                    session->host, openssl_reason());
    ERR_clear_error();
}
