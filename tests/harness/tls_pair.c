/*
 * tls_pair: see tls_pair.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/tls_pair.h"

#include <check.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/idna.h"
#include "proto/local/errors.h"

const struct certificate_wish *tls_pair_good(void)
{
    static const struct certificate_wish wish = {.name = "good", .alt_name = "DNS:good.test"};

    return &wish;
}

static void server_ready(void *owner, unsigned events)
{
    struct tls_pair *pair = owner;

    (void)events;
    if (SSL_do_handshake(pair->server) == 1)
        watch_want(&pair->server_watch, 0);
    else if (SSL_get_error(pair->server, 0) == SSL_ERROR_SSL)
        watch_want(&pair->server_watch, 0);
    ERR_clear_error();
}

static void client_done(void *owner, const struct failure *why)
{
    struct tls_pair *pair = owner;

    ck_assert(!pair->is_done);
    pair->is_done = true;
    pair->is_good = why == NULL;
    if (why != NULL)
        pair->failure = *why;
    loop_stop(pair->loop);
}

static void client_ready(void *owner, unsigned events)
{
    struct tls_pair *pair = owner;

    pair->told |= events;
    loop_stop(pair->loop);
}

void tls_pair_init(struct tls_pair *pair)
{
    const struct certificate_wish wish = {.name = "The test's authority", .is_authority = true};

    signal(SIGPIPE, SIG_IGN);
    *pair = (struct tls_pair){.folder = "/tmp/wsplex-test-tls.XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(pair->folder));
    snprintf(pair->ca_file, sizeof(pair->ca_file), "%s/ca.pem", pair->folder);
    certificate_init(&pair->authority, &wish, NULL);
    certificate_write(&pair->authority, pair->ca_file);
    ck_assert_int_eq(loop_new(&pair->loop), 0);
    ck_assert_int_eq(tls_new(&pair->tls), 0);
    pair->server_context = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(pair->server_context);
    pair->target = target_new();
    ck_assert_ptr_nonnull(pair->target);
    pair->target->tls.ca_file = strdup(pair->ca_file);
}

void tls_pair_disconnect(struct tls_pair *pair)
{
    int fd = pair->server != NULL ? SSL_get_fd(pair->server) : -1;

    pair->transport = transport_free(pair->transport);
    if (pair->server != NULL)
        watch_deinit(&pair->server_watch);
    SSL_free(pair->server);
    pair->server = NULL;
    if (fd >= 0)
        close(fd);
    pair->is_done = pair->is_good = false;
    pair->told = 0;
}

void tls_pair_hang_up(struct tls_pair *pair)
{
    int fd = SSL_get_fd(pair->server);

    watch_deinit(&pair->server_watch);
    SSL_free(pair->server);
    pair->server = NULL;
    close(fd);
}

void tls_pair_deinit(struct tls_pair *pair)
{
    char command[64];

    tls_pair_disconnect(pair);
    SSL_CTX_free(pair->server_context);
    tls_free(pair->tls);
    tls_free(NULL);
    loop_free(pair->loop);
    target_free(pair->target);
    certificate_deinit(&pair->authority);
    snprintf(command, sizeof(command), "rm -rf %s", pair->folder);
    ck_assert_int_eq(system(command), 0);
}

void tls_pair_set(char **text, const char *value)
{
    free(*text);
    *text = value != NULL ? strdup(value) : NULL;
}

void tls_pair_trust(struct tls_pair *pair, const char *path)
{
    tls_pair_set(&pair->target->tls.ca_file, path);
}

void tls_pair_serve(struct tls_pair *pair, struct certificate *certificate)
{
    ck_assert_int_eq(SSL_CTX_use_certificate(pair->server_context, certificate->x509), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(pair->server_context, certificate->key), 1);
    certificate_deinit(certificate);
}

void tls_pair_aim_at(struct tls_pair *pair, const char *host)
{
    struct wsp_url *url = &pair->target->url;
    char text[300];
    int len = snprintf(text, sizeof(text), strchr(host, ':') ? "wss://[%s]/" : "wss://%s/", host);

    wsp_url_deinit(url);
    ck_assert_int_eq(wsp_url_parse_websocket(url, text, (size_t)len, NULL, idna_to_ascii), 0);
}

int tls_pair_handshake(struct tls_pair *pair, const char *host)
{
    int ends[2];
    int r;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    pair->server = SSL_new(pair->server_context);
    ck_assert_ptr_nonnull(pair->server);
    SSL_set_fd(pair->server, ends[1]);
    SSL_set_accept_state(pair->server);
    ck_assert_int_eq(watch_init(&pair->server_watch, pair->loop, ends[1],
                                pair->answer != NULL ? pair->answer : server_ready, pair),
                     0);
    watch_want(&pair->server_watch, WATCH_READABLE);
    tls_pair_aim_at(pair, host);
    r = transport_tls_new(pair->loop, pair->tls, pair->target, ends[0], client_done, pair,
                          &pair->transport, &pair->failure);
    if (r != 0) {
        close(ends[0]);
        return r;
    }
    ck_assert(!pair->is_done);
    pair->transport->ready = client_ready;
    pair->transport->owner = pair;
    ck_assert_int_eq(loop_run(pair->loop), 0);
    ck_assert(pair->is_done);
    return 0;
}

void tls_pair_serve_and_connect(struct tls_pair *pair, const struct certificate_wish *wish,
                                const struct certificate *issuer, const char *host)
{
    struct certificate certificate;

    certificate_init(&certificate, wish, issuer);
    tls_pair_serve(pair, &certificate);
    ck_assert_int_eq(tls_pair_handshake(pair, host), 0);
}

void tls_pair_serve_good(struct tls_pair *pair)
{
    struct certificate certificate;

    certificate_init(&certificate, tls_pair_good(), &pair->authority);
    tls_pair_serve(pair, &certificate);
}

void tls_pair_connect_well(struct tls_pair *pair)
{
    ck_assert_int_eq(tls_pair_handshake(pair, "good.test"), 0);
    ck_assert_msg(pair->is_good, "%s", pair->failure.text);
    ck_assert_int_eq(SSL_do_handshake(pair->server), 1);
}

X509 *tls_pair_served(const struct tls_pair *pair)
{
    return SSL_CTX_get0_certificate(pair->server_context);
}

void tls_pair_make_own(struct tls_pair *pair, const char *name, bool is_key_apart)
{
    static const struct certificate_wish middle = {.name = "Middle", .is_authority = true};
    const struct certificate_wish wish = {.name = name, .usage = "clientAuth"};
    struct tls_settings *settings = &pair->target->tls;
    struct certificate issuer, own;
    char cert_file[128], key_file[128];

    tls_pair_path(pair, "own.pem", cert_file);
    tls_pair_path(pair, "own.key", key_file);
    unlink(cert_file);
    unlink(key_file);
    certificate_init(&issuer, &middle, &pair->authority);
    certificate_init(&own, &wish, &issuer);
    certificate_append_key(&own, is_key_apart ? key_file : cert_file, NULL, 0600);
    certificate_append(&own, cert_file);
    certificate_append(&issuer, cert_file);
    tls_pair_set(&settings->cert_file, cert_file);
    tls_pair_set(&settings->key_file, is_key_apart ? key_file : NULL);
    certificate_deinit(&issuer);
    certificate_deinit(&own);
}

void tls_pair_pin(struct tls_pair *pair, X509 *x509)
{
    char pin[64];

    certificate_pin(x509, pin);
    ck_assert_int_eq(strings_add(&pair->target->tls.pins, pin, strlen(pin)), 0);
}

void tls_pair_assert_fails(struct tls_pair *pair, const char *text)
{
    ck_assert(!pair->is_good);
    ck_assert_uint_eq(pair->failure.cause, WSP_CAUSE_TLS);
    ck_assert_msg(strstr(pair->failure.text, text) != NULL, "\"%s\" is not in \"%s\"", text,
                  pair->failure.text);
}

void tls_pair_wait_for(struct tls_pair *pair, unsigned events)
{
    pair->told = 0;
    transport_want(pair->transport, events);
    ck_assert_int_eq(loop_run(pair->loop), 0);
    ck_assert_uint_eq(pair->told, events);
    transport_want(pair->transport, 0);
}

void tls_pair_server_write(struct tls_pair *pair, const void *bytes, size_t len)
{
    ck_assert_int_eq(SSL_write(pair->server, bytes, (int)len), (int)len);
}

void tls_pair_path(const struct tls_pair *pair, const char *name, char to[128])
{
    snprintf(to, 128, "%s/%s", pair->folder, name);
}
