/*
 * test_reconnect: persistent shares: what heals and what does not, when the next attempt comes, planned renewal.
 *
 * Between the scripted programs and scripted servers of tests/harness/stage. Promise 8 of sharing of the design.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>

#include "daemon/limits.h"
#include "tests/harness/allocation.h"
#include "tests/harness/persistent.h"
#include "tests/harness/unit.h"

static struct persistent *p;

static void setup(void)
{
    p = persistent_init();
}

static void teardown(void)
{
    persistent_deinit();
}

/* --- what heals --- */

static const struct {
    uint16_t cause, http_status, code;
    uint32_t retry_after;
    bool is_lasting, heals;
} endings[] = {
    {.cause = WSP_CAUSE_RESOLVE, .heals = true},
    {.cause = WSP_CAUSE_CONNECT, .heals = true},
    {.cause = WSP_CAUSE_TLS, .heals = true},
    {.cause = WSP_CAUSE_TLS, .is_lasting = true},
    {.cause = WSP_CAUSE_TIMEOUT, .heals = true},
    {.cause = WSP_CAUSE_PROTOCOL, .heals = true},
    {.cause = WSP_CAUSE_LOST, .heals = true},
    {.cause = WSP_CAUSE_TOO_BIG, .heals = true},
    {.cause = WSP_CAUSE_INTERNAL, .heals = true},
    {.cause = WSP_CAUSE_CREDENTIAL, .heals = true},
    {.cause = WSP_CAUSE_DESTINATION, .heals = true},
    {.cause = WSP_CAUSE_PROXY, .heals = true},
    {.cause = WSP_CAUSE_PROXY, .http_status = 407},
    {.cause = WSP_CAUSE_PROXY, .http_status = 502, .heals = true},
    {.cause = WSP_CAUSE_HEADER},
    {.cause = WSP_CAUSE_URL},
    {.cause = WSP_CAUSE_ACCESS},
    {.cause = WSP_CAUSE_QUOTA},
    {.cause = WSP_CAUSE_HANDSHAKE, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 200, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 301},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 302, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 307, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 308},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 400},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 401},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 401, .retry_after = 3, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 403},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 404},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 408, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 409, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 410},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 413, .retry_after = 1, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 418},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 421, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 423, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 425, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 426},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 429, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 451},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 500, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 501},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 502, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 503, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 504, .heals = true},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 505},
    {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 511, .heals = true},
    {.code = 1000, .heals = true},
    {.code = 1001, .heals = true},
    {.code = 1003, .heals = true},
    {.code = 1005, .heals = true},
    {.code = 1008},
    {.code = 1011, .heals = true},
    {.code = 1012, .heals = true},
    {.code = 3999, .heals = true},
    {.code = 4000},
    {.code = 4001},
    {.code = 4002},
    {.code = 4003, .heals = true},
};

enum { N_ENDINGS = N_OF(endings) };

static struct ending ending_of(int i)
{
    struct ending ending = {.code = endings[i].code, .was_clean = endings[i].cause == 0};

    if (endings[i].cause != 0) {
        ending.code = 1006;
        failure_set(&ending.failure, endings[i].cause, endings[i].http_status, "scripted");
        ending.failure.retry_after = endings[i].retry_after;
        ending.failure.is_lasting = endings[i].is_lasting;
    }
    return ending;
}

/* What every program hears when it is over. */
static const char *last_words(int i)
{
    static char text[64];

    if (endings[i].cause != 0)
        snprintf(text, sizeof(text), "error(%s) close(1006)",
                 wsp_cause_to_string(endings[i].cause));
    else
        snprintf(text, sizeof(text), "close(clean %u)", endings[i].code);
    return text;
}

