/*
 * test_routing: requests whose ids collide, and replies that go to the one who asked (promise 11 of sharing of the
 * design).
 *
 * Between the scripted programs and the scripted server of tests/harness/stage; an id of the daemon's is written # in
 * the texts of the tables.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/share.h"
#include "tests/harness/allocation.h"
#include "tests/harness/sharing_story.h"

enum { TIMEOUT_MS = 5000 };

static void setup(void)
{
    story_begins();
    stage.routing =
        (struct routing_settings){.is_on = true, .timeout_ms = TIMEOUT_MS, .max_pending = 3};
}

static void teardown(void)
{
    stage_programs_die(&stage);
    stage_turn(&stage);
    if (!peer->is_freed)
        peer_ends(peer, true, 1000, "");
    story_ends();
}

static const struct routing *routing(void)
{
    return &peer->share->routing;
}

/* The n-th long number in a text, which only the daemon writes. */
static uint32_t id_in(const char *text, unsigned n)
{
    size_t len = 0;

    for (; *text != '\0'; text += len > 0 ? len : 1) {
        len = strspn(text, "0123456789");
        if (len >= 8 && n-- == 0)
            return (uint32_t)strtoul(text, NULL, 10);
    }
    ck_abort_msg("no id is there");
}

/* The text with the id in the place of the #. */
static const char *with_id(const char *text, uint32_t id)
{
    static char filled[1024];
    const char *at = strchr(text, '#');

    if (at == NULL)
        return text;
    snprintf(filled, sizeof(filled), "%.*s%" PRIu32 "%s", (int)(at - text), text, id, at + 1);
    return filled;
}

static const char *sent_by(struct program *program, const char *text)
{
    ck_assert_int_eq(program_sends(program, text), 0);
    return peer_receives(peer);
}

/* Sends the request and returns the id that the server got. */
static uint32_t asks(struct program *program, const char *id)
{
    char text[256];

    snprintf(text, sizeof(text), "{\"id\":%s,\"method\":\"m\"}", id);
    return id_in(sent_by(program, text), 0);
}

static void replies(uint32_t id)
{
    char text[64];

    snprintf(text, sizeof(text), "{\"id\":%" PRIu32 ",\"result\":0}", id);
    peer_sends(peer, text);
}

static void assert_heard(const char *by_a, const char *by_b)
{
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), by_a);
    ck_assert_str_eq(program_heard(&b), by_b);
}

/* --- who gets what --- */

START_TEST(each_gets_the_reply_to_its_own)
{
    uint32_t of_a, of_b;

    a_and_b_share();
    of_a = asks(&a, "1");
    of_b = asks(&b, "1");
    ck_assert_uint_ne(of_a, of_b);
    replies(of_b);
    assert_heard("", "{\"id\":1,\"result\":0}");
    peer_sends(peer, "to all");
    replies(of_a);
    assert_heard("to all {\"id\":1,\"result\":0}", "to all");
    ck_assert_uint_eq(routing()->n_routed, 2);
    ck_assert_uint_eq(routing()->n_routes, 0);
}
END_TEST

/* The same id twice by one: both have their reply. A second reply to one is for all, as nobody waits for it. */
START_TEST(one_may_ask_twice_with_one_id)
{
    uint32_t first, second;
    char text[64];

    a_and_b_share();
    first = asks(&a, "\"x\"");
    second = asks(&a, "\"x\"");
    ck_assert_uint_ne(first, second);
    replies(second);
    replies(first);
    assert_heard("{\"id\":\"x\",\"result\":0} {\"id\":\"x\",\"result\":0}", "");
    replies(first);
    snprintf(text, sizeof(text), "{\"id\":%" PRIu32 ",\"result\":0}", first);
    assert_heard(text, text);
}
END_TEST

