/*
 * test_transport_tls: daemon/tls and daemon/transport_tls against an OpenSSL server on the other end of a socket pair,
 * in the same loop, with certificates made on the spot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/idna.h"
#include "daemon/loop.h"
#include "daemon/pin.h"
#include "daemon/target.h"
#include "daemon/tls.h"
#include "daemon/transport_tls.h"
#include "proto/local/errors.h"
#include "tests/harness/certificate.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct tls *tls;
static struct certificate authority;
static char ca_file[64];

/* The client. */
static struct target *target;
static struct transport *transport;
static struct failure failure;
static bool is_done, is_good;
static unsigned told;

/* The server. */
static SSL_CTX *server_context;
static SSL *server;
static struct watch server_watch;

static void server_ready(void *owner, unsigned events)
{
    (void)owner;
    (void)events;
    if (SSL_do_handshake(server) == 1)
        watch_want(&server_watch, 0);
    else if (SSL_get_error(server, 0) == SSL_ERROR_SSL)
        watch_want(&server_watch, 0);
    ERR_clear_error();
}

static void client_done(void *owner, const struct failure *why)
{
    ck_assert_ptr_eq(owner, &is_done);
    ck_assert(!is_done);
    is_done = true;
    is_good = why == NULL;
    if (why != NULL)
        failure = *why;
    loop_stop(loop);
}

static void client_ready(void *owner, unsigned events)
{
    ck_assert_ptr_eq(owner, &told);
    told |= events;
    loop_stop(loop);
}

static void setup(void)
{
    const struct certificate_wish wish = {.name = "The test's authority", .is_authority = true};

    signal(SIGPIPE, SIG_IGN);
    snprintf(ca_file, sizeof(ca_file), "/tmp/wsplex-test-ca-%d.pem", (int)getpid());
    certificate_init(&authority, &wish, NULL);
    certificate_write(&authority, ca_file);
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(tls_new(&tls), 0);
    server_context = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(server_context);
    is_done = is_good = false;
    told = 0;
    target = target_new();
    ck_assert_ptr_nonnull(target);
    target->tls.ca_file = strdup(ca_file);
}

static void teardown(void)
{
    int fd = SSL_get_fd(server);

    transport = transport_free(transport);
    watch_deinit(&server_watch);
    SSL_free(server);
    if (fd >= 0)
        close(fd);
    SSL_CTX_free(server_context);
    tls_free(tls);
    tls_free(NULL);
    loop_free(loop);
    target_free(target);
    certificate_deinit(&authority);
    unlink(ca_file);
}

static void server_serve(struct certificate *certificate)
{
    ck_assert_int_eq(SSL_CTX_use_certificate(server_context, certificate->x509), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(server_context, certificate->key), 1);
    certificate_deinit(certificate);
}

static void trust(const char *path)
{
    free(target->tls.ca_file);
    target->tls.ca_file = path != NULL ? strdup(path) : NULL;
}

static void aim_at(const char *host)
{
    char url[300];
    int len =
        snprintf(url, sizeof(url), strchr(host, ':') != NULL ? "wss://[%s]/" : "wss://%s/", host);

    wsp_url_deinit(&target->url);
    ck_assert_int_eq(wsp_url_parse_websocket(&target->url, url, (size_t)len, NULL, idna_to_ascii),
                     0);
}

/* Returns what transport_tls_new returns; 0: the client's handshake is over. */
static int handshake(const char *host)
{
    int pair[2];
    int r;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    server = SSL_new(server_context);
    ck_assert_ptr_nonnull(server);
    SSL_set_fd(server, pair[1]);
    SSL_set_accept_state(server);
    ck_assert_int_eq(watch_init(&server_watch, loop, pair[1], server_ready, NULL), 0);
    watch_want(&server_watch, WATCH_READABLE);
    aim_at(host);
    r = transport_tls_new(loop, tls, target, pair[0], client_done, &is_done, &transport, &failure);
    if (r != 0) {
        close(pair[0]);
        return r;
    }
    ck_assert(!is_done);
    transport->ready = client_ready;
    transport->owner = &told;
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert(is_done);
    return 0;
}

static void assert_fails(const char *text)
{
    ck_assert(!is_good);
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_TLS);
    ck_assert_msg(strstr(failure.text, text) != NULL, "\"%s\" is not in \"%s\"", text,
                  failure.text);
}