/* Loop test: each ending, of a connection that was open; without persist, with it shared, and private. */
START_TEST(an_open_one_comes_back_if_that_heals)
{
    enum stage_sharing sharing = _i / N_ENDINGS == 2 ? STAGE_PRIVATE : STAGE_SHARED;
    int i = _i % N_ENDINGS;
    struct ending ending = ending_of(i);
    struct upstream *peer;
    char expected[64];

    p->is_persistent = _i / N_ENDINGS > 0;
    peer = persistent_a_is_open(sharing);
    peer_ends_as(peer, &ending);
    stage_turn(&p->stage);
    ck_assert(peer->is_freed);
    if (p->is_persistent && endings[i].heals) {
        snprintf(expected, sizeof(expected), "interrupted(%s)",
                 endings[i].cause != 0 ? wsp_cause_to_string(endings[i].cause) : "server-closed");
        ck_assert_str_eq(program_heard(&p->a), expected);
        ck_assert_int_eq(p->a.channel.state, CHANNEL_OPEN);
        persistent_attempt_after(UINT64_C(1000) * endings[i].retry_after);
        peer_opens(stage_peer(&p->stage), "v1");
        peer_sends(stage_peer(&p->stage), "news");
        stage_turn(&p->stage);
        ck_assert_str_eq(program_heard(&p->a), "resumed news");
    } else {
        ck_assert_str_eq(program_heard(&p->a), last_words(i));
        ck_assert_uint_eq(fake_clock_next_ms(&p->stage.clock), UINT64_MAX);
    }
}
END_TEST

/* Loop test: each ending of the first attempt. A program of a persistent endpoint waits. */
START_TEST(the_first_attempt_is_tried_again_if_that_heals)
{
    int i = _i % N_ENDINGS;
    struct ending ending = ending_of(i);

    p->is_persistent = _i / N_ENDINGS > 0;
    if (endings[i].cause == 0)
        return;
    persistent_opens(&p->a, STAGE_SHARED);
    peer_ends_as(stage_peer(&p->stage), &ending);
    stage_turn(&p->stage);
    if (p->is_persistent && endings[i].heals) {
        ck_assert_str_eq(program_heard(&p->a), "");
        ck_assert_int_eq(persistent_state_of(&p->a), SHARE_CONNECTING);
        persistent_attempt_after(UINT64_C(1000) * endings[i].retry_after);
        peer_opens(stage_peer(&p->stage), "v1");
        stage_turn(&p->stage);
        ck_assert_str_eq(program_heard(&p->a), "open(v1)");
    } else {
        ck_assert_str_eq(program_heard(&p->a), last_words(i));
    }
}
END_TEST

/* Loop test: each ending of an attempt to come back. */
START_TEST(what_was_away_goes_on_trying_if_that_heals)
{
    struct ending ending = ending_of(_i);

    if (endings[_i].cause == 0)
        return;
    persistent_cut(persistent_a_is_open(STAGE_SHARED));
    ck_assert_str_eq(program_heard(&p->a), "interrupted(lost)");
    peer_ends_as(persistent_again(), &ending);
    stage_turn(&p->stage);
    if (endings[_i].heals) {
        ck_assert_str_eq(program_heard(&p->a), "");
        persistent_attempt_after(UINT64_C(1000) * endings[_i].retry_after);
        peer_opens(stage_peer(&p->stage), "v1");
        stage_turn(&p->stage);
        ck_assert_str_eq(program_heard(&p->a), "resumed");
    } else {
        ck_assert_str_eq(program_heard(&p->a), last_words(_i));
    }
}
END_TEST

/* A server's Close comes before the end of the stream: nobody is told before it is known what it was. */
START_TEST(a_close_is_not_told_before_it_has_ended)
{
    struct upstream *peer = persistent_a_is_open(STAGE_SHARED);

    peer_starts_closing(peer);
    persistent_opens(&p->b, STAGE_SHARED);
    ck_assert_ptr_eq(p->a.channel.share, p->b.channel.share);
    ck_assert_int_eq(program_sends(&p->a, "late"), 0);
    stage_turn(&p->stage);
    ck_assert_ptr_null(peer_takes(peer));
    ck_assert_str_eq(program_heard(&p->a), "");
    peer_ends(peer, true, 1001, "bye");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "interrupted(server-closed)");
    ck_assert_str_eq(program_heard(&p->b), "");
    peer_opens(persistent_again(), "v1");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "resumed");
    ck_assert_str_eq(program_heard(&p->b), "open(v1)");
    ck_assert_str_eq(peer_receives(stage_peer(&p->stage)), "late");
}
END_TEST

