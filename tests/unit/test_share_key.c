/*
 * test_share_key: the contract of daemon/share_key.h and daemon/target.h: every identity field tells targets apart,
 * no policy does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/share_key.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void set_url(struct target *target, const char *url)
{
    wsp_url_deinit(&target->url);
    ck_assert_int_eq(wsp_url_parse_websocket(&target->url, url, strlen(url), NULL, NULL), 0);
}

static void add(struct strings *strings, const char *text)
{
    ck_assert_int_eq(strings_add(strings, text, strlen(text)), 0);
}

static void set_text(char **text, const char *value)
{
    free(*text);
    *text = value == NULL ? NULL : strdup(value);
}

static void make_strings(struct strings *strings, const char *const *items)
{
    strings_deinit(strings);
    for (; *items != NULL; items++)
        add(strings, *items);
}

/* A target with everything. */
static struct target *base(void)
{
    struct target *target = target_new();

    ck_assert_ptr_nonnull(target);
    set_url(target, "wss://user:secret@feed.example/v1?key=1");
    make_strings(&target->protocols, (const char *const[]){"json", "cbor", NULL});
    make_strings(&target->headers,
                 (const char *const[]){"Authorization", "Bearer x", "Accept", "a", NULL});
    set_text(&target->tls.ca_file, "/etc/ca.pem");
    target->scope = 1000;
    return target;
}

static bool meet(const struct target *x, const struct target *y)
{
    struct share_key *a = share_key_new(x);
    struct share_key *b = share_key_new(y);
    bool is_same;

    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    is_same = share_key_equals(a, b);
    ck_assert_int_eq(is_same, share_key_equals(b, a));
    share_key_free(a);
    share_key_free(b);
    return is_same;
}

/* --- what keeps targets apart --- */

static void other_scope(struct target *t)
{
    t->scope = 1001;
}

static void with_endpoint(struct target *t)
{
    set_text(&t->endpoint, "feed");
}

static void other_query(struct target *t)
{
    set_url(t, "wss://user:secret@feed.example/v1?key=2");
}

static void other_password(struct target *t)
{
    set_url(t, "wss://user:Secret@feed.example/v1?key=1");
}

static void no_tls(struct target *t)
{
    set_url(t, "ws://user:secret@feed.example:443/v1?key=1");
}

static void protocols_swapped(struct target *t)
{
    make_strings(&t->protocols, (const char *const[]){"cbor", "json", NULL});
}

static void protocols_joined(struct target *t)
{
    make_strings(&t->protocols, (const char *const[]){"jsoncbor", NULL});
}

static void protocol_more(struct target *t)
{
    add(&t->protocols, "x");
}

static void protocol_as_header(struct target *t)
{
    make_strings(&t->protocols, (const char *const[]){"json", NULL});
    make_strings(&t->headers,
                 (const char *const[]){"cbor", "Authorization", "Bearer x", "Accept", "a", NULL});
}

static void headers_swapped(struct target *t)
{
    make_strings(&t->headers,
                 (const char *const[]){"Accept", "a", "Authorization", "Bearer x", NULL});
}

static void header_value_case(struct target *t)
{
    make_strings(&t->headers,
                 (const char *const[]){"Authorization", "bearer x", "Accept", "a", NULL});
}

static void header_split_elsewhere(struct target *t)
{
    make_strings(&t->headers,
                 (const char *const[]){"AuthorizationB", "earer x", "Accept", "a", NULL});
}

static void no_headers(struct target *t)
{
    strings_deinit(&t->headers);
}

static void no_ca_file(struct target *t)
{
    set_text(&t->tls.ca_file, NULL);
}

static void empty_ca_file(struct target *t)
{
    set_text(&t->tls.ca_file, "");
}

static void with_ca_path(struct target *t)
{
    set_text(&t->tls.ca_path, "/etc/ca.pem");
}

static void ca_path_instead(struct target *t)
{
    set_text(&t->tls.ca_file, NULL);
    set_text(&t->tls.ca_path, "/etc/ca.pem");
}

static void with_certificate(struct target *t)
{
    set_text(&t->tls.cert_file, "/etc/own.pem");
}

static void with_certificate_and_key(struct target *t)
{
    set_text(&t->tls.cert_file, "/etc/own.pem");
    set_text(&t->tls.key_file, "/etc/own.key");
}

static void with_pin(struct target *t)
{
    make_strings(&t->tls.pins, (const char *const[]){"sha256/a", NULL});
}

static void with_pins(struct target *t)
{
    make_strings(&t->tls.pins, (const char *const[]){"sha256/a", "sha256/b", NULL});
}

