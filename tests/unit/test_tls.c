/*
 * test_tls: what a target says of TLS: whom to trust, what to show, which keys to insist on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/limits.h"
#include "daemon/pin.h"
#include "tests/harness/allocation.h"
#include "tests/harness/certificate.h"
#include "tests/harness/tls_pair.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct tls_pair pair;
static struct tls_settings *settings;

static const struct certificate_wish stranger = {.name = "A stranger", .is_authority = true};

static void setup(void)
{
    tls_pair_init(&pair);
    settings = &pair.target->tls;
}

static void teardown(void)
{
    tls_pair_deinit(&pair);
}

static void refuse(const char *text)
{
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 1);
    tls_pair_assert_fails(&pair, text);
    tls_pair_disconnect(&pair);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* A new folder is the ca-path, and the only trust. */
static void use_folder(char folder[128])
{
    tls_pair_path(&pair, "trusted", folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    tls_pair_set(&settings->ca_file, NULL);
    tls_pair_set(&settings->ca_path, folder);
}

/* --- whom to trust --- */

static const struct {
    const char *name;
    bool is_read;
} names[] = {
    {"a.pem", true},       {"a b.crt", true},      {"9d66eef0.0", true}, {"9d66eef0.12", true},
    {"a.txt", false},      {"README", false},      {".a.pem", false},    {"9d66eef0.r0", false},
    {"9d66eef.0", false},  {"9d66eef01.0", false}, {".pem", false},      {"a.pem~", false},
    {"9D66EEF0.0", false}, {"9d66eef0.", false},
};

/* Loop test. */
START_TEST(directory_is_read_by_names)
{
    char folder[128], path[256];

    use_folder(folder);
    snprintf(path, sizeof(path), "%s/%s", folder, names[_i].name);
    certificate_write(&pair.authority, path);
    tls_pair_serve_good(&pair);
    if (names[_i].is_read)
        tls_pair_connect_well(&pair);
    else
        refuse("no file of it that ends in .pem or .crt holds a certificate");
}
END_TEST

START_TEST(all_of_a_directory_is_trusted_and_nothing_else)
{
    char folder[128], path[256];
    struct certificate other;

    use_folder(folder);
    certificate_init(&other, &stranger, NULL);
    snprintf(path, sizeof(path), "%s/both.pem", folder);
    certificate_write(&other, path);
    certificate_append(&pair.authority, path);
    snprintf(path, sizeof(path), "%s/key.pem", folder);
    certificate_append_key(&other, path, "secret", 0600);
    snprintf(path, sizeof(path), "%s/folder.pem", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/fifo.pem", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    tls_pair_serve_good(&pair);
    tls_pair_connect_well(&pair);
    tls_pair_disconnect(&pair);
    certificate_deinit(&other);
    snprintf(path, sizeof(path), "%s/both.pem", folder);
    unlink(path);
    refuse("no file of it");
}
END_TEST

START_TEST(damaged_file_of_a_directory_is_named)
{
    char folder[128], path[256];

    use_folder(folder);
    snprintf(path, sizeof(path), "%s/a.pem", folder);
    certificate_write(&pair.authority, path);
    snprintf(path, sizeof(path), "%s/b.crt", folder);
    write_text(path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    tls_pair_serve_good(&pair);
    refuse("/trusted/b.crt: ");
    unlink(path);
    ck_assert_int_eq(symlink("nowhere", path), 0);
    refuse("/trusted/b.crt: No such file or directory");
}
END_TEST

/* Files without a certificate count: each of them is read. */
START_TEST(directory_has_a_bound)
{
    char folder[128], path[256];

    use_folder(folder);
    snprintf(path, sizeof(path), "%s/trusted.pem", folder);
    certificate_write(&pair.authority, path);
    for (int i = 1; i < MAX_TLS_DIRECTORY; i++) {
        snprintf(path, sizeof(path), "%s/%d.pem", folder, i);
        write_text(path, "");
    }
    tls_pair_serve_good(&pair);
    tls_pair_connect_well(&pair);
    tls_pair_disconnect(&pair);
    snprintf(path, sizeof(path), "%s/further.pem", folder);
    write_text(path, "");
    refuse("/trusted: it holds too many files");
}
END_TEST

START_TEST(file_and_directory_are_trusted_together)
{
    char folder[128], path[256];
    struct certificate other;

    use_folder(folder);
    tls_pair_set(&settings->ca_file, pair.ca_file);
    certificate_init(&other, &stranger, NULL);
    snprintf(path, sizeof(path), "%s/a.pem", folder);
    certificate_write(&other, path);
    tls_pair_serve_good(&pair);
    tls_pair_connect_well(&pair);
    tls_pair_disconnect(&pair);
    tls_pair_serve_and_connect(&pair, tls_pair_good(), &other, "good.test");
    ck_assert_msg(pair.is_good, "%s", pair.failure.text);
    certificate_deinit(&other);
}
END_TEST

START_TEST(files_in_a_directory_are_seen_to_change_at_the_latest_by_forgetting)
{
    char folder[128], path[256];
    struct certificate other;

    use_folder(folder);
    certificate_init(&other, &stranger, NULL);
    snprintf(path, sizeof(path), "%s/a.pem", folder);
    certificate_write(&pair.authority, path);
    tls_pair_serve_good(&pair);
    tls_pair_connect_well(&pair);
    tls_pair_disconnect(&pair);
    /* In place, so that the directory stays as it is. */
    certificate_write(&other, path);
    tls_forget(pair.tls);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
    tls_pair_assert_fails(&pair, "unknown issuer");
    tls_pair_disconnect(&pair);
    /* A new file changes the directory. */
    snprintf(path, sizeof(path), "%s/b.pem", folder);
    certificate_write(&pair.authority, path);
    tls_pair_connect_well(&pair);
    certificate_deinit(&other);
}
END_TEST

START_TEST(what_is_no_regular_file_is_not_waited_for)
{
    char path[128];

    tls_pair_serve_good(&pair);
    tls_pair_path(&pair, "fifo", path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    tls_pair_trust(&pair, path);
    refuse("/fifo: it is not a regular file");
    tls_pair_trust(&pair, "/dev/zero");
    refuse("/dev/zero: it is not a regular file");
    tls_pair_trust(&pair, pair.folder);
    refuse("it is not a regular file");
    tls_pair_path(&pair, "huge", path);
    write_text(path, "");
    ck_assert_int_eq(truncate(path, MAX_TLS_FILE + 1), 0);
    tls_pair_trust(&pair, path);
    refuse("/huge: it is too long for a file of certificates");
}
END_TEST

/* More settings than are kept. */
START_TEST(any_number_of_settings)
{
    char name[16], path[128];

    tls_pair_serve_good(&pair);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MAX_TLS_CONTEXTS + 3; i++) {
            snprintf(name, sizeof(name), "%d.pem", i);
            tls_pair_path(&pair, name, path);
            certificate_write(&pair.authority, path);
            tls_pair_trust(&pair, path);
            tls_pair_connect_well(&pair);
            tls_pair_disconnect(&pair);
        }
}
END_TEST

START_TEST(wrong_purpose)
{
    static const struct certificate_wish wish = {
        .name = "x", .alt_name = "DNS:good.test", .usage = "clientAuth"};

    tls_pair_serve_and_connect(&pair, &wish, &pair.authority, "good.test");
    tls_pair_assert_fails(&pair,
                          "the certificate of good.test is not one for servers; it needs the "
                          "extended key usage serverAuth");
}
END_TEST

START_TEST(weak_key)
{
    static const struct certificate_wish wish = {
        .name = "x", .alt_name = "DNS:good.test", .is_weak = true};

    SSL_CTX_set_security_level(pair.server_context, 0);
    tls_pair_serve_and_connect(&pair, &wish, &pair.authority, "good.test");
    tls_pair_assert_fails(&pair, "the certificate of good.test has a key that is too short to be "
                                 "safe; RSA needs 2048 bits or more");
}
END_TEST

START_TEST(issuer_that_is_none)
{
    static const struct certificate_wish wish = {.name = "No authority"};
    struct certificate issuer, certificate;

    certificate_init(&issuer, &wish, &pair.authority);
    certificate_init(&certificate, tls_pair_good(), &issuer);
    tls_pair_serve(&pair, &certificate);
    ck_assert_int_eq((int)SSL_CTX_add1_chain_cert(pair.server_context, issuer.x509), 1);
    certificate_deinit(&issuer);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
    tls_pair_assert_fails(&pair,
                          "the certificate of the issuer \"No authority\" is not one that may "
                          "issue others");
}
END_TEST

static int choose_h2(SSL *ssl, const unsigned char **ret_protocol, unsigned char *ret_len,
                     const unsigned char *offer, unsigned len, void *owner)
{
    (void)ssl;
    (void)offer;
    (void)len;
    (void)owner;
    *ret_protocol = (const unsigned char *)"h2";
    *ret_len = 2;
    return SSL_TLSEXT_ERR_OK;
}

START_TEST(protocol_that_was_not_offered)
{
    SSL_CTX_set_alpn_select_cb(pair.server_context, choose_h2, NULL);
    tls_pair_serve_and_connect(&pair, tls_pair_good(), &pair.authority, "good.test");
    /* OpenSSL may have seen it before us. */
    tls_pair_assert_fails(&pair, "good.test");
}
END_TEST

/* --- what to show --- */

/* The server wants a certificate of the authority's. */
static void demand_certificate(void)
{
    tls_pair_serve_good(&pair);
    SSL_CTX_set_verify(pair.server_context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(pair.server_context), pair.authority.x509);
}

static void assert_shown(const char *name)
{
    X509 *shown = SSL_get1_peer_certificate(pair.server);
    char text[64] = "";

    ck_assert_ptr_nonnull(shown);
    X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, text, sizeof(text));
    ck_assert_str_eq(text, name);
    X509_free(shown);
}

START_TEST(own_certificate_is_shown_with_its_chain)
{
    demand_certificate();
    tls_pair_make_own(&pair, "me", _i == 1);
    tls_pair_connect_well(&pair);
    assert_shown("me");
}
END_TEST

START_TEST(renewed_certificate_is_shown_next_time)
{
    demand_certificate();
    tls_pair_make_own(&pair, "me", _i == 1);
    tls_pair_connect_well(&pair);
    tls_pair_disconnect(&pair);
    tls_pair_make_own(&pair, "me again", _i == 1);
    tls_pair_connect_well(&pair);
    assert_shown("me again");
    ck_assert(!SSL_session_reused(pair.server));
}
END_TEST

START_TEST(server_that_misses_a_certificate_is_understood)
{
    char byte;

    demand_certificate();
    SSL_CTX_set_max_proto_version(pair.server_context, _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
    if (_i == 0) {
        tls_pair_assert_fails(&pair, "good.test refused the TLS handshake: ");
        return;
    }
    ck_assert(pair.is_good);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_lt(transport_read(pair.transport, &byte, 1), 0);
    transport_describe(pair.transport, &pair.failure);
    pair.is_good = false;
    tls_pair_assert_fails(
        &pair, "good.test wants a client's certificate, and there is none for it (cert-file)");
}
END_TEST

START_TEST(server_that_does_not_trust_ours_is_understood)
{
    struct certificate own;
    char path[128], byte;

    demand_certificate();
    certificate_init(&own, tls_pair_good(), NULL);
    tls_pair_path(&pair, "own.pem", path);
    certificate_append(&own, path);
    certificate_append_key(&own, path, NULL, 0600);
    certificate_deinit(&own);
    tls_pair_set(&settings->cert_file, path);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
    ck_assert(pair.is_good);
    tls_pair_wait_for(&pair, TRANSPORT_READABLE);
    ck_assert_int_lt(transport_read(pair.transport, &byte, 1), 0);
    transport_describe(pair.transport, &pair.failure);
    pair.is_good = false;
    tls_pair_assert_fails(&pair, "good.test does not trust the client's certificate (cert-file)");
}
END_TEST

/* Loop test: whoever else may read it. */
START_TEST(key_that_others_can_read_is_refused)
{
    static const mode_t modes[] = {0604, 0644, 0602, 0666};
    char path[128];

    tls_pair_serve_good(&pair);
    tls_pair_make_own(&pair, "me", true);
    tls_pair_path(&pair, "own.key", path);
    ck_assert_int_eq(chmod(path, modes[_i]), 0);
    refuse("/own.key: others can read it; make it its owner's alone (chmod 600)");
    ck_assert_int_eq(chmod(path, 0400), 0);
    tls_pair_connect_well(&pair);
}
END_TEST

START_TEST(group_may_read_only_roots_key)
{
    char path[128];

    tls_pair_serve_good(&pair);
    tls_pair_make_own(&pair, "me", true);
    tls_pair_path(&pair, "own.key", path);
    ck_assert_int_eq(chmod(path, 0640), 0);
    if (geteuid() != 0) {
        refuse("others can read it");
        return;
    }
    tls_pair_connect_well(&pair);
    tls_pair_disconnect(&pair);
    ck_assert_int_eq(chown(path, 65534, (gid_t)-1), 0);
    tls_forget(pair.tls);
    refuse("others can read it");
}
END_TEST

START_TEST(encrypted_key_is_told_so)
{
    struct certificate own;
    char path[128];

    tls_pair_serve_good(&pair);
    certificate_init(&own, tls_pair_good(), &pair.authority);
    tls_pair_path(&pair, "own.pem", path);
    certificate_append(&own, path);
    certificate_append_key(&own, path, "secret", 0600);
    certificate_deinit(&own);
    tls_pair_set(&settings->cert_file, path);
    refuse("/own.pem: it is encrypted, and nobody can be asked for the passphrase");
}
END_TEST

START_TEST(certificate_and_key_must_belong_together)
{
    char cert[128], key[128];
    struct certificate other;

    tls_pair_serve_good(&pair);
    tls_pair_make_own(&pair, "me", true);
    tls_pair_path(&pair, "own.key", key);
    tls_pair_path(&pair, "own.pem", cert);
    certificate_init(&other, &stranger, NULL);
    unlink(key);
    certificate_append_key(&other, key, NULL, 0600);
    certificate_deinit(&other);
    refuse("/own.key: it is not the key of the certificate in cert-file");
    write_text(key, "nothing\n");
    refuse("/own.key: there is no key in PEM in it (BEGIN PRIVATE KEY)");
    unlink(key);
    refuse("/own.key: No such file or directory");
    write_text(cert, "nothing\n");
    refuse("the client's certificate cannot be read from ");
}
END_TEST

/* --- keys to insist on --- */

static struct certificate some_other(void)
{
    struct certificate other;

    certificate_init(&other, &stranger, NULL);
    return other;
}

/* Loop test: the server's own key, its issuer's; besides, one that is not in use. */
START_TEST(pinned_key_is_enough)
{
    struct certificate spare = some_other();

    tls_pair_serve_good(&pair);
    tls_pair_pin(&pair, spare.x509);
    tls_pair_pin(&pair, _i == 0 ? tls_pair_served(&pair) : pair.authority.x509);
    certificate_deinit(&spare);
    tls_pair_connect_well(&pair);
}
END_TEST

START_TEST(other_key_than_the_pinned_is_refused)
{
    struct certificate spare = some_other();
    char text[64];

    tls_pair_serve_good(&pair);
    tls_pair_pin(&pair, spare.x509);
    certificate_deinit(&spare);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
    tls_pair_assert_fails(&pair, "no key of good.test is one of those that are pinned (pin)");
    certificate_pin(tls_pair_served(&pair), text);
    tls_pair_assert_fails(&pair, text);
}
END_TEST

START_TEST(pin_does_not_replace_the_chain)
{
    struct certificate certificate;

    certificate_init(&certificate, tls_pair_good(), NULL);
    tls_pair_pin(&pair, certificate.x509);
    tls_pair_serve(&pair, &certificate);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
    tls_pair_assert_fails(&pair, "self-signed");
}
END_TEST

START_TEST(insecure_takes_anybody)
{
    static const struct certificate_wish wish = {
        .name = "x", .alt_name = "DNS:other.test", .begins_s = -7200, .ends_s = -60};

    settings->is_insecure = true;
    tls_pair_serve_and_connect(&pair, &wish, NULL, "good.test");
    ck_assert_msg(pair.is_good, "%s", pair.failure.text);
}
END_TEST

/* Loop test: 0: the server's own, 1: an issuer's, whom anybody can put into a chain, 2: another. */
START_TEST(insecure_with_pins_takes_that_key_alone)
{
    struct certificate spare = some_other();

    tls_pair_serve_good(&pair);
    SSL_CTX_add1_chain_cert(pair.server_context, pair.authority.x509);
    settings->is_insecure = true;
    tls_pair_pin(&pair, _i == 0   ? tls_pair_served(&pair)
                        : _i == 1 ? pair.authority.x509
                                  : spare.x509);
    certificate_deinit(&spare);
    ck_assert_int_eq(tls_pair_handshake(&pair, "good.test"), 0);
    if (_i == 0)
        ck_assert_msg(pair.is_good, "%s", pair.failure.text);
    else
        tls_pair_assert_fails(&pair, "no key of good.test is one of those that are pinned");
}
END_TEST

/* --- no memory --- */

static int make_session(void)
{
    struct tls_session session;
    struct tls *tls;
    int r = tls_new(&tls);

    if (r < 0)
        return r;
    r = tls_session_init(&session, tls, pair.target);
    if (r == 0)
        tls_session_deinit(&session);
    ck_assert(session.ssl == NULL && session.key == NULL);
    tls_free(tls);
    return r;
}

START_TEST(each_allocation_may_fail)
{
    char folder[128], path[256];
    size_t n = 0;
    int r;

    use_folder(folder);
    snprintf(path, sizeof(path), "%s/a.pem", folder);
    certificate_write(&pair.authority, path);
    tls_pair_set(&settings->ca_file, pair.ca_file);
    tls_pair_make_own(&pair, "me", true);
    tls_pair_pin(&pair, pair.authority.x509);
    tls_pair_aim_at(&pair, "good.test");
    for (;; n++) {
        allocation_fail_after(n);
        r = make_session();
        if (!allocation_disarm())
            break;
        ck_assert_int_eq(r, -ENOMEM);
    }
    ck_assert_int_eq(r, 0);
    ck_assert_uint_gt(n, 8);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("tls");
    TCase *trust = unit_case(suite, "trust");
    TCase *own = unit_case(suite, "own");
    TCase *pins = unit_case(suite, "pins");
    TCase *memory = unit_case(suite, "memory");

    tcase_add_checked_fixture(trust, setup, teardown);
    tcase_add_loop_test(trust, directory_is_read_by_names, 0, N_OF(names));
    tcase_add_test(trust, all_of_a_directory_is_trusted_and_nothing_else);
    tcase_add_test(trust, damaged_file_of_a_directory_is_named);
    tcase_add_test(trust, directory_has_a_bound);
    tcase_add_test(trust, file_and_directory_are_trusted_together);
    tcase_add_test(trust, files_in_a_directory_are_seen_to_change_at_the_latest_by_forgetting);
    tcase_add_test(trust, what_is_no_regular_file_is_not_waited_for);
    tcase_add_test(trust, any_number_of_settings);
    tcase_add_test(trust, wrong_purpose);
    tcase_add_test(trust, weak_key);
    tcase_add_test(trust, issuer_that_is_none);
    tcase_add_test(trust, protocol_that_was_not_offered);
    tcase_add_checked_fixture(own, setup, teardown);
    tcase_add_loop_test(own, own_certificate_is_shown_with_its_chain, 0, 2);
    tcase_add_loop_test(own, renewed_certificate_is_shown_next_time, 0, 2);
    tcase_add_loop_test(own, server_that_misses_a_certificate_is_understood, 0, 2);
    tcase_add_test(own, server_that_does_not_trust_ours_is_understood);
    tcase_add_loop_test(own, key_that_others_can_read_is_refused, 0, 4);
    tcase_add_test(own, group_may_read_only_roots_key);
    tcase_add_test(own, encrypted_key_is_told_so);
    tcase_add_test(own, certificate_and_key_must_belong_together);
    tcase_add_checked_fixture(pins, setup, teardown);
    tcase_add_loop_test(pins, pinned_key_is_enough, 0, 2);
    tcase_add_test(pins, other_key_than_the_pinned_is_refused);
    tcase_add_test(pins, pin_does_not_replace_the_chain);
    tcase_add_test(pins, insecure_takes_anybody);
    tcase_add_loop_test(pins, insecure_with_pins_takes_that_key_alone, 0, 3);
    tcase_add_checked_fixture(memory, setup, teardown);
    tcase_add_test(memory, each_allocation_may_fail);
    return suite;
}
