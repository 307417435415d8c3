/*
 * test_dropping: programs that do not keep up and lose messages for it: which ones, by each policy, and where they are
 * told so.
 *
 * Between the scripted programs and the scripted server of tests/harness/stage. Promise 6 of sharing of the design.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/shedding.h"
#include "tests/harness/allocation.h"
#include "tests/harness/sharing_story.h"

#define OTHER (STAGE_UID + 1)

static unsigned n_sent;

/* Three messages may wait behind the one that is read. */
static void setup(void)
{
    story_begins();
    stage.queue_messages = 3;
    n_sent = 0;
}

static void opens_as(struct program *program, enum slow_consumer policy)
{
    stage.slow_consumer = policy;
    opens(program, STAGE_SHARED);
}

/* a, whose policy it is; b keeps up. */
static void a_stops_reading(enum slow_consumer policy)
{
    opens_as(&a, policy);
    opens_as(&b, SLOW_DISCONNECT);
    peer_opens(peer, "");
    stage_turn(&stage);
    program_heard(&a);
    program_heard(&b);
    program_stops_reading(&a);
}

static void arrives(const char *text)
{
    peer_sends(peer, text);
    stage_turn(&stage);
}

/* "1", "2", "3" ..., each in a turn of its own. */
static void sends_messages(unsigned n)
{
    char text[16];

    for (unsigned i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "%u", ++n_sent);
        arrives(text);
    }
}

/* What it has heard when it has read n more. */
static const char *a_hears(unsigned n)
{
    program_reads(&a, n);
    stage_turn(&stage);
    program_stops_reading(&a);
    return program_heard(&a);
}

static const char *a_hears_all(void)
{
    return a_hears(UINT_MAX);
}

static void interrupts(void)
{
    struct share *share = peer->share;

    log_interrupt(&share->log);
    failure_set(&share->interruption, WSP_CAUSE_LOST, 0, "scripted");
    LIST_FOR_EACH (node, &share->channels)
        channel_interrupted(LIST_ENTRY(node, struct channel, share_link));
}

static void resumes(uint8_t id)
{
    uint8_t epoch[LOG_EPOCH_LEN] = {id};

    ck_assert_int_eq(log_begin_epoch(&peer->share->log, epoch), 0);
    LIST_FOR_EACH (node, &peer->share->channels)
        channel_resumed(LIST_ENTRY(node, struct channel, share_link));
}

/* --- at the bound --- */

/* Loop test: one for each policy. */
START_TEST(at_the_bound_nothing_is_lost)
{
    a_stops_reading((enum slow_consumer)_i);
    sends_messages(4);
    ck_assert_uint_eq(channel_lag_messages(&a.channel), 4);
    ck_assert_uint_eq(a.channel.backlog.n_items, 0);
    ck_assert_str_eq(a_hears_all(), "1 2 3 4");
    ck_assert_uint_eq(a.n_missed, 0);
}
END_TEST

static const struct {
    enum slow_consumer policy;
    unsigned begun; /* bytes of the first message that are out; 0: it has not begun */
    const char *heard;
} pasts[] = {
    {SLOW_DROP_OLDEST, 0, "gap(slow-consumer 4) 5 6 7 8"},
    {SLOW_DROP_OLDEST, 1, "1 gap(slow-consumer 4) 6 7 8"},
    {SLOW_DROP_NEWEST, 0, "1 2 3 4 gap(slow-consumer 4)"},
    {SLOW_DROP_NEWEST, 1, "1 2 3 4 gap(slow-consumer 4)"},
    {SLOW_CONFLATE, 0, "gap(slow-consumer 7) 8"},
    {SLOW_CONFLATE, 1, "1 gap(slow-consumer 6) 8"},
};

START_TEST(past_the_bound)
{
    a_stops_reading(pasts[_i].policy);
    sends_messages(1);
    if (pasts[_i].begun > 0)
        channel_began(&a.channel, pasts[_i].begun);
    sends_messages(7);
    ck_assert_uint_eq(a.channel.offset, pasts[_i].begun);
    ck_assert_str_eq(a_hears_all(), pasts[_i].heard);
    ck_assert_uint_eq(a.n_missed + a.n_heard, 8);
    ck_assert_uint_eq(a.channel.backlog.n_dropped, a.n_missed);
    sends_messages(2);
    ck_assert_str_eq(a_hears_all(), "9 10"); /* the gap is told once */
    ck_assert_uint_eq(b.n_heard, 10);
    ck_assert_uint_eq(peer->n_pauses, 0);
    ck_assert_uint_eq(a.n_cuts, 0);
}
END_TEST

