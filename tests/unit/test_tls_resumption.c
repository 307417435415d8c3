/*
 * test_tls_resumption: TLS sessions are resumed by those whose they are, and by nobody else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/limits.h"
#include "daemon/tls_resumption.h"
#include "tests/harness/certificate.h"
#include "tests/harness/tls_pair.h"
#include "tests/harness/unit.h"

#include <errno.h>
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

static void version_init(int i)
{
    int version = i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;

    SSL_CTX_set_max_proto_version(pair.server_context, version);
    SSL_CTX_set_num_tickets(pair.server_context, 1);
}

/* Reads what comes after the handshake: of TLS 1.3 the ticket is there. */
static void read_byte(void)
{
    char byte;

    tls_pair_server_write(&pair, "x", 1);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, &byte, 1), 1);
}

static bool is_resumed(void)
{
    char text[64];
    bool is;

    tls_pair_connect_well(&pair);
    is = SSL_session_reused(pair.server) == 1;
    transport_tls_format(pair.transport, text, sizeof(text));
    ck_assert_int_eq(strstr(text, ", resumed") != NULL, is);
    return is;
}

/* One session is known. */
static void make_known(int i)
{
    tls_pair_serve_good(&pair);
    version_init(i);
    ck_assert(!is_resumed());
    read_byte();
    tls_pair_disconnect(&pair);
}

/* Loop tests: TLS 1.2, TLS 1.3. */
START_TEST(next_connection_resumes)
{
    make_known(_i);
    for (int n = 0; n < 3; n++) {
        ck_assert(is_resumed());
        read_byte();
        tls_pair_disconnect(&pair);
    }
}
END_TEST

START_TEST(ticket_of_tls_1_3_is_used_once)
{
    make_known(_i);
    ck_assert(is_resumed());
    tls_pair_disconnect(&pair); /* without having read the next ticket */
    ck_assert_int_eq(is_resumed(), _i == 0);
}
END_TEST

/* Nobody has sent a fatal alert. */
START_TEST(connection_that_was_reset_is_resumed)
{
    char byte = 'x';

    tls_pair_serve_good(&pair);
    version_init(_i);
    tls_pair_connect_well(&pair);
    read_byte();
    /* What is not read when a socket is closed resets it. */
    ck_assert_int_eq(transport_write(pair.transport, &(struct iovec){&byte, 1}, 1), 1);
    tls_pair_hang_up(&pair);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, &byte, 1), -ECONNRESET);
    tls_pair_disconnect(&pair);
    ck_assert(is_resumed());
}
END_TEST

/* RFC 5246, section 7.2.2: an end without close_notify is answered by one. */
START_TEST(connection_with_a_fatal_alert_is_not_resumed)
{
    char byte;

    tls_pair_serve_good(&pair);
    version_init(_i);
    tls_pair_connect_well(&pair);
    read_byte();
    shutdown(SSL_get_fd(pair.server), SHUT_RDWR);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_eq(transport_read(pair.transport, &byte, 1), -EPROTO);
    tls_pair_disconnect(&pair);
    ck_assert(!is_resumed());
}
END_TEST

static void other_user(void)
{
    pair.target->scope++;
}

static void other_endpoint(void)
{
    pair.target->endpoint = strdup("feed");
}

static void other_trust(void)
{
    char path[128];

    tls_pair_path(&pair, "copy.pem", path);
    certificate_write(&pair.authority, path);
    tls_pair_trust(&pair, path);
}

static void other_pins(void)
{
    tls_pair_pin(&pair, tls_pair_served(&pair));
}

static void other_security(void)
{
    pair.target->tls.is_insecure = true;
}

static void own_certificate(void)
{
    tls_pair_make_own(&pair, "me", true);
}

static void file_written_anew(void)
{
    unlink(pair.ca_file);
    certificate_write(&pair.authority, pair.ca_file);
}

static void forgotten(void)
{
    tls_forget(pair.tls);
}

static void (*const changes[])(void) = {
    other_user,     other_endpoint,  other_trust,       other_pins,
    other_security, own_certificate, file_written_anew, forgotten,
};
enum { N_CHANGES = N_OF(changes) };

/* Loop test: each change, with both versions. */
START_TEST(nobody_else_resumes)
{
    make_known(_i % 2);
    changes[_i / 2]();
    ck_assert(!is_resumed());
}
END_TEST