static const struct {
    const char *request, *sent, *reply, *heard;
} rewritten[] = {
    {"{\"id\":1,\"method\":\"m\"}", "{\"id\":#,\"method\":\"m\"}", "{\"id\":#}", "{\"id\":1}"},
    {"{\"id\":1e3,\"method\":\"m\"}", "{\"id\":#,\"method\":\"m\"}", "{\"id\":#}", "{\"id\":1e3}"},
    {"{\"id\":1.0,\"method\":\"m\"}", "{\"id\":#,\"method\":\"m\"}", "{\"id\":#.0}",
     "{\"id\":1.0}"},
    {"{\"id\":-0,\"method\":\"m\"}", "{\"id\":#,\"method\":\"m\"}", "{\"id\":#}", "{\"id\":-0}"},
    {"{\"id\":123456789012345678901234567890,\"method\":\"m\"}", "{\"id\":#,\"method\":\"m\"}",
     "{\"id\":#}", "{\"id\":123456789012345678901234567890}"},
    {"{\"id\":null,\"method\":\"m\"}", "{\"id\":#,\"method\":\"m\"}", "{\"id\":#}",
     "{\"id\":null}"},
    {"{\"id\":\"1\",\"method\":\"m\"}", "{\"id\":\"#\",\"method\":\"m\"}", "{\"id\":\"#\"}",
     "{\"id\":\"1\"}"},
    {"{\"id\":\"\",\"method\":\"m\"}", "{\"id\":\"#\",\"method\":\"m\"}", "{\"id\":\"#\"}",
     "{\"id\":\"\"}"},
    {"{\"id\":\"\\u00e9\\\"\xc3\xa9\",\"method\":\"m\"}", "{\"id\":\"#\",\"method\":\"m\"}",
     "{\"id\":\"#\"}", "{\"id\":\"\\u00e9\\\"\xc3\xa9\"}"},
    /* servers that change the type */
    {"{\"id\":\"1\",\"method\":\"m\"}", "{\"id\":\"#\",\"method\":\"m\"}", "{\"id\":#}",
     "{\"id\":\"1\"}"},
    {"{\"id\":1,\"method\":\"m\"}", "{\"id\":#,\"method\":\"m\"}", "{\"id\":\"#\"}", "{\"id\":1}"},
    {"{\"id\":1,\"method\":\"m\"}", "{\"id\":#,\"method\":\"m\"}", "{\"id\":#.000}", "{\"id\":1}"},
    /* every other byte */
    {" {\n\t\"params\" : [1.10, {\"id\":7}],\r\"\\u0069d\"  :  1 ,\"method\":\"m\"} ",
     " {\n\t\"params\" : [1.10, {\"id\":7}],\r\"\\u0069d\"  :  # ,\"method\":\"m\"} ",
     "\t{\"result\":1.000000000000000000001 ,\"\\u0069d\" : # }\n",
     "\t{\"result\":1.000000000000000000001 ,\"\\u0069d\" : 1 }\n"},
    /* without a method, and no answer either: as some protocols have it */
    {"{\"id\":1}", "{\"id\":#}", "{\"tick\":{\"id\":9},\"id\":#}",
     "{\"tick\":{\"id\":9},\"id\":1}"},
    {"{\"id\":1,\"method\":\"m\",\"result\":2}", "{\"id\":#,\"method\":\"m\",\"result\":2}",
     "{\"id\":#,\"error\":{}}", "{\"id\":1,\"error\":{}}"},
};

START_TEST(only_the_id_changes)
{
    char sent[1024];
    uint32_t id;

    a_and_b_share();
    snprintf(sent, sizeof(sent), "%s", sent_by(&a, rewritten[_i].request));
    id = id_in(sent, 0);
    ck_assert_str_eq(sent, with_id(rewritten[_i].sent, id));
    peer_sends(peer, with_id(rewritten[_i].reply, id));
    assert_heard(rewritten[_i].heard, "");
}
END_TEST

#define ID128                                                                                      \
    "\"123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890" \
    "123456789012345678901234567890123456\""