START_TEST(another_subprotocol_is_final)
{
    struct upstream *peer;

    persistent_cut(persistent_a_is_open(STAGE_SHARED));
    persistent_opens(&p->b, STAGE_SHARED);
    program_heard(&p->a);
    peer = persistent_again();
    peer_opens(peer, "v2");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "error(handshake) close(1006)");
    ck_assert_str_eq(program_heard(&p->b), "error(handshake) close(1006)");
    ck_assert(peer->is_close_asked);
    ck_assert_uint_eq(peer->close_code, 1000);
    peer_ends(peer, true, 1000, "");
    stage_turn(&p->stage);
    ck_assert(peer->is_freed);
}
END_TEST

/* --- when --- */

static void fails(void)
{
    peer_fails(stage_peer(&p->stage), WSP_CAUSE_CONNECT);
}

START_TEST(delays_double_up_to_the_greatest)
{
    static const uint64_t bounds[] = {1000, 2000, 4000, 8000, 8000, 8000};

    persistent_opens(&p->a, STAGE_SHARED);
    for (size_t i = 0; i < N_OF(bounds); i++) {
        p->bits = bounds[i]; /* the longest that it may be */
        fails();
        persistent_attempt_after(bounds[i]);
    }
    for (size_t i = 0; i < 100; i++) {
        p->bits = MAX_MS + 1; /* one more is nothing at all again */
        fails();
        persistent_attempt_after(0);
    }
}
END_TEST

START_TEST(a_delay_is_as_random_as_it_is_told)
{
    static const uint64_t delays[] = {0, 1, 17, 500, 999, 1000};

    persistent_opens(&p->a, STAGE_SHARED);
    p->bits = delays[_i];
    fails();
    persistent_attempt_after(delays[_i]);
}
END_TEST

/* Loop test: the series goes on after a connection that did not stay up for long enough, and begins anew after one that
 * did. */
START_TEST(delays_begin_anew_after_min_uptime)
{
    uint64_t up_ms = _i == 0 ? UPTIME_MS - 1 : UPTIME_MS;

    persistent_opens(&p->a, STAGE_SHARED);
    for (int i = 0; i < 2; i++) {
        p->bits = 0;
        fails();
        persistent_attempt_after(0);
    }
    peer_opens(stage_peer(&p->stage), "");
    stage_wait(&p->stage, up_ms);
    p->bits = _i == 0 ? 4 * MIN_MS : MIN_MS;
    peer_fails(stage_peer(&p->stage), WSP_CAUSE_LOST);
    persistent_attempt_after(p->bits);
    p->bits *= 2;
    fails();
    persistent_attempt_after(p->bits);
}
END_TEST

/* Loop test: Retry-After comes before the random delay, as far as it goes. */
START_TEST(retry_after_is_the_least)
{
    static const uint32_t asked[] = {1, 30, MAX_RETRY_AFTER_S, MAX_RETRY_AFTER_S + 1, UINT32_MAX};
    static const uint32_t heeded[] = {1, 30, MAX_RETRY_AFTER_S, MAX_RETRY_AFTER_S,
                                      MAX_RETRY_AFTER_S};
    struct ending ending = {.code = 1006};

    persistent_opens(&p->a, STAGE_SHARED);
    failure_set(&ending.failure, WSP_CAUSE_HANDSHAKE, 503, "busy");
    ending.failure.retry_after = asked[_i];
    p->bits = 700;
    peer_ends_as(stage_peer(&p->stage), &ending);
    ck_assert_uint_eq(reconnect_wait_ms(p->a.channel.share), UINT64_C(1000) * heeded[_i] + 700);
    persistent_attempt_after(UINT64_C(1000) * heeded[_i] + 700);
}
END_TEST

