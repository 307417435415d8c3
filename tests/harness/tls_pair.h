/*
 * tls_pair: a transport over TLS and an OpenSSL server on the other end of a socket pair, in one loop, with certificates
 * made on the spot.
 *
 * Between a test of TLS and daemon/tls, daemon/transport_tls. Invariant: tls_pair_deinit() leaves nothing, nor any file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_TLS_PAIR_H
#define WSPLEX_TESTS_HARNESS_TLS_PAIR_H

#include "daemon/loop.h"
#include "daemon/target.h"
#include "daemon/tls.h"
#include "daemon/transport_tls.h"
#include "tests/harness/certificate.h"

struct tls_pair {
    struct loop *loop;
    struct tls *tls;
    struct certificate authority;
    char folder[32];  /* for files, removed at the end */
    char ca_file[64]; /* the authority's certificate, in folder */

    /* The client. */
    struct target *target; /* trusts ca_file */
    struct transport *transport;
    struct failure failure;
    bool is_done, is_good; /* its handshake */
    unsigned told;

    /* The server. */
    SSL_CTX *server_context;
    SSL *server;
    void (*answer)(void *owner, unsigned events); /* instead of the handshake; owner is the pair */
    struct watch server_watch;
};

/* A certificate for good.test. */
const struct certificate_wish *tls_pair_good(void);

void tls_pair_init(struct tls_pair *pair);
void tls_pair_deinit(struct tls_pair *pair);

/* One of the texts of the target's tls; NULL: none. */
void tls_pair_set(char **text, const char *value);

/* What is trusted from now on; NULL: the system's store. */
void tls_pair_trust(struct tls_pair *pair, const char *path);

/* The server shows this one, which it takes over. */
void tls_pair_serve(struct tls_pair *pair, struct certificate *certificate);

/* Where the next connection goes: a name or an address. */
void tls_pair_aim_at(struct tls_pair *pair, const char *host);

/* Connects, and handshakes on both sides. Returns what transport_tls_new returns; 0: the client's
 * handshake is over. */
int tls_pair_handshake(struct tls_pair *pair, const char *host);
void tls_pair_serve_and_connect(struct tls_pair *pair, const struct certificate_wish *wish,
                                const struct certificate *issuer, const char *host);

/* The server shows a good certificate; a connection to it that goes well. */
void tls_pair_serve_good(struct tls_pair *pair);
void tls_pair_connect_well(struct tls_pair *pair);
X509 *tls_pair_served(const struct tls_pair *pair); /* borrowed */

/* A client's certificate of an issuer below the authority, who stands behind it in the file; its key in
 * the same file, or apart. */
void tls_pair_make_own(struct tls_pair *pair, const char *name, bool is_key_apart);

/* This one's key is pinned as well. */
void tls_pair_pin(struct tls_pair *pair, X509 *x509);

/* The end of a connection; another may follow. The client's end first. */
void tls_pair_disconnect(struct tls_pair *pair);

/* The server is gone, with no word. */
void tls_pair_hang_up(struct tls_pair *pair);

/* The handshake failed, with cause tls and this in its text. */
void tls_pair_assert_fails(struct tls_pair *pair, const char *text);

/* The client waits for exactly these events. */
void tls_pair_wait_for(struct tls_pair *pair, unsigned events);

void tls_pair_server_write(struct tls_pair *pair, const void *bytes, size_t len);

/* The path of a file in the folder. */
void tls_pair_path(const struct tls_pair *pair, const char *name, char to[128]);

#endif