static const char *const left_alone[] = {
    "{\"method\":\"notify\"}",
    "{\"id\":1,\"result\":null}",
    "{\"id\":1,\"error\":{\"code\":1}}",
    "[{\"id\":1,\"method\":\"m\"},{\"id\":2,\"method\":\"m\"}]",
    "{\"id\":1,\"id\":2,\"method\":\"m\"}",
    "{\"id\":true,\"method\":\"m\"}",
    "{\"id\":{},\"method\":\"m\"}",
    "{\"id\":[1],\"method\":\"m\"}",
    "{\"params\":{\"id\":1},\"method\":\"m\"}",
    "{\"ID\":1,\"method\":\"m\"}",
    "{\"id\":\"x" ID128 ",\"method\":\"m\"}",
    "{\"id\":1,\"method\":\"m\"",
    "{\"id\":1,\"method\":\"m\"}}",
    "\"id\"",
    "1",
    "",
    "{}",
};

START_TEST(what_is_no_request_goes_as_it_is)
{
    a_and_b_share();
    ck_assert_str_eq(sent_by(&a, left_alone[_i]), left_alone[_i]);
    ck_assert_uint_eq(routing()->n_routes, 0);
}
END_TEST

START_TEST(an_id_may_be_so_long_and_no_longer)
{
    char text[256];

    ck_assert_uint_eq(strlen(ID128), MAX_ROUTED_ID);
    a_and_b_share();
    replies(asks(&a, ID128));
    assert_heard("{\"id\":" ID128 ",\"result\":0}", "");
    snprintf(text, sizeof(text), "{\"id\":\"1%s,\"method\":\"m\"}", &ID128[1]);
    ck_assert_str_eq(sent_by(&a, text), text);
}
END_TEST

static const char *const for_all[] = {
    "{\"method\":\"notify\",\"params\":{\"id\":#}}",
    "{\"id\":#,\"method\":\"ask\"}",
    "[{\"id\":#,\"result\":0}]",
    "{\"id\":1,\"result\":0}",
    "{\"id\":\"x#\",\"result\":0}",
    "{\"id\":#.5,\"result\":0}",
    "{\"id\":-#,\"result\":0}",
    "{\"id\":#e0,\"result\":0}",
    "{\"id\":1#,\"result\":0}",
    "{\"id\":4294967296#,\"result\":0}",
    "{\"id\":\"18446744073709551616#\",\"result\":0}",
    "{\"id\":\"#.0\",\"result\":0}",
    "{\"id\":#,\"id\":#,\"result\":0}",
    "{\"id\":null,\"error\":{}}",
    "{\"id\":[#],\"result\":0}",
    "{\"id\":\"\",\"result\":0}",
    "{\"id\":#,\"result\":0",
    "#",
};

START_TEST(what_is_no_reply_is_for_all)
{
    char text[1024];
    uint32_t id;

    a_and_b_share();
    id = asks(&a, "1");
    snprintf(text, sizeof(text), "%s", with_id(for_all[_i], id));
    peer_sends(peer, text);
    assert_heard(text, text);
    replies(id);
    assert_heard("{\"id\":1,\"result\":0}", "");
}
END_TEST

START_TEST(binary_messages_are_not_looked_at)
{
    a_and_b_share();
    asks(&a, "1");
    peer_sends_bytes(peer, 5);
    assert_heard("[5]", "[5]");
}
END_TEST

START_TEST(the_id_may_have_another_name)
{
    char name[] = "req_id";
    uint32_t id;

    stage.routing.member = name;
    a_and_b_share();
    id = id_in(sent_by(&a, "{\"ticks\":\"R_100\",\"req_id\":3}"), 0);
    peer_sends(peer, with_id("{\"tick\":1,\"req_id\":#,\"id\":3}", id));
    assert_heard("{\"tick\":1,\"req_id\":3,\"id\":3}", "");
    ck_assert_str_eq(sent_by(&a, "{\"id\":1,\"method\":\"m\"}"), "{\"id\":1,\"method\":\"m\"}");
}
END_TEST