static void not_verified(struct target *t)
{
    t->tls.is_insecure = true;
}

static void set_proxy(struct target *t, const char *text)
{
    const char *problem;

    ck_assert_int_eq(proxy_new(wsp_view_of_string(text), NULL, &t->proxy, &problem), 0);
}

static void with_proxy(struct target *t)
{
    set_proxy(t, "http://h:1080");
}

static void other_kind_of_proxy(struct target *t)
{
    set_proxy(t, "socks5://h:1080");
}

static void proxy_that_resolves(struct target *t)
{
    set_proxy(t, "socks5h://h:1080");
}

static void proxy_with_a_user(struct target *t)
{
    set_proxy(t, "http://u:p@h:1080");
}

static void proxy_with_another_password(struct target *t)
{
    set_proxy(t, "http://u:q@h:1080");
}

static void other_max_message(struct target *t)
{
    t->max_message++;
}

static void no_deflate(struct target *t)
{
    t->is_deflated = false;
}

static void no_takeover(struct target *t)
{
    t->is_taking_over = false;
}

static void other_window(struct target *t)
{
    t->window_bits = 9;
}

static void (*const differences[])(struct target *) = {
    NULL,
    other_scope,
    with_endpoint,
    other_query,
    other_password,
    no_tls,
    protocols_swapped,
    protocols_joined,
    protocol_more,
    protocol_as_header,
    headers_swapped,
    header_value_case,
    header_split_elsewhere,
    no_headers,
    no_ca_file,
    empty_ca_file,
    with_ca_path,
    ca_path_instead,
    with_certificate,
    with_certificate_and_key,
    with_pin,
    with_pins,
    not_verified,
    with_proxy,
    other_kind_of_proxy,
    proxy_that_resolves,
    proxy_with_a_user,
    proxy_with_another_password,
    other_max_message,
    no_deflate,
    no_takeover,
    other_window,
};

enum { N_DIFFERENCES = N_OF(differences) };

/* Loop test: each against all. */
START_TEST(every_identity_field_tells_apart)
{
    struct target *x = base();

    if (differences[_i] != NULL)
        differences[_i](x);
    for (int i = 0; i < N_DIFFERENCES; i++) {
        struct target *y = base();

        if (differences[i] != NULL)
            differences[i](y);
        ck_assert_int_eq(meet(x, y), i == _i);
        target_free(y);
    }
    target_free(x);
}
END_TEST

START_TEST(header_names_agree_whatever_their_case)
{
    struct target *x = base();
    struct target *y = base();

    make_strings(&y->headers,
                 (const char *const[]){"aUTHORIZATION", "Bearer x", "ACCEPT", "a", NULL});
    ck_assert(meet(x, y));
    target_free(x);
    target_free(y);
}
END_TEST

START_TEST(policy_tells_nobody_apart)
{
    struct target *x = base();
    struct target *y = base();

    y->queue_bytes++;
    y->slow_consumer = SLOW_BLOCK;
    y->linger_ms++;
    y->block_timeout_ms++;
    y->connect_timeout_ms++;
    y->close_timeout_ms++;
    ck_assert(meet(x, y));
    target_free(x);
    target_free(y);
}
END_TEST

/* Loop test: another request over the same way is no other TLS. */
START_TEST(tls_sessions_know_whose_they_are)
{
    static void (*const others[])(struct target *) = {
        other_scope,
        with_endpoint,
        no_ca_file,
        empty_ca_file,
        with_ca_path,
        ca_path_instead,
        with_certificate,
        with_certificate_and_key,
        with_pin,
        with_pins,
        not_verified,
        with_proxy,
        other_kind_of_proxy,
        proxy_that_resolves,
        proxy_with_a_user,
        proxy_with_another_password,
    };
    struct target *x = base();
    struct target *y = base();
    struct share_key *a, *b, *c;
    bool is_other = false;

    if (differences[_i] != NULL)
        differences[_i](y);
    for (size_t i = 0; i < N_OF(others); i++)
        is_other = is_other || others[i] == differences[_i];
    a = share_key_new_tls(x);
    b = share_key_new_tls(y);
    ck_assert_int_eq(share_key_equals(a, b), !is_other);
    c = share_key_copy(b);
    ck_assert(share_key_equals(b, c));
    share_key_free(a);
    share_key_free(b);
    share_key_free(c);
    target_free(x);
    target_free(y);
}
END_TEST

/* A session of one server is nothing to offer another. */
static const char *const other_servers[][2] = {
    {"wss://feed.example/v1", "wss://feed2.example/v1"},
    {"wss://feed.example/v1", "wss://feed.example:8443/v1"},
    {"wss+unix:/run/a", "wss+unix:/run/b"},
    {"wss+unix:/run/a", "wss://localhost/"},
};

