/*
 * test_pattern: which messages a pattern means, and what a reply makes of one, as daemon/pattern.h has it. The rows are
 * what the documents of real feeds ask for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/limits.h"
#include "daemon/pattern.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *pattern, *message;
    bool matches;
} matching[] = {
    /* as it is */
    {"pong", "pong", true},
    {"pong", "\"pong\"", false},
    {"pong", "pong ", false},
    {"pong", "", false},
    {"\n", "\n", true},
    {"/a", "/a", true},
    {"PING :tmi.twitch.tv\r\n", "PING :tmi.twitch.tv\r\n", true},
    {"{\"op\":\"pong\"}", "{\"op\":\"pong\"}", true},
    {"{\"op\":\"pong\"}", "{\"op\": \"pong\"}", false},
    /* by a member */
    {"/type=pong", "{\"id\":\"7\",\"type\":\"pong\"}", true},
    {"/type=pong", "{\"type\":\"pong\"", false},
    {"/type=pong", "{\"type\":\"ping\"}", false},
    {"/type=pong", "{\"data\":{\"type\":\"pong\"}}", false},
    {"/type=pong", "{\"type\":\"pong\",\"type\":\"pong\"}", false},
    {"/type=pong", "pong", false},
    {"/type=pong", "/type=pong", false},
    {"/type=\"pong\"", "{\"type\":\"pong\"}", false},
    {"/method=pong", "{\"method\":\"pong\",\"req_id\":101,\"time_in\":\"2023\"}", true},
    {"/ret_msg=pong", "{\"success\":true,\"ret_msg\":\"pong\",\"op\":\"ping\"}", true},
    {"/op=11", "{\"t\":null,\"s\":null,\"op\":11,\"d\":null}", true},
    {"/op=11", "{\"op\":\"11\"}", true},
    {"/op=11", "{\"op\":11.0}", false},
    {"/op=11", "{\"op\":[11]}", false},
    {"/op={}", "{\"op\":{}}", false},
    {"/success=true", "{\"success\":true}", true},
    {"/d=null", "{\"d\":null}", true},
    {"/2=phoenix", "[null,\"1\",\"phoenix\",\"phx_reply\",{}]", true},
    {"/params/type=test_request", "{\"params\":{\"type\":\"test_request\"}}", true},
    {"/a=", "{\"a\":\"\"}", true},
    {"/a=", "{\"a\":0}", false},
    {"/a=b=c", "{\"a\":\"b=c\"}", true},
    {"/a~1b=c", "{\"a/b\":\"c\"}", true},
    {"/a=\\n", "{\"a\":\"\\n\"}", true},
    {"/a=x", "{\"a\":\"\\u0078\"}", false},
};

START_TEST(a_pattern_means_what_the_feeds_send)
{
    ck_assert_ptr_null(pattern_flaw(wsp_view_of_string(matching[_i].pattern)));
    ck_assert_int_eq(pattern_matches(wsp_view_of_string(matching[_i].pattern),
                                     wsp_view_of_string(matching[_i].message)),
                     matching[_i].matches);
}
END_TEST

static const struct {
    const char *reply, *message, *expected; /* NULL: it cannot be made */
} replies[] = {
    {"pong", "anything", "pong"},
    {"{\"pong\":%{/ping}}", "{\"ping\":1492420473027}", "{\"pong\":1492420473027}"},
    {"%{/id}", "{\"id\":\"a\\\"b\"}", "\"a\\\"b\""},
    {"<%{/a}%{/b/0}>", "{\"b\":[{\"c\":1}],\"a\":null}", "<null{\"c\":1}>"},
    {"%{/a}", "{\"b\":1}", NULL},
    {"%{/a}", "ping", NULL},
    {"100% {} %%", "{}", "100% {} %%"},
};

START_TEST(a_reply_has_what_the_message_has)
{
    char *text = NULL;
    int r = reply_new(wsp_view_of_string(replies[_i].reply),
                      wsp_view_of_string(replies[_i].message), &text);

    ck_assert_ptr_null(reply_flaw(wsp_view_of_string(replies[_i].reply)));
    if (replies[_i].expected == NULL) {
        ck_assert_int_eq(r, 1);
        ck_assert_ptr_null(text);
    } else {
        ck_assert_int_eq(r, 0);
        ck_assert_str_eq(text, replies[_i].expected);
    }
    free(text);
}
END_TEST

START_TEST(a_reply_is_not_longer_than_a_heartbeat)
{
    struct wsp_view twice = WSP_VIEW_LITERAL("%{/0}%{/0}");
    char message[MAX_HEARTBEAT_LEN + 1] = "[\"";
    char *text;
    size_t len = MAX_HEARTBEAT_LEN / 2;

    /* Between the brackets as much as fits twice, then one more. */
    memset(message + 2, 'x', len - 2);
    strcpy(message + 1 + len - 1, "\"]");
    ck_assert_int_eq(reply_new(twice, wsp_view_of_string(message), &text), 0);
    ck_assert_uint_eq(strlen(text), MAX_HEARTBEAT_LEN);
    free(text);
    strcpy(message + 1 + len - 1, "x\"]");
    ck_assert_int_eq(reply_new(twice, wsp_view_of_string(message), &text), 1);
}
END_TEST

START_TEST(no_memory_for_a_reply)
{
    char *text = NULL;
    int r = -ENOMEM;

    for (size_t n = 0; r == -ENOMEM; n++) {
        allocation_fail_after(n);
        r = reply_new(WSP_VIEW_LITERAL("a%{/0}"), WSP_VIEW_LITERAL("[1]"), &text);
        ck_assert_int_eq(allocation_disarm(), r == -ENOMEM);
    }
    ck_assert_int_eq(r, 0);
    ck_assert_str_eq(text, "a1");
    free(text);
}
END_TEST

static const char *const flawed_patterns[] = {"/a~b=c", "/~=", "/a/~2=x"};
static const char *const flawed_replies[] = {"%{/a", "a %{/b~} c", "%{/a} %{/", "%{/~2}"};

START_TEST(what_is_no_pointer_is_told)
{
    for (size_t i = 0; i < N_OF(flawed_patterns); i++)
        ck_assert_ptr_nonnull(pattern_flaw(wsp_view_of_string(flawed_patterns[i])));
    for (size_t i = 0; i < N_OF(flawed_replies); i++)
        ck_assert_ptr_nonnull(reply_flaw(wsp_view_of_string(flawed_replies[i])));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pattern");
    TCase *all = unit_case(suite, "pattern");

    tcase_add_loop_test(all, a_pattern_means_what_the_feeds_send, 0, N_OF(matching));
    tcase_add_loop_test(all, a_reply_has_what_the_message_has, 0, N_OF(replies));
    tcase_add_test(all, a_reply_is_not_longer_than_a_heartbeat);
    tcase_add_test(all, no_memory_for_a_reply);
    tcase_add_test(all, what_is_no_pointer_is_told);
    return suite;
}
