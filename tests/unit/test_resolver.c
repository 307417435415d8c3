/*
 * test_resolver: literal addresses, /etc/hosts, and a name server of the test's own in the same loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/resolver.h"
#include "tests/harness/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct resolver *resolver;
static struct lookup *lookup;
static char answers[1000];
static int n_answers;
static int stop_after;

/* The name server: how it answers a question of each type, and what it was asked. */
enum answer { SILENCE, ADDRESS, MANY_ADDRESSES, NO_DATA, NO_NAME, FAILURE };
static enum answer answer_a, answer_aaaa;
static int name_server;
static struct watch name_server_watch;
static char asked[1000];

static void add(char *to, size_t room, const char *text)
{
    ck_assert_uint_lt(strlen(to) + strlen(text) + 2, room);
    if (to[0] != '\0')
        strncat(to, " ", room - strlen(to) - 1);
    strncat(to, text, room - strlen(to) - 1);
}

static size_t put_record(uint8_t *to, int type, int number)
{
    static const uint8_t head[] = {0xc0, 0x0c, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0};
    size_t len = type == 1 ? 4 : 16;

    memcpy(to, head, sizeof(head));
    to[3] = (uint8_t)type;
    to[11] = (uint8_t)len;
    memset(to + sizeof(head), 0, len);
    memcpy(to + sizeof(head), type == 1 ? "\xc0\x00\x02" : "\x20\x01\x0d\xb8", type == 1 ? 3 : 4);
    to[sizeof(head) + len - 1] = (uint8_t)(number + 1);
    return sizeof(head) + len;
}

/* The question's name with dots; returns where the name ends. */
static size_t question_name(const uint8_t *question, char *name)
{
    size_t at = 12;

    while (question[at] != 0) {
        memcpy(name, question + at + 1, question[at]);
        name += question[at];
        *name++ = '.';
        at += question[at] + 1u;
    }
    *name = '\0';
    return at + 1;
}

static void name_server_ready(void *owner, unsigned events)
{
    uint8_t packet[2000];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t n = recvfrom(name_server, packet, 512, 0, (struct sockaddr *)&from, &from_len);
    char name[256], text[300];
    size_t len;
    enum answer answer;
    int type, n_records;

    (void)owner;
    (void)events;
    if (n < 12)
        return;
    len = question_name(packet, name);
    type = packet[len + 1];
    len += 4;
    snprintf(text, sizeof(text), "%s:%s", type == 1 ? "A" : "AAAA", name);
    add(asked, sizeof(asked), text);
    answer = type == 1 ? answer_a : answer_aaaa;
    if (answer == SILENCE)
        return;
    n_records = answer == ADDRESS ? 1 : answer == MANY_ADDRESSES ? 25 : 0;
    packet[2] |= 0x80;
    packet[3] = answer == NO_NAME ? 3 : answer == FAILURE ? 2 : 0;
    memset(packet + 6, 0, 6);
    packet[7] = (uint8_t)n_records;
    for (int i = 0; i < n_records; i++)
        len += put_record(packet + len, type, i);
    sendto(name_server, packet, len, 0, (struct sockaddr *)&from, from_len);
}

static void name_server_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);

    name_server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(name_server, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(name_server, (struct sockaddr *)&address, &len), 0);
    ck_assert_int_eq(watch_init(&name_server_watch, loop, name_server, name_server_ready, NULL), 0);
    watch_want(&name_server_watch, WATCH_READABLE);
    {
        char text[40];

        snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(address.sin_port));
        ck_assert_int_eq(resolver_set_servers(resolver, text), 0);
    }
}

static void setup(void)
{
    answers[0] = asked[0] = '\0';
    n_answers = 0;
    stop_after = 2;
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(resolver_new(loop, &resolver), 0);
    name_server_start();
}

static void teardown(void)
{
    lookup = lookup_free(lookup);
    resolver = resolver_free(resolver);
    resolver_free(NULL);
    lookup_free(NULL);
    watch_deinit(&name_server_watch);
    close(name_server);
    loop_free(loop);
}

static void note_answer(void *owner, enum race_family family, const union address *addresses,
                        unsigned n, const char *why)
{
    char text[ADDRESS_TEXT_LEN];

    ck_assert_ptr_eq(owner, &lookup);
    add(answers, sizeof(answers), family == RACE_IPV6 ? "6" : "4");
    for (unsigned i = 0; i < n && n < 5; i++) {
        address_format(&addresses[i], text);
        add(answers, sizeof(answers), text);
    }
    if (n >= 5) {
        snprintf(text, sizeof(text), "[%u]", n);
        add(answers, sizeof(answers), text);
    }
    if (n == 0)
        add(answers, sizeof(answers), why);
    if (++n_answers == stop_after)
        loop_stop(loop);
}