static void serve_and_connect(const struct certificate_wish *wish, const struct certificate *issuer,
                              const char *host)
{
    struct certificate certificate;

    certificate_init(&certificate, wish, issuer);
    server_serve(&certificate);
    ck_assert_int_eq(handshake(host), 0);
}

static const struct certificate_wish good = {.name = "good", .alt_name = "DNS:good.test"};

static void connect_well(void)
{
    serve_and_connect(&good, &authority, "good.test");
    ck_assert_msg(is_good, "%s", failure.text);
    ck_assert_int_eq(SSL_do_handshake(server), 1);
}

static int choose_protocol(SSL *ssl, const unsigned char **ret_protocol, unsigned char *ret_len,
                           const unsigned char *offer, unsigned len, void *owner)
{
    (void)ssl;
    (void)owner;
    unit_assert_bytes(offer, len, "\x08http/1.1", 9);
    *ret_protocol = offer + 1;
    *ret_len = offer[0];
    return SSL_TLSEXT_ERR_OK;
}

/* --- verification --- */

START_TEST(good_certificate_is_taken)
{
    char text[64];
    const unsigned char *protocol;
    unsigned len;

    SSL_CTX_set_alpn_select_cb(server_context, choose_protocol, NULL);
    connect_well();
    transport_tls_format(transport, text, sizeof(text));
    ck_assert_str_eq(text, "TLSv1.3 TLS_AES_256_GCM_SHA384");
    ck_assert_str_eq(SSL_get_servername(server, TLSEXT_NAMETYPE_host_name), "good.test");
    SSL_get0_alpn_selected(server, &protocol, &len);
    unit_assert_bytes(protocol, len, "http/1.1", 8);
}
END_TEST

START_TEST(absolute_name_is_the_same_name)
{
    serve_and_connect(&good, &authority, "good.test.");
    ck_assert_msg(is_good, "%s", failure.text);
    ck_assert_str_eq(SSL_get_servername(server, TLSEXT_NAMETYPE_host_name), "good.test");
}
END_TEST

START_TEST(addresses_are_looked_for_among_addresses)
{
    static const struct certificate_wish wish = {.name = "x",
                                                 .alt_name = "DNS:other.test,IP:127.0.0.1,IP:::1"};

    serve_and_connect(&wish, &authority, _i == 0 ? "127.0.0.1" : "::1");
    ck_assert_msg(is_good, "%s", failure.text);
    ck_assert_ptr_null(SSL_get_servername(server, TLSEXT_NAMETYPE_host_name));
}
END_TEST

START_TEST(address_is_no_name)
{
    static const struct certificate_wish wish = {.name = "127.0.0.1", .alt_name = "DNS:127.0.0.1"};

    serve_and_connect(&wish, &authority, "127.0.0.1");
    assert_fails("the certificate is not for 127.0.0.1 but for 127.0.0.1");
}
END_TEST

START_TEST(wrong_host_is_told_with_the_names_there_are)
{
    static const struct certificate_wish wish = {
        .name = "bad.test", .alt_name = "DNS:a.test,DNS:*.b.test,IP:192.0.2.1,IP:2001:db8::1"};

    serve_and_connect(&wish, &authority, "bad.test");
    assert_fails("the certificate is not for bad.test but for a.test, *.b.test, 192.0.2.1, "
                 "2001:db8::1");
}
END_TEST

START_TEST(common_name_does_not_count)
{
    static const struct certificate_wish wish = {.name = "bad.test"};

    serve_and_connect(&wish, &authority, "bad.test");
    assert_fails("the certificate is not for bad.test: it has no subjectAltName");
}
END_TEST

START_TEST(many_names_are_cut)
{
    char names[4000] = "DNS:first.test";
    struct certificate_wish wish = {.name = "x", .alt_name = names};

    for (int i = 0; i < 200; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), ",DNS:h%d.test", i);
    serve_and_connect(&wish, &authority, "bad.test");
    assert_fails("but for first.test, h0.test");
    assert_fails(", ...");
}
END_TEST

START_TEST(expired)
{
    static const struct certificate_wish wish = {
        .name = "x", .alt_name = "DNS:old.test", .begins_s = -7200, .ends_s = -60};

    serve_and_connect(&wish, &authority, "old.test");
    assert_fails("the certificate of old.test expired on 20");
}
END_TEST

START_TEST(not_yet_valid)
{
    static const struct certificate_wish wish = {
        .name = "x", .alt_name = "DNS:new.test", .begins_s = 60, .ends_s = 7200};

    serve_and_connect(&wish, &authority, "new.test");
    assert_fails("the certificate of new.test is not valid before 20");
}
END_TEST