/* No client gets a longer message than it was told. */
START_TEST(a_reply_that_the_id_makes_too_long_fails_its_asker)
{
    uint32_t id;

    a_and_b_share();
    id = asks(&a, "\"an id that is longer than the daemon's\"");
    peer->share->target->max_message = strlen(with_id("{\"id\":\"#\",\"result\":0}", id));
    peer_sends(peer, with_id("{\"id\":\"#\",\"result\":0}", id));
    assert_heard("error(too-big) close(1006)", "");
    ck_assert_uint_eq(routing()->n_routes, 0);
    id = asks(&b, "1");
    peer_sends(peer, with_id("{\"id\":#,\"result\":22}", id));
    assert_heard("", "{\"id\":1,\"result\":22}");
}
END_TEST

/* The daemon does not read a long message again whenever it asks for one that the budget keeps waiting: what it would
 * find by then does not count. */
START_TEST(what_waits_is_looked_at_once)
{
    struct strings rates = {0};

    ck_assert_int_eq(strings_add(&rates, "1 per s", strlen("1 per s")), 0);
    budgets_set_free(&stage.budgets, BUDGET_SEND, &rates);
    strings_deinit(&rates);
    a_and_b_share();
    ck_assert_str_eq(sent_by(&a, "first"), "first");
    ck_assert_str_eq(sent_by(&a, "{\"req\":1,\"method\":\"m\"}"), "");
    peer->share->target->routing.member = strdup("req");
    stage_wait(&stage, 2000);
    ck_assert_str_eq(peer_receives(peer), "{\"req\":1,\"method\":\"m\"}");
}
END_TEST

START_TEST(a_connection_of_ones_own_routes_nothing)
{
    opens(&a, STAGE_PRIVATE);
    peer_opens(peer, "");
    stage_turn(&stage);
    ck_assert_str_eq(sent_by(&a, "{\"id\":1,\"method\":\"m\"}"), "{\"id\":1,\"method\":\"m\"}");
}
END_TEST

START_TEST(without_the_option_replies_go_to_all)
{
    stage.routing.is_on = false;
    a_and_b_share();
    ck_assert_str_eq(sent_by(&a, "{\"id\":1,\"method\":\"m\"}"), "{\"id\":1,\"method\":\"m\"}");
    peer_sends(peer, "{\"id\":1,\"result\":0}");
    assert_heard("{\"id\":1,\"result\":0}", "{\"id\":1,\"result\":0}");
}
END_TEST

/* --- what programs count --- */

START_TEST(programs_count_what_they_gave)
{
    static const char text[] = "{\"id\":1,\"method\":\"m\"}";
    struct outgoing *outgoing;

    a_and_b_share();
    ck_assert_int_eq(program_sends(&a, text), 0);
    ck_assert_uint_eq(a.channel.outbox_bytes, sizeof(text) - 1);
    outgoing = peer_takes(peer);
    ck_assert_uint_gt(wsp_buffer_len(&outgoing->payload), sizeof(text) - 1);
    ck_assert_uint_eq(a.channel.outbox_bytes, sizeof(text) - 1);
    peer_writes(peer, outgoing);
    stage_turn(&stage);
    ck_assert_uint_eq(a.channel.outbox_bytes, 0);
    ck_assert_uint_eq(a.sent_told, sizeof(text) - 1);
}
END_TEST