/* A burst within one turn ends as if it had come one by one. */
START_TEST(past_the_bound_in_one_turn)
{
    char text[4];

    a_stops_reading(pasts[_i].policy);
    for (unsigned i = 1; i <= 8; i++) {
        snprintf(text, sizeof(text), "%u", i);
        peer_sends(peer, text);
        if (i == 1 && pasts[_i].begun > 0)
            channel_began(&a.channel, pasts[_i].begun);
    }
    stage_turn(&stage);
    ck_assert_str_eq(a_hears_all(), pasts[_i].heard);
}
END_TEST

/* The bytes are a bound as well: what holds each message counts too. */
START_TEST(past_the_bound_in_bytes)
{
    struct entry entry = {.len = 1};

    stage.queue_messages = 1000;
    stage.queue_bytes = 3 * entry_cost(&entry);
    a_stops_reading(pasts[_i].policy);
    sends_messages(1);
    if (pasts[_i].begun > 0)
        channel_began(&a.channel, pasts[_i].begun);
    sends_messages(7);
    ck_assert_str_eq(a_hears_all(), pasts[_i].heard);
}
END_TEST

START_TEST(open_is_told_before_what_was_lost)
{
    a_stops_reading(SLOW_DISCONNECT);
    opens_as(&c, SLOW_DROP_OLDEST);
    program_stops_reading(&c);
    sends_messages(4);
    ck_assert_int_eq(a.channel.state, CHANNEL_OPEN);
    sends_messages(2);
    program_reads(&c, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "open gap(slow-consumer 2) 3 4 5 6");
}
END_TEST

/* The picture of doc/sharing.md. */
static const struct {
    enum slow_consumer policy;
    const char *key, *heard;
} pictures[] = {
    {SLOW_DROP_OLDEST, NULL, "a1 gap(slow-consumer 5) b3 c2 a4"},
    {SLOW_DROP_NEWEST, NULL, "a1 b1 a2 c1 gap(slow-consumer 5)"},
    {SLOW_CONFLATE, "prefix:1", "a1 gap(slow-consumer 5) b3 c2 a4"},
    {SLOW_CONFLATE, NULL, "a1 gap(slow-consumer 7) a4"},
};

START_TEST(as_in_the_picture)
{
    stage.conflate_key = pictures[_i].key;
    a_stops_reading(pictures[_i].policy);
    arrives("a1");
    channel_began(&a.channel, 1);
    for (const char *text = "b1\0a2\0c1\0b2\0a3\0b3\0c2\0a4\0"; *text != '\0'; text += 3)
        arrives(text);
    ck_assert_str_eq(a_hears_all(), pictures[_i].heard);
    ck_assert_str_eq(program_heard(&b), "a1 b1 a2 c1 b2 a3 b3 c2 a4");
}
END_TEST

START_TEST(ones_own_upstream_is_never_paused_for_it)
{
    stage.slow_consumer = SLOW_DROP_OLDEST;
    a_is_open(STAGE_PRIVATE);
    program_stops_reading(&a);
    sends_messages(100);
    ck_assert_uint_eq(peer->n_pauses, 0);
    ck_assert_str_eq(a_hears_all(), "gap(slow-consumer 96) 97 98 99 100");
}
END_TEST

START_TEST(policies_differ_on_one_upstream)
{
    a_stops_reading(SLOW_DROP_OLDEST);
    opens_as(&c, SLOW_DROP_NEWEST);
    program_stops_reading(&b);
    stage_turn(&stage);
    program_stops_reading(&c);
    sends_messages(8);
    program_reads(&b, UINT_MAX);
    program_reads(&c, UINT_MAX);
    ck_assert_str_eq(a_hears_all(), "gap(slow-consumer 4) 5 6 7 8");
    ck_assert_str_eq(program_heard(&b), "error(slow-consumer) close(1006)");
    ck_assert_str_eq(program_heard(&c), "open 1 2 3 4 gap(slow-consumer 4)");
}
END_TEST