START_TEST(unknown_authority)
{
    static const struct certificate_wish wish = {.name = "Somebody", .is_authority = true};
    struct certificate other;

    certificate_init(&other, &wish, NULL);
    serve_and_connect(&good, &other, "good.test");
    certificate_deinit(&other);
    assert_fails("the certificate of good.test has an unknown issuer, \"Somebody\"");
}
END_TEST

START_TEST(self_signed)
{
    serve_and_connect(&good, NULL, "good.test");
    assert_fails("the certificate of good.test is self-signed");
}
END_TEST

START_TEST(system_store_does_not_know_the_test)
{
    struct certificate certificate;

    certificate_init(&certificate, &good, &authority);
    server_serve(&certificate);
    trust(NULL);
    ck_assert_int_eq(handshake("good.test"), 0);
    assert_fails("has an unknown issuer, \"The test's authority\"");
}
END_TEST

START_TEST(hostile_name_is_made_printable)
{
    static const struct certificate_wish wish = {.name = "\033[2Jboo\nINFO fine",
                                                 .is_authority = true};
    struct certificate other;

    certificate_init(&other, &wish, NULL);
    serve_and_connect(&good, &other, "good.test");
    certificate_deinit(&other);
    assert_fails("unknown issuer");
    ck_assert_ptr_null(strpbrk(failure.text, "\033\n"));
}
END_TEST

START_TEST(unreadable_authorities_are_named)
{
    static const char path[] = "/nonexistent/ca.pem";

    trust(path);
    ck_assert_int_eq(handshake("good.test"), 1);
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_TLS);
    ck_assert_str_eq(failure.text, "the trusted certificates cannot be read from "
                                   "/nonexistent/ca.pem: No such file or directory");
}
END_TEST

START_TEST(file_without_certificates_is_no_trust)
{
    FILE *file = fopen(ca_file, "we");

    fputs("hello\n", file);
    fclose(file);
    ck_assert_int_eq(handshake("good.test"), 1);
    ck_assert_ptr_nonnull(strstr(failure.text, ca_file));
}
END_TEST

START_TEST(changed_authorities_are_read_again)
{
    static const struct certificate_wish wish = {.name = "Somebody else", .is_authority = true};
    struct certificate other;

    connect_well();
    transport = transport_free(transport);
    watch_deinit(&server_watch);
    close(SSL_get_fd(server));
    SSL_free(server);
    certificate_init(&other, &wish, NULL);
    certificate_write(&other, ca_file);
    certificate_deinit(&other);
    is_done = false;
    ck_assert_int_eq(handshake("good.test"), 0);
    assert_fails("unknown issuer");
}
END_TEST

START_TEST(old_versions_are_refused)
{
    SSL_CTX_set_security_level(server_context, 0);
    SSL_CTX_set_min_proto_version(server_context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server_context, TLS1_1_VERSION);
    serve_and_connect(&good, &authority, "good.test");
    assert_fails(
        "good.test speaks no version of TLS that is safe; the server must be set to TLS 1.2");
}
END_TEST

static void answer_plainly(void *owner, unsigned events)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    int fd = SSL_get_fd(server);

    (void)owner;
    (void)events;
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    watch_want(&server_watch, 0);
}

static void hang_up(void *owner, unsigned events)
{
    (void)owner;
    (void)events;
    shutdown(SSL_get_fd(server), SHUT_RDWR);
    watch_want(&server_watch, 0);
}

static void handshake_with(void (*answer)(void *owner, unsigned events))
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    server = SSL_new(server_context);
    SSL_set_fd(server, pair[1]);
    ck_assert_int_eq(watch_init(&server_watch, loop, pair[1], answer, NULL), 0);
    watch_want(&server_watch, WATCH_READABLE);
    aim_at("good.test");
    ck_assert_int_eq(
        transport_tls_new(loop, tls, target, pair[0], client_done, &is_done, &transport, &failure),
        0);
    ck_assert_int_eq(loop_run(loop), 0);
}

START_TEST(plain_http_server_is_told_so)
{
    handshake_with(answer_plainly);
    assert_fails("good.test does not answer with TLS on this port");
}
END_TEST

START_TEST(server_that_hangs_up_is_told_so)
{
    handshake_with(hang_up);
    assert_fails("good.test ended the connection during the TLS handshake");
}
END_TEST

/* --- the stream --- */

static void server_write(const void *bytes, size_t len)
{
    ck_assert_int_eq(SSL_write(server, bytes, (int)len), (int)len);
}

