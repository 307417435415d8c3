/*
 * test_transport_tls: daemon/transport_tls and what it finds wrong with certificates, against an OpenSSL server on the
 * other end of a socket pair.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/errors.h"
#include "tests/harness/certificate.h"
#include "tests/harness/tls_pair.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tls_pair pair;

static void setup(void)
{
    tls_pair_init(&pair);
}

static void teardown(void)
{
    tls_pair_deinit(&pair);
}

static const struct certificate_wish good = {.name = "good", .alt_name = "DNS:good.test"};

static void connect_well(void)
{
    tls_pair_serve_and_connect(&pair, &good, &pair.authority, "good.test");
    ck_assert_msg(pair.is_good, "%s", pair.failure.text);
    ck_assert_int_eq(SSL_do_handshake(pair.server), 1);
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

    SSL_CTX_set_alpn_select_cb(pair.server_context, choose_protocol, NULL);
    connect_well();
    transport_tls_format(pair.transport, text, sizeof(text));
    ck_assert_str_eq(text, "TLSv1.3 TLS_AES_256_GCM_SHA384");
    ck_assert_str_eq(SSL_get_servername(pair.server, TLSEXT_NAMETYPE_host_name), "good.test");
    SSL_get0_alpn_selected(pair.server, &protocol, &len);
    unit_assert_bytes(protocol, len, "http/1.1", 8);
}
END_TEST

START_TEST(absolute_name_is_the_same_name)
{
    tls_pair_serve_and_connect(&pair, &good, &pair.authority, "good.test.");
    ck_assert_msg(pair.is_good, "%s", pair.failure.text);
    ck_assert_str_eq(SSL_get_servername(pair.server, TLSEXT_NAMETYPE_host_name), "good.test");
}
END_TEST

START_TEST(addresses_are_looked_for_among_addresses)
{
    static const struct certificate_wish wish = {.name = "x",
                                                 .alt_name = "DNS:other.test,IP:127.0.0.1,IP:::1"};

    tls_pair_serve_and_connect(&pair, &wish, &pair.authority, _i == 0 ? "127.0.0.1" : "::1");
    ck_assert_msg(pair.is_good, "%s", pair.failure.text);
    ck_assert_ptr_null(SSL_get_servername(pair.server, TLSEXT_NAMETYPE_host_name));
}
END_TEST

START_TEST(address_is_no_name)
{
    static const struct certificate_wish wish = {.name = "127.0.0.1", .alt_name = "DNS:127.0.0.1"};

    tls_pair_serve_and_connect(&pair, &wish, &pair.authority, "127.0.0.1");
    tls_pair_assert_fails(&pair, "the certificate is not for 127.0.0.1 but for 127.0.0.1");
}
END_TEST

START_TEST(wrong_host_is_told_with_the_names_there_are)
{
    static const struct certificate_wish wish = {
        .name = "bad.test", .alt_name = "DNS:a.test,DNS:*.b.test,IP:192.0.2.1,IP:2001:db8::1"};

    tls_pair_serve_and_connect(&pair, &wish, &pair.authority, "bad.test");
    tls_pair_assert_fails(
        &pair, "the certificate is not for bad.test but for a.test, *.b.test, 192.0.2.1, "
               "2001:db8::1");
}
END_TEST

START_TEST(common_name_does_not_count)
{
    static const struct certificate_wish wish = {.name = "bad.test"};

    tls_pair_serve_and_connect(&pair, &wish, &pair.authority, "bad.test");
    tls_pair_assert_fails(&pair, "the certificate is not for bad.test: it has no subjectAltName");
}
END_TEST

START_TEST(many_names_are_cut)
{
    char names[4000] = "DNS:first.test";
    struct certificate_wish wish = {.name = "x", .alt_name = names};

    for (int i = 0; i < 200; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), ",DNS:h%d.test", i);
    tls_pair_serve_and_connect(&pair, &wish, &pair.authority, "bad.test");
    tls_pair_assert_fails(&pair, "but for first.test, h0.test");
    tls_pair_assert_fails(&pair, ", ...");
}
END_TEST

START_TEST(expired)
{
    static const struct certificate_wish wish = {
        .name = "x", .alt_name = "DNS:old.test", .begins_s = -7200, .ends_s = -60};

    tls_pair_serve_and_connect(&pair, &wish, &pair.authority, "old.test");
    tls_pair_assert_fails(&pair, "the certificate of old.test expired on 20");
}
END_TEST

START_TEST(not_yet_valid)
{
    static const struct certificate_wish wish = {
        .name = "x", .alt_name = "DNS:new.test", .begins_s = 60, .ends_s = 7200};

    tls_pair_serve_and_connect(&pair, &wish, &pair.authority, "new.test");
    tls_pair_assert_fails(&pair, "the certificate of new.test is not valid before 20");
}
END_TEST

START_TEST(unknown_authority)
{
    static const struct certificate_wish wish = {.name = "Somebody", .is_authority = true};
    struct certificate other;

    certificate_init(&other, &wish, NULL);
    tls_pair_serve_and_connect(&pair, &good, &other, "good.test");
    certificate_deinit(&other);
    tls_pair_assert_fails(&pair,
                          "the certificate of good.test has an unknown issuer, \"Somebody\"");
}
END_TEST

START_TEST(self_signed)
{
    tls_pair_serve_and_connect(&pair, &good, NULL, "good.test");
    tls_pair_assert_fails(&pair, "the certificate of good.test is self-signed");
}
END_TEST

START_TEST(system_store_does_not_know_the_test)
{
    struct certificate certificate;

    certificate_init(&certificate, &good, &pair.authority);
    tls_pair_serve(&pair, &certificate);
    tls_pair_trust(&pair, NULL);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
    tls_pair_assert_fails(&pair, "has an unknown issuer, \"The test's authority\"");
}
END_TEST

START_TEST(hostile_name_is_made_printable)
{
    static const struct certificate_wish wish = {.name = "\033[2Jboo\nINFO fine",
                                                 .is_authority = true};
    struct certificate other;

    certificate_init(&other, &wish, NULL);
    tls_pair_serve_and_connect(&pair, &good, &other, "good.test");
    certificate_deinit(&other);
    tls_pair_assert_fails(&pair, "unknown issuer");
    ck_assert_ptr_null(strpbrk(pair.failure.text, "\033\n"));
}
END_TEST

START_TEST(unreadable_authorities_are_named)
{
    static const char path[] = "/nonexistent/ca.pem";

    tls_pair_trust(&pair, path);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 1);
    ck_assert_uint_eq(pair.failure.cause, WSP_CAUSE_TLS);
    ck_assert_str_eq(pair.failure.text, "the trusted certificates cannot be read from "
                                        "/nonexistent/ca.pem: No such file or directory");
}
END_TEST

START_TEST(file_without_certificates_is_no_trust)
{
    FILE *file = fopen(pair.ca_file, "we");

    fputs("hello\n", file);
    fclose(file);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 1);
    ck_assert_ptr_nonnull(strstr(pair.failure.text, pair.ca_file));
}
END_TEST

START_TEST(changed_authorities_are_read_again)
{
    static const struct certificate_wish wish = {.name = "Somebody else", .is_authority = true};
    struct certificate other;

    connect_well();
    tls_pair_disconnect(&pair);
    certificate_init(&other, &wish, NULL);
    certificate_write(&other, pair.ca_file);
    certificate_deinit(&other);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
    tls_pair_assert_fails(&pair, "unknown issuer");
}
END_TEST

START_TEST(old_versions_are_refused)
{
    SSL_CTX_set_security_level(pair.server_context, 0);
    SSL_CTX_set_min_proto_version(pair.server_context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(pair.server_context, TLS1_1_VERSION);
    tls_pair_serve_and_connect(&pair, &good, &pair.authority, "good.test");
    tls_pair_assert_fails(
        &pair,
        "good.test speaks no version of TLS that is safe; the server must be set to TLS 1.2");
}
END_TEST

static void answer_plainly(void *owner, unsigned events)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    int fd = SSL_get_fd(pair.server);

    (void)owner;
    (void)events;
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    watch_want(&pair.server_watch, 0);
}

static void hang_up(void *owner, unsigned events)
{
    (void)owner;
    (void)events;
    shutdown(SSL_get_fd(pair.server), SHUT_RDWR);
    watch_want(&pair.server_watch, 0);
}

static void handshake_with(void (*answer)(void *owner, unsigned events))
{
    pair.answer = answer;
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
}

START_TEST(plain_http_server_is_told_so)
{
    handshake_with(answer_plainly);
    tls_pair_assert_fails(&pair, "good.test does not answer with TLS on this port");
}
END_TEST

START_TEST(server_that_hangs_up_is_told_so)
{
    handshake_with(hang_up);
    tls_pair_assert_fails(&pair, "good.test ended the connection during the TLS handshake");
}
END_TEST

/* --- the stream --- */