/* Many that lose the same server come back at times of their own. */
START_TEST(a_crowd_is_spread)
{
    enum { N = 200 };
    static struct program programs[N];
    unsigned n_before = 0;
    char url[64];

    for (unsigned i = 0; i < N; i++) {
        snprintf(url, sizeof(url), "wss://feed.example/%u", i);
        ck_assert_int_eq(program_opens(&programs[i], &p->stage, STAGE_UID, url, STAGE_SHARED), 0);
        peer_opens(stage_peer(&p->stage), "");
    }
    for (unsigned i = 0; i < N; i++) {
        p->bits = i * UINT64_C(0x9e3779b97f4a7c15) >> 11;
        peer_fails(p->stage.peers[i], WSP_CAUSE_LOST);
    }
    for (unsigned tenth = 0; tenth < 10; tenth++) {
        unsigned n = p->stage.n_peers;

        stage_wait(&p->stage, MIN_MS / 10);
        ck_assert_uint_ge(p->stage.n_peers - n, N / 40);
        ck_assert_uint_le(p->stage.n_peers - n, N / 5);
        n_before += p->stage.n_peers - n;
    }
    stage_wait(&p->stage, 1);
    ck_assert_uint_eq(p->stage.n_peers, 2 * N);
    ck_assert_uint_ge(n_before, N - 5);
    for (unsigned i = 0; i < N; i++)
        program_deinit(&programs[i]);
}
END_TEST

/* --- planned renewal --- */

/* Loop test: never later than asked for, and at most a tenth earlier. */
START_TEST(it_is_renewed_in_time)
{
    static const uint64_t early[] = {0, 1, 5000, 10000};
    struct upstream *peer;

    p->rotate_ms = 100000;
    p->bits = early[_i];
    peer = persistent_a_is_open(STAGE_SHARED);
    stage_wait(&p->stage, p->rotate_ms - early[_i] - 1);
    ck_assert(!peer->is_close_asked);
    stage_wait(&p->stage, 1);
    ck_assert(peer->is_close_asked);
    ck_assert_uint_eq(peer->close_code, 1000);
}
END_TEST

START_TEST(a_renewal_loses_nothing_and_tells_it)
{
    struct upstream *peer;

    p->rotate_ms = 100000;
    peer = persistent_a_is_open(STAGE_SHARED);
    stage_wait(&p->stage, p->rotate_ms);
    peer_sends(peer, "before its Close");
    ck_assert_int_eq(program_sends(&p->a, "meanwhile"), 0);
    ck_assert_ptr_null(peer_takes(peer));
    peer_ends(peer, true, 1000, "");
    p->bits = MIN_MS;
    persistent_attempt_after(0);
    ck_assert_str_eq(program_heard(&p->a), "before its Close interrupted(planned)");
    peer = stage_peer(&p->stage);
    peer_opens(peer, "v1");
    peer_sends(peer, "after");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "resumed after");
    ck_assert_str_eq(peer_receives(peer), "meanwhile");
    /* And again: the time counts from the new connection. */
    p->bits = 0;
    stage_wait(&p->stage, p->rotate_ms - MIN_MS - 1);
    ck_assert(!peer->is_close_asked);
    stage_wait(&p->stage, MIN_MS + 1);
    ck_assert(peer->is_close_asked);
}
END_TEST

/* However the old one ends, as long as it was the daemon that closed it: it comes back at once. */
START_TEST(a_renewal_comes_back_whatever_the_server_says)
{
    struct ending ending = ending_of(_i);

    p->rotate_ms = 100000;
    persistent_a_is_open(STAGE_SHARED);
    stage_wait(&p->stage, p->rotate_ms);
    peer_ends_as(stage_peer(&p->stage), &ending);
    persistent_attempt_after(0);
}
END_TEST

/* It has stayed up for as long as it was to: with a rotate shorter than min-uptime the delays would never begin anew. */
START_TEST(a_renewal_begins_the_delays_anew)
{
    p->rotate_ms = UPTIME_MS / 2;
    persistent_opens(&p->a, STAGE_SHARED);
    for (int i = 0; i < 2; i++) {
        fails();
        persistent_attempt_after(0);
    }
    peer_opens(stage_peer(&p->stage), "");
    stage_wait(&p->stage, p->rotate_ms);
    peer_ends(stage_peer(&p->stage), true, 1000, "");
    persistent_attempt_after(0);
    peer_opens(stage_peer(&p->stage), "");
    p->bits = 4 * MIN_MS; /* within the third bound, and beyond the first */
    peer_fails(stage_peer(&p->stage), WSP_CAUSE_LOST);
    persistent_attempt_after(p->bits % (MIN_MS + 1));
}
END_TEST