static void wait_for(unsigned events)
{
    told = 0;
    transport_want(transport, events);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(told, events);
    transport_want(transport, 0);
}

START_TEST(bytes_pass_both_ways)
{
    char bytes[20];
    struct iovec parts[] = {{(void *)(uintptr_t) "ab", 2}, {(void *)(uintptr_t) "cde", 3}};

    connect_well();
    ck_assert_int_eq(transport_read(transport, bytes, sizeof(bytes)), -EAGAIN);
    server_write("xyz", 3);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, sizeof(bytes)), 3);
    ck_assert_mem_eq(bytes, "xyz", 3);
    wait_for(TRANSPORT_WRITABLE);
    ck_assert_int_eq(transport_write(transport, parts, 2), 5);
    ck_assert_int_eq(SSL_read(server, bytes, sizeof(bytes)), 5);
    ck_assert_mem_eq(bytes, "abcde", 5);
}
END_TEST

/* The socket is empty, so only OpenSSL's own buffer can make the transport ready. */
START_TEST(bytes_in_the_buffer_are_announced_again)
{
    char bytes[4];

    connect_well();
    server_write("0123456789", 10);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 4);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 4);
    ck_assert_mem_eq(bytes, "4567", 4);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 2);
    ck_assert_int_eq(transport_read(transport, bytes, 4), -EAGAIN);
}
END_TEST

START_TEST(many_records_are_read_at_once)
{
    static char sent[100000], received[200000];
    size_t n_read = 0;

    connect_well();
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 7);
    server_write(sent, sizeof(sent));
    for (int n_reads = 0; n_read < sizeof(sent); n_reads++) {
        ssize_t n;

        ck_assert_int_lt(n_reads, 3);
        wait_for(TRANSPORT_READABLE);
        n = transport_read(transport, received + n_read, sizeof(received) - n_read);
        ck_assert_int_gt(n, 0);
        n_read += (size_t)n;
    }
    unit_assert_bytes(received, n_read, sent, sizeof(sent));
}
END_TEST

/* What a short write has left comes again from another address, until all of it has arrived. */
START_TEST(short_write_goes_on_from_elsewhere)
{
    static char sent[2 << 20], received[2 << 20], copy[(2 << 20) + 7];
    size_t n_written = 0, n_read = 0;

    connect_well();
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 11 + i / 1000);
    while (n_read < sizeof(sent)) {
        size_t left = sizeof(sent) - n_written;
        size_t half = _i == 0 ? left : left / 2;
        struct iovec parts[2];
        ssize_t n = 0;
        int m;

        memcpy(copy + n_written % 7, sent + n_written, half);
        parts[0] = (struct iovec){copy + n_written % 7, half};
        parts[1] = (struct iovec){sent + n_written + half, left - half};
        if (left > 0)
            n = transport_write(transport, parts, _i == 0 ? 1 : 2);
        ck_assert(n >= 0 || n == -EAGAIN);
        n_written += n > 0 ? (size_t)n : 0;
        m = SSL_read(server, received + n_read, (int)(sizeof(received) - n_read));
        n_read += m > 0 ? (size_t)m : 0;
    }
    ck_assert_uint_eq(n_written, sizeof(sent));
    ck_assert_mem_eq(received, sent, sizeof(sent));
}
END_TEST

START_TEST(orderly_end_is_an_end)
{
    char bytes[4];

    connect_well();
    server_write("ab", 2);
    SSL_shutdown(server);
    shutdown(SSL_get_fd(server), SHUT_RDWR);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 2);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 0);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 0);
}
END_TEST

START_TEST(truncation_is_a_failure)
{
    char bytes[4];

    connect_well();
    server_write("ab", 2);
    shutdown(SSL_get_fd(server), SHUT_RDWR);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 2);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), -EPROTO);
    ck_assert_int_eq(transport_read(transport, bytes, 4), -EPROTO);
    transport_describe(transport, &failure);
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_LOST);
    ck_assert_str_eq(failure.text, "the TLS stream was cut off: it ended without close_notify");
}
END_TEST

START_TEST(our_end_is_told_in_order)
{
    char bytes[4];

    connect_well();
    transport_shutdown(transport);
    ck_assert_int_eq(SSL_read(server, bytes, 4), 0);
    ck_assert_int_eq(SSL_get_error(server, 0), SSL_ERROR_ZERO_RETURN);
    server_write("ab", 2);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 2);
}
END_TEST