START_TEST(bytes_pass_both_ways)
{
    char bytes[20];
    struct iovec parts[] = {{(void *)(uintptr_t) "ab", 2}, {(void *)(uintptr_t) "cde", 3}};

    connect_well();
    ck_assert_int_eq(transport_read(pair.transport, bytes, sizeof(bytes)), -EAGAIN);
    tls_pair_server_write(&pair, "xyz", 3);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, sizeof(bytes)), 3);
    ck_assert_mem_eq(bytes, "xyz", 3);
    tls_pair_wait_for(&pair, TRANSPORT_WRITABLE);
    ck_assert_int_eq(transport_write(pair.transport, parts, 2), 5);
    ck_assert_int_eq(SSL_read(pair.server, bytes, sizeof(bytes)), 5);
    ck_assert_mem_eq(bytes, "abcde", 5);
}
END_TEST

/* The socket is empty, so only OpenSSL's own buffer can make the transport ready. */
START_TEST(bytes_in_the_buffer_are_announced_again)
{
    char bytes[4];

    connect_well();
    tls_pair_server_write(&pair, "0123456789", 10);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 4);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 4);
    ck_assert_mem_eq(bytes, "4567", 4);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 2);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), -EAGAIN);
}
END_TEST

START_TEST(many_records_are_read_at_once)
{
    static char sent[100000], received[200000];
    size_t n_read = 0;

    connect_well();
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 7);
    tls_pair_server_write(&pair, sent, sizeof(sent));
    for (int n_reads = 0; n_read < sizeof(sent); n_reads++) {
        ssize_t n;

        ck_assert_int_lt(n_reads, 3);
        tls_pair_wait_for(&pair, TRANSPORT_READABLE);
        n = transport_read(pair.transport, received + n_read, sizeof(received) - n_read);
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
            n = transport_write(pair.transport, parts, _i == 0 ? 1 : 2);
        ck_assert(n >= 0 || n == -EAGAIN);
        n_written += n > 0 ? (size_t)n : 0;
        m = SSL_read(pair.server, received + n_read, (int)(sizeof(received) - n_read));
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
    tls_pair_server_write(&pair, "ab", 2);
    SSL_shutdown(pair.server);
    shutdown(SSL_get_fd(pair.server), SHUT_RDWR);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 2);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 0);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 0);
}
END_TEST