/* Numbers that were somebody else's are no loss: no gap, and who comes back resumes at the right place. */
START_TEST(numbers_have_holes_and_nothing_is_lost)
{
    stage.retention = (struct retention){.messages = 10, .bytes = 1 << 20};
    a_and_b_share();
    for (int i = 0; i < 5; i++)
        replies(asks(&a, "1"));
    peer_sends(peer, "last");
    assert_heard("{\"id\":1,\"result\":0} {\"id\":1,\"result\":0} {\"id\":1,\"result\":0} "
                 "{\"id\":1,\"result\":0} "
                 "{\"id\":1,\"result\":0} last",
                 "last");
    ck_assert_uint_eq(a.position.number, 6);
    ck_assert_uint_eq(b.position.number, 6);
    stage.resume = b.position;
    program_deinit(&b);
    peer_sends(peer, "missed");
    replies(asks(&a, "2"));
    opens(&b, STAGE_SHARED);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open (missed)");
}
END_TEST

/* --- who has gone --- */

START_TEST(a_reply_to_who_has_gone_is_dropped_and_counted)
{
    uint32_t of_a, of_b;

    a_and_b_share();
    of_a = asks(&a, "1");
    of_b = asks(&b, "1");
    program_deinit(&a);
    replies(of_a);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "");
    ck_assert_uint_eq(routing()->n_dropped, 1);
    replies(of_b);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "{\"id\":1,\"result\":0}");
}
END_TEST

/* It has closed, and what it is still to be told is not this. */
START_TEST(a_reply_to_who_has_closed_is_dropped)
{
    uint32_t id;

    a_and_b_share();
    id = asks(&a, "1");
    program_stops_reading(&a);
    peer_sends(peer, "x");
    program_closes(&a, 1000, "");
    stage_turn(&stage);
    replies(id);
    ck_assert_uint_eq(routing()->n_dropped, 1);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "x close(clean 1000)");
}
END_TEST

/* Its last messages still go, and nobody is there for the reply. */
START_TEST(who_goes_while_it_asks_gets_nothing)
{
    struct outgoing *outgoing;
    uint32_t id;

    a_and_b_share();
    ck_assert_int_eq(program_sends(&a, "{\"id\":1,\"method\":\"m\"}"), 0);
    outgoing = peer_takes(peer);
    id = id_in((const char *)wsp_buffer_peek(&outgoing->payload), 0);
    program_deinit(&a);
    replies(id);
    ck_assert_uint_eq(routing()->n_dropped, 1);
    peer_writes(peer, outgoing);
    ck_assert_uint_eq(routing()->n_routes, 0);
}
END_TEST

START_TEST(what_was_never_sent_waits_for_no_reply)
{
    a_and_b_share();
    ck_assert_int_eq(program_sends(&a, "{\"id\":1,\"method\":\"m\"}"), 0);
    ck_assert_ptr_nonnull(peer_takes(peer));
    ck_assert_uint_eq(routing()->n_routes, 1);
    peer_fails(peer, WSP_CAUSE_LOST);
    ck_assert_uint_eq(routing()->n_routes, 0);
}
END_TEST

/* --- an interruption --- */

static void comes_back_open(void)
{
    comes_back();
    peer_opens(peer, "");
    stage_turn(&stage);
    program_heard(&a);
    program_heard(&b);
}

/* What was written waits for no reply any more; what was not goes again, as the request that it was. */
START_TEST(an_interruption_ends_what_was_written)
{
    struct outgoing *half;
    uint32_t written, id;

    a_and_b_share();
    written = asks(&a, "1");
    ck_assert_int_eq(program_sends(&a, "{\"id\":2,\"method\":\"m\"}"), 0);
    ck_assert_int_eq(program_sends(&b, "{\"id\":2,\"method\":\"n\"}"), 0);
    half = peer_takes(peer);
    peer_writes_part(peer, half, 7);
    comes_back_open();
    ck_assert_uint_eq(routing()->n_routes, 1);
    ck_assert_uint_eq(routing()->n_timed_out, 0);
    id = id_in(peer_receives(peer), 1); /* after what b had in its outbox */
    ck_assert_uint_ne(id, written);
    ck_assert_uint_eq(a.channel.outbox_bytes, 0);
    ck_assert_uint_eq(routing()->n_routes, 2);
    replies(id);
    assert_heard("{\"id\":2,\"result\":0}", "");
    replies(written);
    stage_turn(&stage);
    ck_assert_ptr_nonnull(strstr(program_heard(&b), "\"result\":0"));
}
END_TEST