/* A key update makes the client write in order to read. */
START_TEST(key_update_passes_unseen)
{
    char bytes[4];

    connect_well();
    ck_assert_int_eq(SSL_key_update(server, SSL_KEY_UPDATE_REQUESTED), 1);
    server_write("ab", 2);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 2);
    ck_assert_int_eq(transport_write(transport, &(struct iovec){bytes, 2}, 1), 2);
    ck_assert_int_eq(SSL_read(server, bytes, 4), 2);
}
END_TEST

START_TEST(broken_pipe_is_told_and_stays)
{
    struct iovec part = {(void *)(uintptr_t) "a", 1};
    ssize_t n;

    connect_well();
    shutdown(SSL_get_fd(server), SHUT_RDWR);
    n = transport_write(transport, &part, 1);
    ck_assert_int_eq(n, -EPIPE);
    ck_assert_int_eq(transport_write(transport, &part, 1), -EPIPE);
    transport_describe(transport, &failure);
    ck_assert_str_eq(failure.text, "the connection failed: Broken pipe");
}
END_TEST

/* Its Close frame above all. */
START_TEST(what_the_server_said_last_is_read_after_a_broken_pipe)
{
    struct iovec part = {(void *)(uintptr_t) "a", 1};
    char bytes[4];

    connect_well();
    server_write("ab", 2);
    SSL_shutdown(server);
    shutdown(SSL_get_fd(server), SHUT_RDWR);
    ck_assert_int_eq(transport_write(transport, &part, 1), -EPIPE);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 2);
    ck_assert_mem_eq(bytes, "ab", 2);
    ck_assert_int_eq(transport_write(transport, &part, 1), -EPIPE);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 0);
}
END_TEST

/* Or its writer would wait until the transport is writable, which it is at once, and for ever. */
START_TEST(a_write_after_the_end_is_a_failure)
{
    struct iovec part = {(void *)(uintptr_t) "a", 1};
    char bytes[4];

    connect_well();
    server_write("ab", 2);
    SSL_shutdown(server);
    shutdown(SSL_get_fd(server), SHUT_RDWR);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 2);
    ck_assert_int_eq(transport_write(transport, &part, 1), -EPIPE);
    wait_for(TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(transport, bytes, 4), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("transport_tls");
    TCase *verification = unit_case(suite, "verification");
    TCase *stream = unit_case(suite, "stream");

    tcase_add_checked_fixture(verification, setup, teardown);
    tcase_add_test(verification, good_certificate_is_taken);
    tcase_add_test(verification, absolute_name_is_the_same_name);
    tcase_add_loop_test(verification, addresses_are_looked_for_among_addresses, 0, 2);
    tcase_add_test(verification, address_is_no_name);
    tcase_add_test(verification, wrong_host_is_told_with_the_names_there_are);
    tcase_add_test(verification, common_name_does_not_count);
    tcase_add_test(verification, many_names_are_cut);
    tcase_add_test(verification, expired);
    tcase_add_test(verification, not_yet_valid);
    tcase_add_test(verification, unknown_authority);
    tcase_add_test(verification, self_signed);
    tcase_add_test(verification, system_store_does_not_know_the_test);
    tcase_add_test(verification, hostile_name_is_made_printable);
    tcase_add_test(verification, unreadable_authorities_are_named);
    tcase_add_test(verification, file_without_certificates_is_no_trust);
    tcase_add_test(verification, changed_authorities_are_read_again);
    tcase_add_test(verification, old_versions_are_refused);
    tcase_add_test(verification, plain_http_server_is_told_so);
    tcase_add_test(verification, server_that_hangs_up_is_told_so);
    tcase_add_checked_fixture(stream, setup, teardown);
    tcase_add_test(stream, bytes_pass_both_ways);
    tcase_add_test(stream, bytes_in_the_buffer_are_announced_again);
    tcase_add_test(stream, many_records_are_read_at_once);
    tcase_add_loop_test(stream, short_write_goes_on_from_elsewhere, 0, 2);
    tcase_add_test(stream, orderly_end_is_an_end);
    tcase_add_test(stream, truncation_is_a_failure);
    tcase_add_test(stream, our_end_is_told_in_order);
    tcase_add_test(stream, key_update_passes_unseen);
    tcase_add_test(stream, broken_pipe_is_told_and_stays);
    tcase_add_test(stream, what_the_server_said_last_is_read_after_a_broken_pipe);
    tcase_add_test(stream, a_write_after_the_end_is_a_failure);
    return suite;
}
