/*
 * test_refused: what a server says when it answers with another status than 101, in the state REFUSED of daemon/upstream.h.
 *
 * Between the scripted programs of tests/harness/stage and the scripted server of tests/harness/server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "daemon/limits.h"
#include "tests/harness/server_story.h"

static struct program b;

static void server_says_text(const char *text)
{
    server_says(&server, text, strlen(text));
}

static void is_refused(const char *answer)
{
    opens(&a, STAGE_PRIVATE);
    server_is_reached(&server);
    server_says_text(answer);
    server_run(&server);
}

static void assert_excerpt(const char *excerpt)
{
    ck_assert_str_eq(program_heard(&a), "error(handshake) close(1006)");
    ck_assert_str_eq(a.excerpt, excerpt);
    ck_assert_str_eq(server_heard(&server), "request gone");
    ck_assert_uint_eq(fake_clock_next_ms(&stage.clock), UINT64_MAX);
    dies(&a);
}

static const struct {
    const char *answer;
    const char *excerpt;
} whole_refusals[] = {
    {"HTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\nsecret", "secret"},
    {"HTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\nsecretHTTP/1.1 404 x\r\n\r\n", "secret"},
    {"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nret\r\n0\r\n",
     "secret"},
    {"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", ""},
    {"HTTP/1.1 204 No\r\n\r\n", ""},
    {"HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\n\r\nsecret", ""},
    {"HTTP/1.1 403 No\r\nContent-Length: 8\r\n\r\n\033[2J\xff\n\xc3\xa4",
     "\033[2J\xef\xbf\xbd\n\xc3\xa4"},
};

START_TEST(refusal_that_is_whole_is_told_at_once)
{
    is_refused(whole_refusals[_i].answer);
    assert_excerpt(whole_refusals[_i].excerpt);
}
END_TEST

START_TEST(body_of_a_refusal_is_waited_for)
{
    is_refused("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 10\r\n\r\n");
    server_says_text("come ");
    server_run(&server);
    stage_wait(&stage, EXCERPT_WAIT_MS - 1);
    ck_assert_str_eq(program_heard(&a), "");
    server_says_text("later and more");
    server_run(&server);
    ck_assert_uint_eq(a.channel.ending.failure.retry_after, 120);
    ck_assert_ptr_nonnull(strstr(a.channel.ending.failure.text, "; it asks to wait 120 s"));
    assert_excerpt("come later");
}
END_TEST

/* Loop test: the time is over; the stream ends; it breaks. */
START_TEST(body_that_never_ends_is_not_waited_for_long)
{
    is_refused("HTTP/1.1 500 Broken\r\n\r\nbro");
    for (uint64_t waited_ms = 0; waited_ms < EXCERPT_WAIT_MS - 100; waited_ms += 100) {
        stage_wait(&stage, 100);
        server_says_text(".");
        server_run(&server);
    }
    ck_assert_str_eq(program_heard(&a), "");
    if (_i == 0)
        stage_wait(&stage, 100);
    else if (_i == 1)
        server_hangs_up(&server);
    else
        server_breaks(&server, ECONNRESET);
    server_run(&server);
    ck_assert_uint_eq(a.channel.ending.failure.http_status, 500);
    assert_excerpt("bro....");
}
END_TEST

START_TEST(excerpt_that_is_full_is_waited_for_no_longer)
{
    char body[WSP_MAX_ANSWER_EXCERPT + 1];

    memset(body, 'x', WSP_MAX_ANSWER_EXCERPT);
    body[WSP_MAX_ANSWER_EXCERPT] = '\0';
    is_refused("HTTP/1.1 500 Broken\r\n\r\n");
    server_says(&server, body, WSP_MAX_ANSWER_EXCERPT - 1);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "");
    server_says_text("xy");
    server_run(&server);
    assert_excerpt(body);
}
END_TEST

START_TEST(next_connection_need_not_wait_for_a_body)
{
    struct pass *pass = NULL;

    is_refused("HTTP/1.1 503 Busy\r\n\r\n");
    ck_assert_int_eq(gate_enter(&server.gates, "192.0.2.1:443", 0, NULL, NULL, &pass), 0);
    ck_assert(pass_is_granted(pass));
    pass_free(pass);
}
END_TEST

START_TEST(close_while_refused_gives_up)
{
    is_refused("HTTP/1.1 503 Busy\r\n\r\nsecret");
    program_closes(&a, 0, "");
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(cancelled) close(1006)");
    ck_assert_str_eq(a.excerpt, "");
    ck_assert_str_eq(server_heard(&server), "request gone");
}
END_TEST

START_TEST(every_channel_of_a_share_has_the_excerpt)
{
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    server_is_reached(&server);
    server_says_text("HTTP/1.1 401 Who\r\nContent-Length: 6\r\n\r\nsecret");
    server_run(&server);
    ck_assert_str_eq(program_heard(&b), "error(handshake) close(1006)");
    ck_assert_str_eq(b.excerpt, "secret");
    assert_excerpt("secret");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("refused");
    TCase *refused = story_case(suite, "refused");

    tcase_add_loop_test(refused, refusal_that_is_whole_is_told_at_once, 0, N_OF(whole_refusals));
    tcase_add_test(refused, body_of_a_refusal_is_waited_for);
    tcase_add_loop_test(refused, body_that_never_ends_is_not_waited_for_long, 0, 3);
    tcase_add_test(refused, excerpt_that_is_full_is_waited_for_no_longer);
    tcase_add_test(refused, next_connection_need_not_wait_for_a_body);
    tcase_add_test(refused, close_while_refused_gives_up);
    tcase_add_test(refused, every_channel_of_a_share_has_the_excerpt);
    return suite;
}