/* Nobody answers any more, so nobody waits for it. */
START_TEST(an_interruption_lets_those_go_on_who_wait)
{
    a_and_b_share();
    for (int i = 0; i < 3; i++)
        asks(&a, "1");
    ck_assert_str_eq(sent_by(&a, "{\"id\":4,\"method\":\"m\"}"), "");
    comes_back_open();
    replies(id_in(peer_receives(peer), 0));
    assert_heard("{\"id\":4,\"result\":0}", "");
}
END_TEST

/* Those that are waited for are passed over. */
START_TEST(ids_come_round_and_are_never_those_of_two)
{
    uint32_t last, first, second;

    a_and_b_share();
    peer->share->routing.next_id = INT32_MAX - 1;
    last = asks(&a, "1");
    ck_assert_uint_eq(last, INT32_MAX);
    first = asks(&b, "1");
    ck_assert_uint_lt(first, last);
    peer->share->routing.next_id = INT32_MAX - 1;
    second = asks(&b, "2");
    ck_assert_uint_eq(second, first + 1);
    replies(second);
    replies(last);
    replies(first);
    assert_heard("{\"id\":1,\"result\":0}", "{\"id\":2,\"result\":0} {\"id\":1,\"result\":0}");
}
END_TEST

/* --- how long --- */

START_TEST(a_late_reply_is_for_all)
{
    uint32_t id;
    char text[64];

    a_and_b_share();
    id = asks(&a, "1");
    stage_wait(&stage, TIMEOUT_MS - 1);
    ck_assert_uint_eq(routing()->n_routes, 1);
    asks(&b, "2");
    stage_wait(&stage, 1);
    ck_assert_uint_eq(routing()->n_routes, 1);
    ck_assert_uint_eq(routing()->n_timed_out, 1);
    replies(id);
    snprintf(text, sizeof(text), "{\"id\":%" PRIu32 ",\"result\":0}", id);
    assert_heard(text, text);
    stage_wait(&stage, TIMEOUT_MS - 1);
    ck_assert_uint_eq(routing()->n_routes, 0);
}
END_TEST

/* The time counts from when the request has gone. */
START_TEST(a_request_that_is_not_sent_yet_has_time)
{
    struct outgoing *outgoing;

    a_and_b_share();
    ck_assert_int_eq(program_sends(&a, "{\"id\":1,\"method\":\"m\"}"), 0);
    outgoing = peer_takes(peer);
    stage_wait(&stage, 2 * TIMEOUT_MS);
    ck_assert_uint_eq(routing()->n_routes, 1);
    peer_writes(peer, outgoing);
    stage_wait(&stage, TIMEOUT_MS - 1);
    ck_assert_uint_eq(routing()->n_routes, 1);
    stage_wait(&stage, 1);
    ck_assert_uint_eq(routing()->n_routes, 0);
}
END_TEST

/* --- how many --- */

/* At its bound a channel waits, and others do not. */
START_TEST(who_asks_too_much_waits_alone)
{
    uint32_t ids[3];

    a_and_b_share();
    for (int i = 0; i < 3; i++)
        ids[i] = asks(&a, "1");
    ck_assert_str_eq(sent_by(&a, "{\"id\":4,\"method\":\"m\"}"), "");
    ck_assert_str_eq(sent_by(&a, "after it"), "");
    ck_assert_uint_eq(a.channel.outbox_bytes, 21 + 8);
    ck_assert_str_eq(sent_by(&b, "x"), "x");
    asks(&b, "1");
    replies(ids[1]);
    ck_assert_ptr_nonnull(strstr(peer_receives(peer), " after it"));
    ck_assert_str_eq(sent_by(&a, "{\"method\":\"n\"}"), "{\"method\":\"n\"}");
    ck_assert_str_eq(sent_by(&a, "{\"id\":5,\"method\":\"m\"}"), "");
    stage_wait(&stage, TIMEOUT_MS);
    id_in(peer_receives(peer), 0);
}
END_TEST