/* However long one has stopped, what is held for it is bounded. */
START_TEST(nothing_grows)
{
    struct entry entry = {.len = 100};
    uint64_t most = 0;

    stage.queue_messages = 50;
    a_stops_reading((enum slow_consumer)_i);
    for (int i = 0; i < 5000; i++) {
        peer_sends_bytes(peer, 100);
        stage_turn(&stage);
        if (most < stage_used(&stage, QUOTA_QUEUED_BYTES))
            most = stage_used(&stage, QUOTA_QUEUED_BYTES);
    }
    ck_assert_uint_le(most, 51 * (entry_cost(&entry) + backlog_item_overhead()));
    a_hears_all();
    ck_assert_uint_eq(a.n_heard + a.n_missed, 5000);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
}
END_TEST

/* --- catching up --- */

START_TEST(who_drops_the_newest_has_them_again_from_half_on)
{
    stage.queue_messages = 4;
    a_stops_reading(SLOW_DROP_NEWEST);
    sends_messages(7); /* 1 to 5 are kept */
    ck_assert_str_eq(a_hears(2), "1 2");
    ck_assert_uint_eq(a.channel.backlog.n_items, 3); /* 3, and 2 behind it */
    sends_messages(1);
    ck_assert_str_eq(a_hears_all(), "3 4 5 gap(slow-consumer 2) 8");
    sends_messages(6);
    ck_assert_str_eq(a_hears(1), "9"); /* more than half are left */
    sends_messages(1);
    ck_assert_str_eq(a_hears_all(), "10 11 12 13 gap(slow-consumer 2)");
}
END_TEST

START_TEST(who_conflates_has_all_again_when_all_is_read)
{
    stage.conflate_key = "prefix:1";
    a_stops_reading(SLOW_CONFLATE);
    arrives("a1");
    arrives("b1");
    arrives("a2");
    arrives("c1");
    arrives("b2");
    arrives("a3");
    ck_assert_uint_eq(channel_lag_messages(&a.channel), 3);
    ck_assert_str_eq(a_hears(1), "gap(slow-consumer 3) c1");
    arrives("b3"); /* there would be room for it */
    ck_assert_str_eq(a_hears_all(), "gap(slow-consumer 1) a3 b3");
    arrives("a4");
    arrives("a5");
    ck_assert_str_eq(a_hears_all(), "a4 a5");
}
END_TEST

START_TEST(gaps_stand_where_the_messages_stood)
{
    stage.conflate_key = "prefix:1";
    a_stops_reading(SLOW_CONFLATE);
    for (const char *text = "a1\0b1\0c1\0a2\0d1\0b2\0e1\0"; *text != '\0'; text += 3)
        peer_sends(peer, text);
    program_reads(&a, 0);
    stage.queue_messages = 3;
    stage_turn(&stage);
    ck_assert_int_eq(a.channel.state, CHANNEL_ENDED); /* five keys are too many */
    stage_programs_die(&stage);

    stage.queue_messages = 4;
    a_stops_reading(SLOW_CONFLATE);
    for (const char *text = "a1\0b1\0c1\0a2\0d1\0b2\0e1\0"; *text != '\0'; text += 3)
        arrives(text);
    ck_assert_str_eq(a_hears_all(), "gap(slow-consumer 2) c1 a2 d1 b2 e1");
}
END_TEST

/* --- conflation that finds no room --- */

START_TEST(the_newest_of_a_key_is_never_lost)
{
    stage.conflate_key = "prefix:1";
    a_stops_reading(SLOW_CONFLATE);
    arrives("a1");
    arrives("b1");
    arrives("c1");
    arrives("d1");
    arrives("a2");
    ck_assert_int_eq(a.channel.state, CHANNEL_OPEN);
    arrives("e1");
    ck_assert_int_eq(a.channel.state, CHANNEL_ENDED);
    ck_assert_ptr_nonnull(strstr(a.channel.ending.failure.text, "newest of its keys"));
    ck_assert_str_eq(a_hears_all(), "error(slow-consumer) close(1006)");
}
END_TEST

START_TEST(without_a_key_the_oldest_go_first)
{
    stage.conflate_key = "/s";
    a_stops_reading(SLOW_CONFLATE);
    arrives("ping1");
    arrives("{\"s\":1,\"n\":1}");
    arrives("ping2");
    arrives("ping3");
    arrives("{\"s\":1,\"n\":2}");
    ck_assert_uint_eq(a.channel.backlog.n_items, 4);
    arrives("ping4");
    arrives("{\"s\":2}");
    ck_assert_str_eq(a_hears_all(), "gap(slow-consumer 3) ping3 {\"s\":1,\"n\":2} ping4 {\"s\":2}");
}
END_TEST

