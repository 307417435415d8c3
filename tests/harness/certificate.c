/*
 * certificate: certificates made on the spot; see certificate.h.
 *
 * Between a test of TLS and OpenSSL.
 *
 * Invariant: all of it is for tests; the keys are as old as the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HOUR_S = 3600 };

static void need(bool is_good)
{
    if (!is_good)
        abort();
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    need(extension != NULL && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

void certificate_init(struct certificate *certificate, const struct certificate_wish *wish,
                      const struct certificate *issuer)
{
    static long serial;
    bool has_times = wish->begins_s != 0 || wish->ends_s != 0;
    X509 *x509 = X509_new();
    X509_NAME *name;

    need(x509 != NULL);
    certificate->x509 = x509;
    certificate->key = wish->is_weak ? EVP_RSA_gen(1024) : EVP_EC_gen("P-256");
    need(certificate->key != NULL);
    if (issuer == NULL)
        issuer = certificate;
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), has_times ? wish->begins_s : -HOUR_S);
    X509_gmtime_adj(X509_getm_notAfter(x509), has_times ? wish->ends_s : HOUR_S);
    name = X509_get_subject_name(x509);
    need(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)wish->name, -1,
                                    -1, 0) == 1);
    need(X509_set_issuer_name(x509, X509_get_subject_name(issuer->x509)) == 1);
    need(X509_set_pubkey(x509, certificate->key) == 1);
    add_extension(x509, issuer->x509, NID_basic_constraints,
                  wish->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(x509, issuer->x509, NID_subject_key_identifier, "hash");
    if (wish->alt_name != NULL)
        add_extension(x509, issuer->x509, NID_subject_alt_name, wish->alt_name);
    if (wish->usage != NULL)
        add_extension(x509, issuer->x509, NID_ext_key_usage, wish->usage);
    need(X509_sign(x509, issuer->key, EVP_sha256()) > 0);
}

void certificate_deinit(struct certificate *certificate)
{
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    *certificate = (struct certificate){0};
}

void certificate_write(const struct certificate *certificate, const char *path)
{
    FILE *file = fopen(path, "we");

    need(file != NULL && PEM_write_X509(file, certificate->x509) == 1 && fclose(file) == 0);
}

void certificate_append(const struct certificate *certificate, const char *path)
{
    FILE *file = fopen(path, "ae");

    need(file != NULL && PEM_write_X509(file, certificate->x509) == 1 && fclose(file) == 0);
}

void certificate_append_key(const struct certificate *certificate, const char *path,
                            const char *passphrase, unsigned mode)
{
    FILE *file = fopen(path, "ae");
    const EVP_CIPHER *cipher = passphrase != NULL ? EVP_aes_128_cbc() : NULL;
    int len = passphrase != NULL ? (int)strlen(passphrase) : 0;

    need(file != NULL && fchmod(fileno(file), mode) == 0);
    need(PEM_write_PKCS8PrivateKey(file, certificate->key, cipher, passphrase, len, NULL, NULL) ==
         1);
    need(fclose(file) == 0);
}

void certificate_pin(X509 *x509, char to[64])
{
    unsigned char digest[32], *key = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &key);

    need(len > 0 && EVP_Digest(key, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1);
    memcpy(to, "sha256/", 7);
    EVP_EncodeBlock((unsigned char *)to + 7, digest, sizeof(digest));
    OPENSSL_free(key);
}
