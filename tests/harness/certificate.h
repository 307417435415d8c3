/*
 * certificate: certificates made on the spot, good ones and bad ones.
 *
 * Between a test of TLS and OpenSSL; nothing is kept on disk but what a test asks for.
 *
 * Invariant: all of it is for tests; the keys are as old as the process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_CERTIFICATE_H
#define WSP_TESTS_HARNESS_CERTIFICATE_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct certificate {
    X509 *x509;
    EVP_PKEY *key;
};

struct certificate_wish {
    const char *name; /* common name */
    const char
        *alt_name; /* as OpenSSL's configuration has it: "DNS:a.test,IP:127.0.0.1"; NULL: none */
    bool is_authority;
    bool is_weak;          /* its key is one of RSA with 1024 bits */
    const char *usage;     /* extended key usage: "clientAuth"; NULL: any */
    long begins_s, ends_s; /* from now; both 0: an hour ago to an hour from now */
};

/* Signed by issuer, or by itself when that is NULL. Aborts when OpenSSL cannot. */
void certificate_init(struct certificate *certificate, const struct certificate_wish *wish,
                      const struct certificate *issuer);
void certificate_deinit(struct certificate *certificate);

/* Writes the certificate (without its key) as PEM. */
void certificate_write(const struct certificate *certificate, const char *path);

/* Adds the certificate or its key to a file, which has this mode then. passphrase: of the key; NULL: it
 * is not encrypted. */
void certificate_append(const struct certificate *certificate, const char *path);
void certificate_append_key(const struct certificate *certificate, const char *path,
                            const char *passphrase, unsigned mode);

/* The pin of its key, as `pin` takes it. */
void certificate_pin(X509 *x509, char to[64]);

#endif