START_TEST(truncation_is_a_failure)
{
    char bytes[4];

    connect_well();
    tls_pair_server_write(&pair, "ab", 2);
    shutdown(SSL_get_fd(pair.server), SHUT_RDWR);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 2);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), -EPROTO);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), -EPROTO);
    transport_describe(pair.transport, &pair.failure);
    ck_assert_uint_eq(pair.failure.cause, WSP_CAUSE_LOST);
    ck_assert_str_eq(pair.failure.text,
                     "the TLS stream was cut off: it ended without close_notify");
}
END_TEST

START_TEST(our_end_is_told_in_order)
{
    char bytes[4];

    connect_well();
    transport_shutdown(pair.transport);
    ck_assert_int_eq(SSL_read(pair.server, bytes, 4), 0);
    ck_assert_int_eq(SSL_get_error(pair.server, 0), SSL_ERROR_ZERO_RETURN);
    tls_pair_server_write(&pair, "ab", 2);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 2);
}
END_TEST

/* A key update makes the client write in order to read. */
START_TEST(key_update_passes_unseen)
{
    char bytes[4];

    connect_well();
    ck_assert_int_eq(SSL_key_update(pair.server, SSL_KEY_UPDATE_REQUESTED), 1);
    tls_pair_server_write(&pair, "ab", 2);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 2);
    ck_assert_int_eq(transport_write(pair.transport, &(struct iovec){bytes, 2}, 1), 2);
    ck_assert_int_eq(SSL_read(pair.server, bytes, 4), 2);
}
END_TEST

/* Each asks for one of ours, amid records that go both ways. */
START_TEST(key_updates_pass_amid_traffic)
{
    static char sent[50000], received[50000];
    struct iovec part = {sent, 1000};

    connect_well();
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 7 + i / 999);
    for (int round = 0; round < 20; round++) {
        size_t n_read = 0;

        tls_pair_server_write(&pair, sent, 20000);
        ck_assert_int_eq(SSL_key_update(pair.server, SSL_KEY_UPDATE_REQUESTED), 1);
        tls_pair_server_write(&pair, sent + 20000, 30000);
        ck_assert_int_eq(transport_write(pair.transport, &part, 1), 1000);
        while (n_read < sizeof(sent)) {
            ssize_t n;

            tls_pair_wait_for(&pair, TRANSPORT_READABLE);
            n = transport_read(pair.transport, received + n_read, sizeof(received) - n_read);
            ck_assert(n > 0 || n == -EAGAIN);
            n_read += n > 0 ? (size_t)n : 0;
        }
        ck_assert_mem_eq(received, sent, sizeof(sent));
        ck_assert_int_eq(transport_write(pair.transport, &part, 1), 1000);
        ck_assert_int_eq(SSL_read(pair.server, received, 1000), 1000);
        ck_assert_int_eq(SSL_read(pair.server, received + 1000, 1000), 1000);
        unit_assert_bytes(received + 1000, 1000, sent, 1000);
    }
}
END_TEST