/* Loop test over policies: each allocation of keeping fails in turn. */
START_TEST(without_memory_a_channel_ends_and_says_so)
{
    unsigned n_ended = 0;
    bool has_failed = true;

    for (size_t n = 0; has_failed; n++) {
        a_stops_reading((enum slow_consumer)_i);
        n_sent = 0;
        sends_messages(1);
        channel_began(&a.channel, 1);
        sends_messages(3);
        peer_sends(peer, "5");
        allocation_fail_after(n);
        stage_turn(&stage);
        has_failed = allocation_disarm();
        ck_assert(has_failed == (a.channel.state == CHANNEL_ENDED));
        if (has_failed) {
            ck_assert_str_eq(a_hears_all(), "error(internal) close(1006)");
            n_ended++;
        } else {
            a_hears_all();
            ck_assert_uint_eq(a.n_heard + a.n_missed, 5);
        }
        ck_assert_uint_eq(b.n_heard, 5);
        stage_programs_die(&stage);
        stage_turn(&stage);
        peer_ends(peer, true, 1000, "");
        stage_turn(&stage);
        ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    }
    ck_assert_uint_gt(n_ended, 0);
}
END_TEST

/* --- ends, with messages waiting --- */

START_TEST(the_end_comes_behind_everything)
{
    a_stops_reading((enum slow_consumer)_i);
    sends_messages(8);
    peer_ends(peer, true, 1000, "bye");
    stage_turn(&stage);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_heard + a.n_missed, 8);
    ck_assert_ptr_nonnull(strstr(a.heard, " close(clean 1000 bye)"));
    ck_assert_str_eq(strstr(a.heard, "close("), "close(clean 1000 bye)");
}
END_TEST

START_TEST(closing_is_told_behind_what_was_lost)
{
    a_stops_reading(SLOW_DROP_NEWEST);
    sends_messages(6);
    peer_starts_closing(peer);
    sends_messages(1);
    ck_assert_str_eq(a_hears_all(), "1 2 3 4 gap(slow-consumer 3) closing");
    peer_ends(peer, true, 1000, "");
    ck_assert_str_eq(a_hears_all(), "close(clean 1000)");
}
END_TEST

/* What it has to read before its end does not grow any more, so none of it is dropped for what comes after. */
START_TEST(who_has_left_gets_what_came_before)
{
    a_stops_reading((enum slow_consumer)_i);
    sends_messages(3);
    program_closes(&a, 1000, "");
    ck_assert_int_eq(a.channel.state, CHANNEL_ENDED);
    sends_messages(20);
    ck_assert_ptr_null(peer->share->log.first); /* nothing is held for it but its own */
    ck_assert_str_eq(a_hears_all(), "1 2 3 close(clean 1000)");
    ck_assert_uint_eq(b.n_heard, 23);
}
END_TEST

START_TEST(who_wants_no_more_gets_nothing)
{
    a_stops_reading((enum slow_consumer)_i);
    sends_messages(9);
    channel_close(&a.channel, 1000, (struct wsp_view){0}, true);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    ck_assert_uint_eq(a.n_cuts, 1);
    ck_assert_str_eq(a_hears_all(), "close(clean 1000)");
}
END_TEST

START_TEST(who_dies_leaves_nothing)
{
    a_stops_reading((enum slow_consumer)_i);
    sends_messages(9);
    channel_began(&a.channel, 1);
    sends_messages(9);
    channel_abandon(&a.channel);
    ck_assert_uint_eq(a.n_gone, 1);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
}
END_TEST

/* --- an interruption, with messages waiting --- */

START_TEST(what_was_lost_of_a_connection_stands_before_its_end)
{
    a_stops_reading(SLOW_DROP_OLDEST);
    sends_messages(6);
    interrupts();
    resumes(0xee);
    sends_messages(5);
    ck_assert_str_eq(
        a_hears_all(),
        "gap(slow-consumer 6) interrupted(lost) resumed gap(slow-consumer 1) 8 9 10 11");
}
END_TEST

START_TEST(what_is_kept_of_a_connection_stands_before_its_end)
{
    a_stops_reading(SLOW_DROP_NEWEST);
    sends_messages(2);
    interrupts();
    resumes(0xee);
    sends_messages(4); /* 3 and 4 are kept */
    ck_assert_str_eq(a_hears_all(), "1 2 interrupted(lost) resumed 3 4 gap(slow-consumer 2)");
    sends_messages(6); /* 7 to 10 */
    interrupts();
    ck_assert_str_eq(a_hears_all(), "7 8 9 10 gap(slow-consumer 2) interrupted(lost)");
    resumes(0xef);
    sends_messages(1);
    ck_assert_str_eq(a_hears_all(), "resumed 13");
}
END_TEST