static void look_up(const char *host)
{
    ck_assert_int_eq(resolver_lookup(resolver, host, 443, note_answer, &lookup, &lookup), 0);
    ck_assert_int_eq(n_answers, 0);
    ck_assert_int_eq(loop_run(loop), 0);
}

START_TEST(addresses_are_their_own_answer)
{
    look_up(_i == 0 ? "192.0.2.7" : "2001:db8::7");
    ck_assert_str_eq(answers, _i == 0 ? "6 the name has no address 4 192.0.2.7:443"
                                      : "6 [2001:db8::7]:443 4 the name has no address");
    ck_assert_str_eq(asked, "");
}
END_TEST

/* RFC 6761, section 6.3: whatever /etc/hosts says or does not say. */
START_TEST(names_of_localhost_are_local)
{
    static const char *const names[] = {"localhost", "localhost.", "feed.localhost",
                                        "A.B.LocalHost", "feed.localhost."};

    look_up(names[_i]);
    ck_assert_ptr_nonnull(strstr(answers, "127.0.0.1:443"));
    ck_assert_ptr_nonnull(strstr(answers, "[::1]:443"));
    ck_assert_str_eq(asked, "");
}
END_TEST

START_TEST(localhost_is_a_whole_label)
{
    answer_a = answer_aaaa = ADDRESS;
    look_up("feed.notlocalhost");
    ck_assert_str_ne(asked, "");
}
END_TEST

START_TEST(both_families_are_asked_for_by_themselves)
{
    answer_a = answer_aaaa = ADDRESS;
    look_up("feed.test");
    ck_assert_ptr_nonnull(strstr(answers, "6 [2001:db8::1]:443"));
    ck_assert_ptr_nonnull(strstr(answers, "4 192.0.2.1:443"));
    ck_assert_ptr_nonnull(strstr(asked, "AAAA:feed.test."));
    ck_assert_ptr_nonnull(strstr(asked, " A:feed.test."));
}
END_TEST

START_TEST(one_family_does_not_wait_for_the_other)
{
    answer_a = ADDRESS;
    answer_aaaa = SILENCE;
    stop_after = 1;
    look_up("feed.test");
    ck_assert_str_eq(answers, "4 192.0.2.1:443");
}
END_TEST

static const struct {
    enum answer answer;
    const char *why;
} failures[] = {
    {NO_DATA, "the name has no address"},
    {NO_NAME, "no such name"},
    {FAILURE, "no name server gives an answer"},
};

START_TEST(absence_is_told_with_its_reason)
{
    char expected[200];

    answer_a = answer_aaaa = failures[_i].answer;
    look_up("feed.test");
    snprintf(expected, sizeof(expected), "4 %s", failures[_i].why);
    ck_assert_msg(strstr(answers, expected) != NULL, "%s", answers);
}
END_TEST

START_TEST(addresses_past_the_limit_are_left_out)
{
    answer_a = MANY_ADDRESSES;
    answer_aaaa = NO_DATA;
    look_up("feed.test");
    ck_assert_msg(strstr(answers, "4 [16]") != NULL, "%s", answers);
}
END_TEST

START_TEST(name_that_cannot_be_asked_for_is_an_answer)
{
    look_up("a..b");
    ck_assert_int_eq(n_answers, 2);
    ck_assert_str_eq(asked, "");
}
END_TEST

static void stop(void *owner)
{
    (void)owner;
    loop_stop(loop);
}

START_TEST(freed_lookup_is_not_answered)
{
    struct timer timer;

    answer_a = answer_aaaa = ADDRESS;
    ck_assert_int_eq(resolver_lookup(resolver, "feed.test", 443, note_answer, &lookup, &lookup), 0);
    lookup = lookup_free(lookup);
    ck_assert_int_eq(timer_init(&timer, loop_clock(loop), stop, NULL), 0);
    timer_start(&timer, 50);
    ck_assert_int_eq(loop_run(loop), 0);
    timer_deinit(&timer);
    ck_assert_int_eq(n_answers, 0);
    ck_assert_str_ne(asked, "");
}
END_TEST

static void free_in_answer(void *owner, enum race_family family, const union address *addresses,
                           unsigned n, const char *why)
{
    note_answer(owner, family, addresses, n, why);
    lookup = lookup_free(lookup);
}