/* What is no message of ours takes turns as all else does. */
START_TEST(flood_of_key_updates_does_not_hold_the_reader)
{
    BIO *records = BIO_new(BIO_s_mem());
    char bytes[8], *flood;
    int n_reads = 0, fd;
    long len;
    ssize_t n;

    connect_well();
    fd = SSL_get_fd(pair.server);
    BIO_up_ref(records);
    SSL_set0_wbio(pair.server, records);
    for (int i = 0; i < 5000; i++) {
        ck_assert_int_eq(SSL_key_update(pair.server, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        ck_assert_int_eq(SSL_do_handshake(pair.server), 1);
    }
    tls_pair_server_write(&pair, "ab", 2);
    len = BIO_get_mem_data(records, &flood);
    ck_assert_int_gt(len, 100000);
    ck_assert_int_eq(write(fd, flood, (size_t)len), len);
    BIO_free(records);
    do {
        tls_pair_wait_for(&pair, TRANSPORT_READABLE);
        n = transport_read(pair.transport, bytes, sizeof(bytes));
        n_reads++;
    } while (n == -EAGAIN);
    ck_assert_int_eq(n, 2);
    ck_assert_int_gt(n_reads, 1);
}
END_TEST

START_TEST(renegotiation_is_refused)
{
    char bytes[4];

    SSL_CTX_set_max_proto_version(pair.server_context, TLS1_2_VERSION);
    connect_well();
    tls_pair_server_write(&pair, "ab", 2);
    ck_assert_int_eq(SSL_renegotiate(pair.server), 1);
    ck_assert_int_eq(SSL_do_handshake(pair.server), 1); /* HelloRequest has gone */
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 2);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), -EAGAIN);
    ck_assert_int_le(SSL_read(pair.server, bytes, 4), 0);
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
}
END_TEST

/* RFC 8446, section 6.1. */
START_TEST(last_word_is_close_notify)
{
    char bytes[4];

    connect_well();
    pair.transport = transport_free(pair.transport);
    ck_assert_int_eq(SSL_read(pair.server, bytes, 4), 0);
    ck_assert_int_eq(SSL_get_error(pair.server, 0), SSL_ERROR_ZERO_RETURN);
}
END_TEST

START_TEST(broken_pipe_is_told_and_stays)
{
    struct iovec part = {(void *)(uintptr_t) "a", 1};
    ssize_t n;

    connect_well();
    shutdown(SSL_get_fd(pair.server), SHUT_RDWR);
    n = transport_write(pair.transport, &part, 1);
    ck_assert_int_eq(n, -EPIPE);
    ck_assert_int_eq(transport_write(pair.transport, &part, 1), -EPIPE);
    transport_describe(pair.transport, &pair.failure);
    ck_assert_str_eq(pair.failure.text, "the connection failed: Broken pipe");
}
END_TEST

/* Its Close frame above all. */
START_TEST(what_the_server_said_last_is_read_after_a_broken_pipe)
{
    struct iovec part = {(void *)(uintptr_t) "a", 1};
    char bytes[4];

    connect_well();
    tls_pair_server_write(&pair, "ab", 2);
    SSL_shutdown(pair.server);
    shutdown(SSL_get_fd(pair.server), SHUT_RDWR);
    ck_assert_int_eq(transport_write(pair.transport, &part, 1), -EPIPE);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 2);
    ck_assert_mem_eq(bytes, "ab", 2);
    ck_assert_int_eq(transport_write(pair.transport, &part, 1), -EPIPE);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 0);
}
END_TEST

/* Or its writer would wait until the transport is writable, which it is at once, and for ever. */
START_TEST(a_write_after_the_end_is_a_failure)
{
    struct iovec part = {(void *)(uintptr_t) "a", 1};
    char bytes[4];

    connect_well();
    tls_pair_server_write(&pair, "ab", 2);
    SSL_shutdown(pair.server);
    shutdown(SSL_get_fd(pair.server), SHUT_RDWR);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 2);
    ck_assert_int_eq(transport_write(pair.transport, &part, 1), -EPIPE);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, bytes, 4), 0);
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
    tcase_add_test(stream, key_updates_pass_amid_traffic);
    tcase_add_test(stream, flood_of_key_updates_does_not_hold_the_reader);
    tcase_add_test(stream, renegotiation_is_refused);
    tcase_add_test(stream, last_word_is_close_notify);
    tcase_add_test(stream, broken_pipe_is_told_and_stays);
    tcase_add_test(stream, what_the_server_said_last_is_read_after_a_broken_pipe);
    tcase_add_test(stream, a_write_after_the_end_is_a_failure);
    return suite;
}