START_TEST(who_waits_may_go)
{
    a_and_b_share();
    for (int i = 0; i < 3; i++)
        asks(&a, "1");
    ck_assert_str_eq(sent_by(&a, "{\"id\":4,\"method\":\"m\"}"), "");
    program_deinit(&a);
    ck_assert_str_eq(peer_receives(peer), "");
    stage_wait(&stage, TIMEOUT_MS);
    ck_assert_uint_eq(routing()->n_timed_out, 3);
}
END_TEST

/* When all of the table is taken, somebody else waits as well, and those who have gone make room. */
START_TEST(the_table_is_bounded)
{
    uint32_t id = 0;

    stage.routing.max_pending = 2 * MAX_ROUTES;
    a_and_b_share();
    for (int i = 0; i < MAX_ROUTES; i++)
        id = asks(&a, "1");
    ck_assert_str_eq(sent_by(&b, "{\"id\":1,\"method\":\"m\"}"), "");
    ck_assert_str_eq(sent_by(&b, "after it"), "");
    replies(id);
    ck_assert_ptr_nonnull(strstr(peer_receives(peer), " after it"));
    ck_assert_uint_eq(routing()->n_routes, MAX_ROUTES);
    ck_assert_str_eq(sent_by(&b, "{\"id\":2,\"method\":\"m\"}"), "");
    program_deinit(&a);
    id_in(sent_by(&b, "x"), 0);
    ck_assert_uint_eq(routing()->n_routes, MAX_ROUTES);
    ck_assert_uint_eq(routing()->n_timed_out, 1);
}
END_TEST

/* Who goes makes room for as many as it has asked, and wakes no others. */
START_TEST(who_goes_wakes_as_many_as_get_a_place)
{
    enum { N_WAITING = 3 };
    struct program waiting[N_WAITING];
    unsigned n_wakes;

    stage.routing.max_pending = 2 * MAX_ROUTES;
    a_and_b_share();
    asks(&b, "1");
    asks(&b, "2");
    for (int i = 2; i < MAX_ROUTES; i++)
        asks(&a, "1");
    for (int i = 0; i < N_WAITING; i++) {
        opens(&waiting[i], STAGE_SHARED);
        ck_assert_str_eq(sent_by(&waiting[i], "{\"id\":1,\"method\":\"m\"}"), "");
    }
    opens(&c, STAGE_SHARED);
    ck_assert_str_eq(sent_by(&c, "nothing that waits"), "nothing that waits");
    n_wakes = peer->n_wakes;
    program_deinit(&c);
    ck_assert_uint_eq(peer->n_wakes, n_wakes);
    program_deinit(&b);
    ck_assert_uint_eq(peer->n_wakes, n_wakes + 2);
    id_in(peer_receives(peer), 0);
    ck_assert_uint_eq(routing()->n_routes, MAX_ROUTES);
    ck_assert_uint_eq(routing()->n_timed_out, 2);
    ck_assert(list_is_linked(&waiting[N_WAITING - 1].channel.sender_link));
    program_deinit(&a);
    id_in(peer_receives(peer), 0);
    for (int i = 0; i < N_WAITING; i++)
        program_deinit(&waiting[i]);
}
END_TEST

/* --- no memory --- */