/* --- no memory --- */

/* Away for MIN_MS, with an upstream that was open before. */
static void goes_away(void)
{
    p->bits = MIN_MS;
    persistent_cut(stage_peer(&p->stage));
    ck_assert_str_eq(program_heard(&p->a), "interrupted(lost)");
}

/* Open again, and for so long that the delays begin anew. */
static void stays_up(void)
{
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "resumed");
    stage_wait(&p->stage, UPTIME_MS);
}

/* The first, second and so on allocation fails, until there are no more. */
START_TEST(without_memory_an_attempt_has_failed)
{
    bool has_failed = true;
    size_t n;

    persistent_a_is_open(STAGE_SHARED);
    for (n = 0; has_failed; n++) {
        unsigned n_peers = p->stage.n_peers;

        goes_away();
        allocation_fail_after(n);
        stage_wait(&p->stage, MIN_MS);
        has_failed = allocation_disarm();
        ck_assert_uint_eq(p->stage.n_peers, has_failed ? n_peers : n_peers + 1);
        ck_assert_int_eq(persistent_state_of(&p->a), SHARE_RECONNECTING);
        if (has_failed)
            persistent_attempt_after(MIN_MS);
        peer_opens(stage_peer(&p->stage), "v1");
        stays_up();
    }
    ck_assert_uint_gt(n, 1);
}
END_TEST

START_TEST(without_memory_it_is_not_open_again)
{
    bool has_failed = true;
    size_t n;

    persistent_a_is_open(STAGE_SHARED);
    for (n = 0; has_failed; n++) {
        struct share *share = p->a.channel.share;
        int r;

        goes_away();
        persistent_attempt_after(MIN_MS);
        allocation_fail_after(n);
        r = share_opened(share, WSP_VIEW_LITERAL("v1"), WSP_VIEW_LITERAL("e"));
        has_failed = allocation_disarm();
        ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
        if (has_failed) {
            peer_fails(stage_peer(&p->stage), WSP_CAUSE_INTERNAL);
            stage_turn(&p->stage);
            ck_assert_str_eq(program_heard(&p->a), "");
            persistent_attempt_after(MIN_MS);
            peer_opens(stage_peer(&p->stage), "v1");
        }
        stays_up();
    }
    ck_assert_uint_gt(n, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("reconnect");
    TCase *heals = unit_case(suite, "heals");
    TCase *when = unit_case(suite, "when");
    TCase *renewal = unit_case(suite, "renewal");
    TCase *memory = unit_case(suite, "memory");
    TCase *cases[] = {heals, when, renewal, memory};

    for (size_t i = 0; i < N_OF(cases); i++)
        tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_add_loop_test(heals, an_open_one_comes_back_if_that_heals, 0, 3 * N_ENDINGS);
    tcase_add_loop_test(heals, the_first_attempt_is_tried_again_if_that_heals, 0, 2 * N_ENDINGS);
    tcase_add_loop_test(heals, what_was_away_goes_on_trying_if_that_heals, 0, N_ENDINGS);
    tcase_add_test(heals, a_close_is_not_told_before_it_has_ended);
    tcase_add_test(heals, another_subprotocol_is_final);
    tcase_add_test(when, delays_double_up_to_the_greatest);
    tcase_add_loop_test(when, a_delay_is_as_random_as_it_is_told, 0, 6);
    tcase_add_loop_test(when, delays_begin_anew_after_min_uptime, 0, 2);
    tcase_add_loop_test(when, retry_after_is_the_least, 0, 5);
    tcase_add_test(when, a_crowd_is_spread);
    tcase_add_loop_test(renewal, it_is_renewed_in_time, 0, 4);
    tcase_add_test(renewal, a_renewal_loses_nothing_and_tells_it);
    tcase_add_test(renewal, a_renewal_begins_the_delays_anew);
    tcase_add_loop_test(renewal, a_renewal_comes_back_whatever_the_server_says, 0, N_ENDINGS);
    tcase_add_test(memory, without_memory_an_attempt_has_failed);
    tcase_add_test(memory, without_memory_it_is_not_open_again);
    return suite;
}
