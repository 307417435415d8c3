/* SPDX-License-Identifier: MIT
 *
 * tls_verify: judges the certificates that a server shows; see tls_verify.h.
 * Between OpenSSL's verification and the failure that people read.
 * Invariant: nothing is accepted without a reason: the chain and the name, or what the configuration puts in their place.
 */
#include "daemon/tls_verify.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/pin.h"
#include "proto/local/errors.h"

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

static void time_to_text(const ASN1_TIME *time, char *to, size_t room)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1 || strftime(to, room, "%Y-%m-%d %H:%M UTC", &tm) == 0)
        snprintf(to, room, "an unreadable date");
}

/* A wrong clock of ours looks just the same, so it is told as well. */
static void describe_time(struct tls_session *session, const char *whose, const char *what,
                          const ASN1_TIME *limit)
{
    char limit_text[32], now_text[32];
    time_t now = time(NULL);
    ASN1_TIME *now_time = ASN1_TIME_set(NULL, now);

    time_to_text(limit, limit_text, sizeof(limit_text));
    time_to_text(now_time, now_text, sizeof(now_text));
    ASN1_TIME_free(now_time);
    failure_set(&session->failure, WSP_CAUSE_TLS, 0, "%s %s %s; by this machine's clock it is %s",
                whose, what, limit_text, now_text);
}

/* What else can be wrong with one, and what would be right. */
static const struct {
    int error;
    const char *text;
} problems[] = {
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
     "is self-signed and not among the trusted ones; if it is the right one, name it in ca-file"},
    {X509_V_ERR_INVALID_PURPOSE,
     "is not one for servers; it needs the extended key usage serverAuth, or none"},
    {X509_V_ERR_INVALID_CA,
     "is not one that may issue others; it needs the basic constraint CA:TRUE"},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, "does not allow as long a chain as the server shows"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "has a wrong signature; it was not issued by who it says"},
    {X509_V_ERR_EE_KEY_TOO_SMALL,
     "has a key that is too short to be safe; RSA needs 2048 bits or more"},
    {X509_V_ERR_CA_KEY_TOO_SMALL,
     "has a key that is too short to be safe; RSA needs 2048 bits or more"},
    {X509_V_ERR_CA_MD_TOO_WEAK,
     "is signed with a digest that is not safe any more; SHA-256 would be"},
    {X509_V_ERR_PERMITTED_VIOLATION, "has a name that its issuer is not allowed to vouch for"},
    {X509_V_ERR_EXCLUDED_VIOLATION, "has a name that its issuer is not allowed to vouch for"},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
     "has a critical extension that is not known here (RFC 5280, section 4.2)"},
    {X509_V_ERR_CERT_REJECTED, "is marked as not to be trusted for servers"},
};

static void describe_other(struct tls_session *session, const char *whose, int error)
{
    const char *text = X509_verify_cert_error_string(error);
    const char *separator = ": ";

    for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++)
        if (problems[i].error == error) {
            text = problems[i].text;
            separator = " ";
        }
    failure_set(&session->failure, WSP_CAUSE_TLS, 0, "%s%s%s", whose, separator, text);
}

/* Who is not trusted: the end of the chain that could be made. */
static void describe_issuer(struct tls_session *session, const char *whose, X509 *certificate)
{
    char issuer[80];

    name_to_text(X509_get_issuer_name(certificate), issuer, sizeof(issuer));
    failure_set(&session->failure, WSP_CAUSE_TLS, 0,
                "%s has an unknown issuer, \"%s\", which is not among the trusted ones; name its "
                "certificate in ca-file, or let the server send its whole chain",
                whose, issuer);
}

static void describe_verification(struct tls_session *session, X509_STORE_CTX *store)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    int error = X509_STORE_CTX_get_error(store);
    char whose[160];

    if (certificate == NULL) {
        failure_set(&session->failure, WSP_CAUSE_TLS, 0, "the certificate of %s: %s", session->host,
                    X509_verify_cert_error_string(error));
        return;
    }
    certificate_to_text(session, X509_STORE_CTX_get_error_depth(store), certificate, whose,
                        sizeof(whose));
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        describe_time(session, whose, "expired on", X509_get0_notAfter(certificate));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        describe_time(session, whose, "is not valid before", X509_get0_notBefore(certificate));
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: describe_wrong_name(session, certificate); break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        describe_issuer(session, whose, certificate);
        break;
    default: describe_other(session, whose, error);
    }
}

static struct tls_session *session_of(X509_STORE_CTX *store)
{
    return SSL_get_app_data(
        (SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
}

int tls_verify_step(int is_good, X509_STORE_CTX *store)
{
    /* OpenSSL goes on to the next check if we say so; the first thing that is wrong is enough. */
    if (!is_good)
        describe_verification(session_of(store), store);
    return is_good;
}

/* --- pins --- */

/* RFC 7469, section 2.4. Empty without memory, which no pin is. */
static void pin_of(X509 *certificate, char ret_pin[PIN_LEN + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE], *key = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    unsigned digest_len = 0;

    ret_pin[0] = '\0';
    if (len > 0 && EVP_Digest(key, (size_t)len, digest, &digest_len, EVP_sha256(), NULL) == 1 &&
        digest_len == PIN_DIGEST_LEN) {
        memcpy(ret_pin, PIN_PREFIX, strlen(PIN_PREFIX));
        EVP_EncodeBlock((unsigned char *)ret_pin + strlen(PIN_PREFIX), digest, PIN_DIGEST_LEN);
    }
    OPENSSL_free(key);
}

static bool is_pinned(const struct strings *pins, X509 *certificate)
{
    char pin[PIN_LEN + 1];

    pin_of(certificate, pin);
    for (size_t i = 0; i < pins->n_items; i++)
        if (strcmp(pins->items[i], pin) == 0)
            return true;
    return false;
}

/* Any key of the chain will do, as its owner vouches for those below; without verification anybody can show any
 * chain, and only the first certificate's key is proven. */
static bool has_pin(struct tls_session *session, X509_STORE_CTX *store)
{
    const struct strings *pins = &session->settings->pins;
    STACK_OF(X509) *chain =
        session->settings->is_insecure ? NULL : X509_STORE_CTX_get0_chain(store);
    X509 *own = X509_STORE_CTX_get0_cert(store);
    char pin[PIN_LEN + 1];

    if (pins->n_items == 0 || is_pinned(pins, own))
        return true;
    for (int i = 1; i < sk_X509_num(chain); i++)
        if (is_pinned(pins, sk_X509_value(chain, i)))
            return true;
    pin_of(own, pin);
    failure_set(&session->failure, WSP_CAUSE_TLS, 0,
                "no key of %.80s is one of those that are pinned (pin); if it has got a new one, "
                "add %s",
                session->host, pin);
    return false;
}

int tls_verify(X509_STORE_CTX *store, void *unused)
{
    struct tls_session *session = session_of(store);

    (void)unused;
    if (!session->settings->is_insecure && X509_verify_cert(store) != 1) {
        session->failure.is_lasting = true;
        return 0;
    }
    if (has_pin(session, store))
        return 1;
    session->failure.is_lasting = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}