START_TEST(lookup_may_be_freed_in_its_answer)
{
    stop_after = 1;
    ck_assert_int_eq(resolver_lookup(resolver, "192.0.2.7", 443, free_in_answer, &lookup, &lookup),
                     0);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_int_eq(n_answers, 1);
}
END_TEST

START_TEST(resolver_may_go_before_its_questions_are_answered)
{
    ck_assert_int_eq(resolver_lookup(resolver, "feed.test", 443, note_answer, &lookup, &lookup), 0);
    lookup = lookup_free(lookup);
}
END_TEST

static unsigned n_descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* More than a DNS message has numbers for, and nothing is left of them once nobody wants to know. */
START_TEST(any_number_of_questions_is_asked_and_forgotten)
{
    enum { N_LOOKUPS = 33000 };
    struct lookup **lookups = calloc(N_LOOKUPS, sizeof(struct lookup *));
    unsigned n_before = n_descriptors();
    struct timer timer;
    char name[32];

    ck_assert_ptr_nonnull(lookups);
    watch_want(&name_server_watch, 0);
    for (int i = 0; i < N_LOOKUPS; i++) {
        snprintf(name, sizeof(name), "h%d.test", i);
        ck_assert_int_eq(resolver_lookup(resolver, name, 443, note_answer, &lookup, &lookups[i]),
                         0);
    }
    ck_assert_uint_gt(n_descriptors(), n_before + 10);
    for (int i = 0; i < N_LOOKUPS; i++)
        lookup_free(lookups[i]);
    free(lookups);
    ck_assert_int_eq(timer_init(&timer, loop_clock(loop), stop, NULL), 0);
    timer_start(&timer, 0);
    ck_assert_int_eq(loop_run(loop), 0);
    timer_deinit(&timer);
    ck_assert_uint_eq(n_descriptors(), n_before);
    ck_assert_int_eq(n_answers, 0);
}
END_TEST

/* What answers leave in the padding would else make two of one address. */
START_TEST(one_address_is_the_same_whatever_pads_it)
{
    union address x, y, other;

    ck_assert_int_eq(address_parse(&x, "192.0.2.1", 443), 0);
    memset(&y, 0xff, sizeof(y));
    y.v4.sin_family = AF_INET;
    y.v4.sin_port = x.v4.sin_port;
    y.v4.sin_addr = x.v4.sin_addr;
    ck_assert(address_is_same(&x, &y));
    ck_assert_int_eq(address_parse(&other, "192.0.2.2", 443), 0);
    ck_assert(!address_is_same(&x, &other));
    ck_assert_int_eq(address_parse(&other, "192.0.2.1", 444), 0);
    ck_assert(!address_is_same(&x, &other));

    ck_assert_int_eq(address_parse(&x, "2001:db8::1", 443), 0);
    y = x;
    y.v6.sin6_flowinfo = 7;
    ck_assert(address_is_same(&x, &y));
    y.v6.sin6_scope_id = 2;
    ck_assert(!address_is_same(&x, &y));
    ck_assert(!address_is_same(&x, &other));
    ck_assert_int_eq(address_parse(&other, "2001:db8::2", 443), 0);
    ck_assert(!address_is_same(&x, &other));
    ck_assert_int_eq(address_parse(&other, "2001:db8::1", 444), 0);
    ck_assert(!address_is_same(&x, &other));
}
END_TEST

START_TEST(bad_list_of_servers_is_refused)
{
    ck_assert_int_ne(resolver_set_servers(resolver, "not an address"), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("resolver");
    TCase *tcase = unit_case(suite, "resolver");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, addresses_are_their_own_answer, 0, 2);
    tcase_add_loop_test(tcase, names_of_localhost_are_local, 0, 5);
    tcase_add_test(tcase, localhost_is_a_whole_label);
    tcase_add_test(tcase, both_families_are_asked_for_by_themselves);
    tcase_add_test(tcase, one_family_does_not_wait_for_the_other);
    tcase_add_loop_test(tcase, absence_is_told_with_its_reason, 0,
                        sizeof(failures) / sizeof(*failures));
    tcase_add_test(tcase, addresses_past_the_limit_are_left_out);
    tcase_add_test(tcase, name_that_cannot_be_asked_for_is_an_answer);
    tcase_add_test(tcase, freed_lookup_is_not_answered);
    tcase_add_test(tcase, lookup_may_be_freed_in_its_answer);
    tcase_add_test(tcase, resolver_may_go_before_its_questions_are_answered);
    tcase_add_test(tcase, any_number_of_questions_is_asked_and_forgotten);
    tcase_add_test(tcase, one_address_is_the_same_whatever_pads_it);
    tcase_add_test(tcase, bad_list_of_servers_is_refused);
    return suite;
}
