/*
 * test_pulse: silence, pings and answers, every row of the table in daemon/pulse.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/pulse.h"
#include "proto/local/errors.h"
#include "tests/harness/allocation.h"
#include "tests/harness/fake_clock.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <string.h>

enum { INTERVAL = 30000, DEADLINE = 20000 };

static struct fake_clock fake;
static struct pulse pulse;
static uint8_t sent[PULSE_PAYLOAD], last_random;
static unsigned n_pings, n_lost;
static struct failure failure;

static void count_up(void *to, size_t len)
{
    memset(to, ++last_random, len);
}

static void note_ping(void *owner, struct wsp_view payload)
{
    ck_assert_ptr_eq(owner, &pulse);
    ck_assert_uint_eq(payload.len, sizeof(sent));
    memcpy(sent, payload.data, sizeof(sent));
    n_pings++;
}

static void note_lost(void *owner, const struct failure *why)
{
    ck_assert_ptr_eq(owner, &pulse);
    failure = *why;
    n_lost++;
}

static void setup_with(uint64_t interval_ms)
{
    fake_clock_init(&fake, NULL);
    n_pings = n_lost = 0;
    ck_assert_int_eq(pulse_init(&pulse, &fake.clock, interval_ms, DEADLINE, count_up, note_ping,
                                note_lost, &pulse),
                     0);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
    pulse_start(&pulse);
}

static void setup(void)
{
    setup_with(INTERVAL);
}

static void teardown(void)
{
    pulse_deinit(&pulse);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
}

static struct wsp_view payload_sent(void)
{
    return (struct wsp_view){sent, sizeof(sent)};
}

static void ping_is_sent(void)
{
    fake_clock_advance(&fake, INTERVAL);
    pulse_wrote(&pulse, true);
}

START_TEST(ping_comes_after_the_interval)
{
    fake_clock_advance(&fake, INTERVAL - 1);
    ck_assert_uint_eq(n_pings, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_pings, 1);
}
END_TEST

START_TEST(no_ping_while_something_comes)
{
    for (int i = 0; i < 10; i++) {
        fake_clock_advance(&fake, INTERVAL - 1);
        pulse_heard(&pulse);
    }
    ck_assert_uint_eq(n_pings, 0);
    fake_clock_advance(&fake, INTERVAL - 1);
    ck_assert_uint_eq(n_pings, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_pings, 1);
}
END_TEST

START_TEST(bytes_that_come_start_no_timer)
{
    fake_clock_advance(&fake, 10);
    pulse_heard(&pulse);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), INTERVAL - 10);
}
END_TEST

START_TEST(silence_after_the_ping_is_the_end)
{
    ping_is_sent();
    fake_clock_advance(&fake, DEADLINE - 1);
    ck_assert_uint_eq(n_lost, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_lost, 1);
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_LOST);
    ck_assert_str_eq(failure.text, "the server is silent, and for 20000 ms not a word after a ping "
                                   "either (pong-timeout)");
    fake_clock_advance(&fake, 1000000);
    ck_assert_uint_eq(n_lost + n_pings, 2);
}
END_TEST

START_TEST(any_byte_is_life)
{
    uint64_t ms;

    ping_is_sent();
    fake_clock_advance(&fake, DEADLINE - 1);
    pulse_heard(&pulse);
    fake_clock_advance(&fake, INTERVAL - 1);
    ck_assert_uint_eq(n_lost, 0);
    ck_assert_uint_eq(n_pings, 1);
    ck_assert(!pulse_round_trip(&pulse, &ms));
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_pings, 2);
}
END_TEST

START_TEST(pong_tells_the_round_trip)
{
    uint64_t ms = 0;

    ping_is_sent();
    fake_clock_advance(&fake, 120);
    pulse_heard(&pulse);
    pulse_ponged(&pulse, payload_sent());
    ck_assert(pulse_round_trip(&pulse, &ms));
    ck_assert_uint_eq(ms, 120);
    /* The same again is none. */
    fake_clock_advance(&fake, 100);
    pulse_ponged(&pulse, payload_sent());
    pulse_round_trip(&pulse, &ms);
    ck_assert_uint_eq(ms, 120);
    ping_is_sent();
    fake_clock_advance(&fake, 80);
    pulse_heard(&pulse);
    pulse_ponged(&pulse, payload_sent());
    pulse_round_trip(&pulse, &ms);
    ck_assert_uint_eq(ms, 80);
    ck_assert_uint_eq(n_lost, 0);
}
END_TEST

START_TEST(payloads_differ)
{
    uint8_t first[PULSE_PAYLOAD];

    ping_is_sent();
    memcpy(first, sent, sizeof(first));
    pulse_heard(&pulse);
    ping_is_sent();
    ck_assert_uint_eq(n_pings, 2);
    ck_assert_int_ne(memcmp(first, sent, sizeof(first)), 0);
}
END_TEST

/* RFC 6455, section 5.5.3: a pong may come unasked, and an answer has the payload of its ping. */
START_TEST(pongs_of_other_payload_tell_nothing)
{
    uint8_t old[PULSE_PAYLOAD];
    uint64_t ms;

    pulse_ponged(&pulse, (struct wsp_view){0});
    ping_is_sent();
    memcpy(old, sent, sizeof(old));
    pulse_heard(&pulse);
    ping_is_sent();
    pulse_ponged(&pulse, (struct wsp_view){old, sizeof(old)});
    pulse_ponged(&pulse, (struct wsp_view){sent, sizeof(sent) - 1});
    pulse_ponged(&pulse, (struct wsp_view){0});
    ck_assert(!pulse_round_trip(&pulse, &ms));
    pulse_ponged(&pulse, payload_sent());
    ck_assert(pulse_round_trip(&pulse, &ms));
}
END_TEST