START_TEST(conflation_goes_on_over_an_interruption)
{
    stage.conflate_key = "prefix:1";
    a_stops_reading(SLOW_CONFLATE);
    for (const char *text = "a1\0b1\0c1\0a2\0c2\0"; *text != '\0'; text += 3)
        arrives(text);
    interrupts();
    resumes(0xee);
    arrives("a3");
    arrives("d1");
    ck_assert_str_eq(
        a_hears_all(),
        "gap(slow-consumer 1) b1 gap(slow-consumer 2) c2 interrupted(lost) resumed a3 d1");
    arrives("a4");
    ck_assert_str_eq(a_hears_all(), "a4");
}
END_TEST

/* --- a user who has too much waiting --- */

static void limit_queued(unsigned n_messages)
{
    struct entry entry = {.len = 1};

    stage.quota.limits[QUOTA_QUEUED_BYTES] = n_messages * entry_cost(&entry);
    stage.queue_messages = 1000;
}

static const struct {
    enum slow_consumer policy;
    const char *heard;
} quotas[] = {
    {SLOW_DROP_OLDEST, "gap(slow-consumer 4)"},
    {SLOW_DROP_NEWEST, "gap(slow-consumer 4)"},
    {SLOW_CONFLATE, "error(slow-consumer) close(1006)"},
    {SLOW_DISCONNECT, "error(slow-consumer) close(1006)"},
};

START_TEST(over_quota_the_slowest_lose_what_they_may)
{
    limit_queued(3);
    a_stops_reading(quotas[_i].policy);
    sends_messages(3);
    ck_assert_uint_eq(channel_lag_messages(&a.channel), 3); /* at the limit */
    sends_messages(1);                                      /* one past it */
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    ck_assert_str_eq(a_hears_all(), quotas[_i].heard);
    ck_assert_uint_eq(b.n_heard, 4);
}
END_TEST

/* Who keeps things in a backlog lags most, whatever has become of the log. */
START_TEST(over_quota_a_backlog_weighs)
{
    limit_queued(1000);
    stage.queue_messages = 3;
    a_stops_reading(SLOW_DROP_NEWEST);
    sends_messages(6);
    program_stops_reading(&b);
    limit_queued(5);
    sends_messages(1);
    ck_assert_str_eq(a_hears_all(), "gap(slow-consumer 7)");
    ck_assert_int_eq(b.channel.state, CHANNEL_OPEN);
}
END_TEST

START_TEST(over_quota_what_has_begun_is_finished)
{
    limit_queued(3);
    a_stops_reading(SLOW_DROP_OLDEST);
    sends_messages(1);
    channel_began(&a.channel, 1);
    sends_messages(3);
    ck_assert_str_eq(a_hears_all(), "1 gap(slow-consumer 3)");
}
END_TEST

/* --- a log that belongs to somebody else --- */

/* c is another user's, and reads what STAGE_UID owns. */
static void c_joins(enum slow_consumer policy)
{
    struct target *target = stage_target(&stage, OTHER, URL);
    struct user *user;

    ck_assert_ptr_nonnull(target);
    target->slow_consumer = policy;
    ck_assert_int_eq(quota_user_ref(&stage.quota, OTHER, &user), 0);
    program_begins(&c, &stage, user);
    user_unref(user);
    share_attach(peer->share, &c.channel, target);
    target_free(target);
    stage_turn(&stage);
    program_heard(&c);
    program_stops_reading(&c);
}

START_TEST(each_lag_counts_for_its_own_user)
{
    struct entry entry = {.len = 1};

    stage.queue_messages = 1000;
    a_stops_reading(SLOW_DISCONNECT);
    c_joins(SLOW_DISCONNECT);
    program_reads(&a, UINT_MAX);
    sends_messages(5);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 5 * entry_cost(&entry));
    ck_assert_uint_eq(stage_user(&stage, OTHER)->used[QUOTA_QUEUED_BYTES], 4 * entry_cost(&entry));
    program_reads(&c, 2);
    stage_turn(&stage);
    ck_assert_uint_eq(stage_user(&stage, OTHER)->used[QUOTA_QUEUED_BYTES], 2 * entry_cost(&entry));
    program_reads(&c, UINT_MAX);
    stage_turn(&stage);
    ck_assert_uint_eq(stage_user(&stage, OTHER)->used[QUOTA_QUEUED_BYTES], 0);
}
END_TEST