/* A handshake that verifies would not come about with it, so it is one that does not. Loop test: TLS 1.2, TLS 1.3, each
 * with an expired certificate and one that has not. */
START_TEST(session_of_an_expired_certificate_is_not_resumed)
{
    const struct certificate_wish wish = {
        .name = "x", .alt_name = "DNS:good.test", .begins_s = -7200, .ends_s = _i < 2 ? -60 : 60};
    struct certificate certificate;

    certificate_init(&certificate, &wish, &pair.authority);
    tls_pair_serve(&pair, &certificate);
    version_init(_i % 2);
    pair.target->tls.is_insecure = true;
    tls_pair_connect_well(&pair);
    read_byte();
    tls_pair_disconnect(&pair);
    ck_assert_int_eq(is_resumed(), _i >= 2);
}
END_TEST

/* Loop test: TLS 1.2, TLS 1.3. */
START_TEST(session_with_a_giant_chain_is_not_kept)
{
    char names[40000] = "DNS:good.test";
    struct certificate_wish wish = {.name = "x", .alt_name = names};
    struct certificate certificate;
    size_t len = strlen(names);

    for (int i = 0; len < MAX_TLS_SESSION_LEN * 2; i++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, ",DNS:host-%d.test", i);
    certificate_init(&certificate, &wish, &pair.authority);
    tls_pair_serve(&pair, &certificate);
    version_init(_i);
    tls_pair_connect_well(&pair);
    read_byte();
    tls_pair_disconnect(&pair);
    ck_assert(!is_resumed());
}
END_TEST

static struct share_key *key_of(uid_t uid, int n)
{
    char host[32];

    snprintf(host, sizeof(host), "h%d.test", n);
    pair.target->scope = uid;
    tls_pair_aim_at(&pair, host);
    return share_key_new_tls(pair.target);
}

static void keep(struct tls_resumption *resumption, uid_t uid, int n)
{
    struct share_key *key = key_of(uid, n);

    tls_resumption_take(resumption, key, 1, uid, SSL_SESSION_new());
    share_key_free(key);
}

START_TEST(sessions_are_bounded_for_targets_users_and_all)
{
    struct tls_resumption resumption;
    struct share_key *key;

    tls_resumption_init(&resumption);
    for (int i = 0; i < 10; i++)
        keep(&resumption, 1, 0);
    ck_assert_uint_eq(resumption.n, MAX_TLS_SESSIONS_PER_TARGET);
    for (int i = 0; i < MAX_TLS_SESSIONS_PER_USER + 10; i++)
        keep(&resumption, 2, i);
    ck_assert_uint_eq(resumption.n, MAX_TLS_SESSIONS_PER_TARGET + MAX_TLS_SESSIONS_PER_USER);
    for (uid_t uid = 3; uid < 10; uid++)
        for (int i = 0; i < MAX_TLS_SESSIONS_PER_USER; i++)
            keep(&resumption, uid, i);
    ck_assert_uint_eq(resumption.n, MAX_TLS_SESSIONS);
    key = key_of(9, 5);
    tls_resumption_forget_key(&resumption, key);
    ck_assert_uint_eq(resumption.n, MAX_TLS_SESSIONS - 1);
    share_key_free(key);
    tls_resumption_forget_context(&resumption, 2);
    ck_assert_uint_eq(resumption.n, MAX_TLS_SESSIONS - 1);
    tls_resumption_forget_context(&resumption, 1);
    ck_assert_uint_eq(resumption.n, 0);
    tls_resumption_deinit(&resumption);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("tls_resumption");
    TCase *sessions = unit_case(suite, "sessions");

    tcase_add_checked_fixture(sessions, setup, teardown);
    tcase_add_loop_test(sessions, next_connection_resumes, 0, 2);
    tcase_add_loop_test(sessions, ticket_of_tls_1_3_is_used_once, 0, 2);
    tcase_add_loop_test(sessions, connection_that_was_reset_is_resumed, 0, 2);
    tcase_add_loop_test(sessions, connection_with_a_fatal_alert_is_not_resumed, 0, 2);
    tcase_add_loop_test(sessions, nobody_else_resumes, 0, 2 * N_CHANGES);
    tcase_add_loop_test(sessions, session_of_an_expired_certificate_is_not_resumed, 0, 4);
    tcase_add_loop_test(sessions, session_with_a_giant_chain_is_not_kept, 0, 2);
    tcase_add_test(sessions, sessions_are_bounded_for_targets_users_and_all);
    return suite;
}