START_TEST(pong_to_a_ping_that_has_not_gone_is_none)
{
    uint64_t ms;

    fake_clock_advance(&fake, INTERVAL);
    pulse_ponged(&pulse, payload_sent());
    ck_assert(!pulse_round_trip(&pulse, &ms));
}
END_TEST

/* A long message goes before the ping, over a slow line. */
START_TEST(ping_that_waits_has_time_while_bytes_go)
{
    fake_clock_advance(&fake, INTERVAL);
    for (int i = 0; i < 10; i++) {
        fake_clock_advance(&fake, DEADLINE - 1);
        pulse_wrote(&pulse, false);
    }
    fake_clock_advance(&fake, DEADLINE - 1);
    pulse_wrote(&pulse, true);
    fake_clock_advance(&fake, DEADLINE - 1);
    ck_assert_uint_eq(n_lost, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_lost, 1);
    ck_assert_ptr_nonnull(strstr(failure.text, "after a ping"));
}
END_TEST

START_TEST(server_that_takes_nothing_is_lost)
{
    fake_clock_advance(&fake, INTERVAL + DEADLINE - 1);
    ck_assert_uint_eq(n_lost, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_lost, 1);
    ck_assert_ptr_nonnull(strstr(failure.text, "takes nothing"));
}
END_TEST

START_TEST(ping_that_waits_and_a_byte_that_comes)
{
    fake_clock_advance(&fake, INTERVAL);
    pulse_heard(&pulse);
    pulse_wrote(&pulse, true);
    fake_clock_advance(&fake, DEADLINE + 1);
    ck_assert_uint_eq(n_lost, 0);
}
END_TEST

/* What has come lies unread: neither silence nor the deadline can be known. */
START_TEST(nothing_runs_while_the_server_is_not_read)
{
    pulse_rest(&pulse, true);
    fake_clock_advance(&fake, 10 * INTERVAL);
    ck_assert_uint_eq(n_pings, 0);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
    pulse_rest(&pulse, false);
    fake_clock_advance(&fake, INTERVAL - 1);
    ck_assert_uint_eq(n_pings, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_pings, 1);
    pulse_wrote(&pulse, true);
    pulse_rest(&pulse, true);
    fake_clock_advance(&fake, 10 * DEADLINE);
    pulse_rest(&pulse, false);
    fake_clock_advance(&fake, DEADLINE - 1);
    ck_assert_uint_eq(n_lost, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_lost, 1);
}
END_TEST

START_TEST(rest_before_the_start_holds)
{
    pulse_stop(&pulse);
    pulse_rest(&pulse, true);
    pulse_start(&pulse);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
    pulse_rest(&pulse, false);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), INTERVAL);
}
END_TEST

START_TEST(stopped_pulse_is_still)
{
    ping_is_sent();
    pulse_stop(&pulse);
    pulse_heard(&pulse);
    pulse_wrote(&pulse, true);
    pulse_rest(&pulse, true);
    pulse_rest(&pulse, false);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
}
END_TEST

START_TEST(without_an_interval_there_is_no_ping)
{
    setup_with(0);
    pulse_rest(&pulse, true);
    pulse_rest(&pulse, false);
    pulse_heard(&pulse);
    pulse_wrote(&pulse, false);
    fake_clock_advance(&fake, 100 * INTERVAL);
    ck_assert_uint_eq(n_pings + n_lost, 0);
    teardown();
}
END_TEST

START_TEST(no_memory_is_told)
{
    int r;

    fake_clock_init(&fake, NULL);
    allocation_fail_after(0);
    r = pulse_init(&pulse, &fake.clock, 1, 1, count_up, note_ping, note_lost, &pulse);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    pulse_deinit(&pulse);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pulse");
    TCase *beats = unit_case(suite, "beats");
    TCase *none = unit_case(suite, "none");

    tcase_add_checked_fixture(beats, setup, teardown);
    tcase_add_test(beats, ping_comes_after_the_interval);
    tcase_add_test(beats, no_ping_while_something_comes);
    tcase_add_test(beats, bytes_that_come_start_no_timer);
    tcase_add_test(beats, silence_after_the_ping_is_the_end);
    tcase_add_test(beats, any_byte_is_life);
    tcase_add_test(beats, pong_tells_the_round_trip);
    tcase_add_test(beats, payloads_differ);
    tcase_add_test(beats, pongs_of_other_payload_tell_nothing);
    tcase_add_test(beats, pong_to_a_ping_that_has_not_gone_is_none);
    tcase_add_test(beats, ping_that_waits_has_time_while_bytes_go);
    tcase_add_test(beats, server_that_takes_nothing_is_lost);
    tcase_add_test(beats, ping_that_waits_and_a_byte_that_comes);
    tcase_add_test(beats, nothing_runs_while_the_server_is_not_read);
    tcase_add_test(beats, rest_before_the_start_holds);
    tcase_add_test(beats, stopped_pulse_is_still);
    tcase_add_test(none, without_an_interval_there_is_no_ping);
    tcase_add_test(none, no_memory_is_told);
    return suite;
}