/* a lags as much, but its user has not used up what is his. */
START_TEST(who_uses_up_his_own_loses_his_own)
{
    struct entry entry = {.len = 1};

    stage.queue_messages = 1000;
    a_stops_reading(SLOW_DISCONNECT);
    c_joins(_i == 0 ? SLOW_DISCONNECT : SLOW_DROP_OLDEST);
    stage.quota.limits[QUOTA_QUEUED_BYTES] = 6 * entry_cost(&entry);
    sends_messages(4);
    ck_assert_int_eq(c.channel.state, CHANNEL_OPEN);
    stage.quota.limits[QUOTA_QUEUED_BYTES] = 3 * entry_cost(&entry);
    program_reads(&a, 3);
    sends_messages(1);
    if (_i == 0)
        ck_assert_ptr_nonnull(strstr(c.channel.ending.failure.text, "when user 1001 had"));
    program_reads(&c, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c),
                     _i == 0 ? "error(slow-consumer) close(1006)" : "gap(slow-consumer 5)");
    ck_assert_int_eq(a.channel.state, CHANNEL_OPEN);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("dropping");
    TCase *bound = unit_case(suite, "bound");
    TCase *end = unit_case(suite, "end");
    TCase *quota = unit_case(suite, "quota");
    const int n_pasts = N_OF(pasts);

    tcase_add_checked_fixture(bound, setup, story_ends);
    tcase_add_checked_fixture(end, setup, story_ends);
    tcase_add_checked_fixture(quota, setup, story_ends);
    tcase_add_loop_test(bound, at_the_bound_nothing_is_lost, SLOW_DROP_OLDEST, SLOW_CONFLATE + 1);
    tcase_add_loop_test(bound, past_the_bound, 0, n_pasts);
    tcase_add_loop_test(bound, past_the_bound_in_one_turn, 0, n_pasts);
    tcase_add_loop_test(bound, past_the_bound_in_bytes, 0, n_pasts);
    tcase_add_test(bound, open_is_told_before_what_was_lost);
    tcase_add_loop_test(bound, as_in_the_picture, 0, N_OF(pictures));
    tcase_add_test(bound, ones_own_upstream_is_never_paused_for_it);
    tcase_add_test(bound, policies_differ_on_one_upstream);
    tcase_add_loop_test(bound, nothing_grows, SLOW_DROP_OLDEST, SLOW_CONFLATE + 1);
    tcase_add_test(bound, who_drops_the_newest_has_them_again_from_half_on);
    tcase_add_test(bound, who_conflates_has_all_again_when_all_is_read);
    tcase_add_test(bound, gaps_stand_where_the_messages_stood);
    tcase_add_test(bound, the_newest_of_a_key_is_never_lost);
    tcase_add_test(bound, without_a_key_the_oldest_go_first);
    tcase_add_loop_test(end, without_memory_a_channel_ends_and_says_so, SLOW_DROP_OLDEST,
                        SLOW_CONFLATE + 1);
    tcase_add_loop_test(end, the_end_comes_behind_everything, SLOW_DROP_OLDEST, SLOW_CONFLATE + 1);
    tcase_add_test(end, closing_is_told_behind_what_was_lost);
    tcase_add_loop_test(end, who_has_left_gets_what_came_before, SLOW_DROP_OLDEST,
                        SLOW_CONFLATE + 1);
    tcase_add_loop_test(end, who_wants_no_more_gets_nothing, SLOW_DROP_OLDEST, SLOW_CONFLATE + 1);
    tcase_add_loop_test(end, who_dies_leaves_nothing, SLOW_DROP_OLDEST, SLOW_CONFLATE + 1);
    tcase_add_test(end, what_was_lost_of_a_connection_stands_before_its_end);
    tcase_add_test(end, what_is_kept_of_a_connection_stands_before_its_end);
    tcase_add_test(end, conflation_goes_on_over_an_interruption);
    tcase_add_loop_test(quota, over_quota_the_slowest_lose_what_they_may, 0, N_OF(quotas));
    tcase_add_test(quota, over_quota_a_backlog_weighs);
    tcase_add_test(quota, over_quota_what_has_begun_is_finished);
    tcase_add_test(quota, each_lag_counts_for_its_own_user);
    tcase_add_loop_test(quota, who_uses_up_his_own_loses_his_own, 0, 2);
    return suite;
}