START_TEST(tls_sessions_know_host_and_port)
{
    struct target *x = base();
    struct target *y = base();
    struct share_key *a, *b;

    set_url(x, other_servers[_i][0]);
    set_url(y, other_servers[_i][1]);
    a = share_key_new_tls(x);
    b = share_key_new_tls(y);
    ck_assert(!share_key_equals(a, b));
    share_key_free(a);
    share_key_free(b);
    target_free(x);
    target_free(y);
}
END_TEST

START_TEST(tree_finds_what_was_added)
{
    struct share_key *keys[N_DIFFERENCES];
    struct share_key *probe;
    struct target *target;
    void *tree = NULL;

    for (int i = 0; i < N_DIFFERENCES; i++) {
        target = base();
        if (differences[i] != NULL)
            differences[i](target);
        keys[i] = share_key_new(target);
        ck_assert_ptr_null(share_key_find(&tree, keys[i]));
        ck_assert_int_eq(share_key_add(&tree, keys[i]), 0);
        target_free(target);
    }
    target = base();
    probe = share_key_new(target);
    ck_assert_ptr_eq(share_key_find(&tree, probe), keys[0]);
    share_key_remove(&tree, keys[0]);
    ck_assert_ptr_null(share_key_find(&tree, probe));
    share_key_remove(&tree, keys[0]);
    for (int i = 1; i < N_DIFFERENCES; i++) {
        ck_assert_ptr_eq(share_key_find(&tree, keys[i]), keys[i]);
        share_key_remove(&tree, keys[i]);
    }
    ck_assert_ptr_null(tree);
    for (int i = 0; i < N_DIFFERENCES; i++)
        share_key_free(keys[i]);
    share_key_free(probe);
    share_key_free(NULL);
    target_free(target);
}
END_TEST

START_TEST(no_memory)
{
    struct target *target = base();
    struct share_key *key;
    struct strings strings = {0};
    void *tree = NULL;
    int r;

    allocation_fail_after(0);
    key = share_key_new(target);
    ck_assert(allocation_disarm());
    ck_assert_ptr_null(key);
    key = share_key_new(target);
    allocation_fail_after(0);
    r = share_key_add(&tree, key);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_ptr_null(share_key_find(&tree, key));
    for (size_t n = 0; n < 2; n++) {
        allocation_fail_after(n);
        r = strings_add(&strings, "x", 1);
        ck_assert(allocation_disarm());
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_uint_eq(strings.n_items, 0);
    }
    strings_deinit(&strings);
    share_key_free(key);
    target_free(target);
    target_free(NULL);
}
END_TEST

/* --- how a target is shown --- */

START_TEST(a_target_is_shown_without_credentials_and_query)
{
    struct target *target = base();
    char to[TARGET_DISPLAY_LEN];

    ck_assert_str_eq(target_display(target, to), "wss://feed.example/v1");
    set_text(&target->endpoint, "feed");
    ck_assert_str_eq(target_display(target, to), "wsplex-endpoint:feed");
    target_free(target);
}
END_TEST

START_TEST(a_long_one_is_cut)
{
    struct target *target = base();
    char to[TARGET_DISPLAY_LEN];
    char url[2000];

    memset(url, 'x', sizeof(url));
    memcpy(url, "ws://h.example/", 15);
    url[sizeof(url) - 1] = '\0';
    set_url(target, url);
    ck_assert_uint_eq(strlen(target_display(target, to)), TARGET_DISPLAY_LEN - 1);
    ck_assert_str_eq(to + TARGET_DISPLAY_LEN - 5, "x...");
    target_free(target);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("share_key");
    TCase *key = unit_case(suite, "key");
    TCase *display = unit_case(suite, "display");

    tcase_add_loop_test(key, every_identity_field_tells_apart, 0, N_DIFFERENCES);
    tcase_add_loop_test(key, tls_sessions_know_whose_they_are, 0, N_DIFFERENCES);
    tcase_add_loop_test(key, tls_sessions_know_host_and_port, 0, N_OF(other_servers));
    tcase_add_test(key, header_names_agree_whatever_their_case);
    tcase_add_test(key, policy_tells_nobody_apart);
    tcase_add_test(key, tree_finds_what_was_added);
    tcase_add_test(key, no_memory);
    tcase_add_test(display, a_target_is_shown_without_credentials_and_query);
    tcase_add_test(display, a_long_one_is_cut);
    return suite;
}