START_TEST(without_memory_a_request_waits_and_is_whole)
{
    bool has_failed = true;

    a_and_b_share();
    for (size_t n = 0; has_failed; n++) {
        const char *sent;

        ck_assert_int_eq(program_sends(&a, "{\"id\":1,\"method\":\"m\"}"), 0);
        allocation_fail_after(n);
        struct outgoing *outgoing = share_next_outgoing(peer->share);
        has_failed = allocation_disarm();
        ck_assert_int_eq(outgoing == NULL, has_failed);
        if (outgoing != NULL) {
            outgoing_written(outgoing, outgoing->given_len);
            outgoing_done(outgoing);
            break;
        }
        ck_assert_uint_eq(routing()->n_routes, 0);
        stage_wait(&stage, ROUTING_AGAIN_MS);
        sent = peer_receives(peer);
        replies(id_in(sent, 0));
        assert_heard("{\"id\":1,\"result\":0}", "");
    }
}
END_TEST

START_TEST(without_memory_a_reply_fails_the_upstream)
{
    uint32_t id;
    char text[64];
    int r = -1;

    a_and_b_share();
    id = asks(&a, "1");
    snprintf(text, sizeof(text), "{\"id\":%" PRIu32 ",\"result\":0}", id);
    allocation_fail_after(0);
    r = share_received(peer->share, false, wsp_view_of_string(text));
    ck_assert(allocation_disarm());
    ck_assert_int_lt(r, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("routing");
    TCase *who = unit_case(suite, "who");
    TCase *count = unit_case(suite, "count");
    TCase *gone = unit_case(suite, "gone");
    TCase *bound = unit_case(suite, "bound");

    tcase_add_checked_fixture(who, setup, teardown);
    tcase_add_checked_fixture(count, setup, teardown);
    tcase_add_checked_fixture(gone, setup, teardown);
    tcase_add_checked_fixture(bound, setup, teardown);
    tcase_add_test(who, each_gets_the_reply_to_its_own);
    tcase_add_test(who, one_may_ask_twice_with_one_id);
    tcase_add_loop_test(who, only_the_id_changes, 0, N_OF(rewritten));
    tcase_add_loop_test(who, what_is_no_request_goes_as_it_is, 0, N_OF(left_alone));
    tcase_add_test(who, an_id_may_be_so_long_and_no_longer);
    tcase_add_loop_test(who, what_is_no_reply_is_for_all, 0, N_OF(for_all));
    tcase_add_test(who, ids_come_round_and_are_never_those_of_two);
    tcase_add_test(who, binary_messages_are_not_looked_at);
    tcase_add_test(who, the_id_may_have_another_name);
    tcase_add_test(who, a_reply_that_the_id_makes_too_long_fails_its_asker);
    tcase_add_test(who, what_waits_is_looked_at_once);
    tcase_add_test(who, a_connection_of_ones_own_routes_nothing);
    tcase_add_test(who, without_the_option_replies_go_to_all);
    tcase_add_test(count, programs_count_what_they_gave);
    tcase_add_test(count, numbers_have_holes_and_nothing_is_lost);
    tcase_add_test(gone, a_reply_to_who_has_gone_is_dropped_and_counted);
    tcase_add_test(gone, a_reply_to_who_has_closed_is_dropped);
    tcase_add_test(gone, who_goes_while_it_asks_gets_nothing);
    tcase_add_test(gone, what_was_never_sent_waits_for_no_reply);
    tcase_add_test(gone, an_interruption_ends_what_was_written);
    tcase_add_test(gone, an_interruption_lets_those_go_on_who_wait);
    tcase_add_test(bound, a_late_reply_is_for_all);
    tcase_add_test(bound, a_request_that_is_not_sent_yet_has_time);
    tcase_add_test(bound, who_asks_too_much_waits_alone);
    tcase_add_test(bound, who_waits_may_go);
    tcase_add_test(bound, the_table_is_bounded);
    tcase_add_test(bound, who_goes_wakes_as_many_as_get_a_place);
    tcase_add_test(bound, without_memory_a_request_waits_and_is_whole);
    tcase_add_test(bound, without_memory_a_reply_fails_the_upstream);
    return suite;
}
