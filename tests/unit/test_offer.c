/*
 * test_offer: the parameters of permessage-deflate, offered, answered and judged (RFC 7692, section
 * 7.1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/offer.h"
#include "tests/harness/unit.h"

#include <stdio.h>
#include <string.h>

#define P "permessage-deflate"

static const struct wsp_deflate_params bare = {0};
static const struct wsp_deflate_params usual = {.client_max_window_bits = WSP_DEFLATE_BITS_ANY};
static const struct wsp_deflate_params all = {true, true, 10, 12};

/* -- writing -- */

START_TEST(offers_are_written)
{
    static const struct {
        struct wsp_deflate_params params;
        const char *text;
    } rows[] = {
        {{0}, P},
        {{.client_max_window_bits = WSP_DEFLATE_BITS_ANY}, P "; client_max_window_bits"},
        {{.server_no_context_takeover = true}, P "; server_no_context_takeover"},
        {{.client_no_context_takeover = true}, P "; client_no_context_takeover"},
        {{.server_max_window_bits = 8}, P "; server_max_window_bits=8"},
        {{true, true, 15, 15},
         P "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; "
           "client_max_window_bits=15"},
        {{true, true, 15, WSP_DEFLATE_BITS_ANY},
         P "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; "
           "client_max_window_bits"},
    };

    for (int i = 0; i < N_OF(rows); i++) {
        char text[WSP_DEFLATE_TEXT_LEN];

        ck_assert_uint_eq(wsp_deflate_params_write(&rows[i].params, text), strlen(rows[i].text));
        ck_assert_str_eq(text, rows[i].text);
    }
}
END_TEST

/* -- client: judging -- */

/* "15t/12n": window bits and context takeover of the server, then of the client; "-": not in force. */
static const char *describe(const struct wsp_deflate_agreement *agreement)
{
    static char text[16];

    if (!agreement->is_on)
        return "-";
    snprintf(text, sizeof(text), "%u%c/%u%c", agreement->from_server.window_bits,
             agreement->from_server.is_taking_over ? 't' : 'n', agreement->from_client.window_bits,
             agreement->from_client.is_taking_over ? 't' : 'n');
    return text;
}

static const struct {
    const struct wsp_deflate_params *offered;
    const char *answer;
    const char *agreed; /* or a word of the reason, behind a ! */
} answers[] = {
    /* nothing is in force without an answer */
    {&usual, "", "-"},
    {&usual, " , ", "-"},
    {NULL, "", "-"},
    /* what was not offered */
    {NULL, P, "!not offered"},
    {&usual, "permessage-bzip2", "!not offered"},
    {&usual, "x-webkit-deflate-frame", "!not offered"},
    {&usual, P ", foo", "!not offered"},
    {&usual, P "=1", "!not offered"},
    {&usual, P ", " P, "!twice"},
    {&usual, P "; server_no_context_takeover, " P, "!twice"},
    /* 7.1: nothing unknown, nothing twice, nothing malformed */
    {&usual, P, "15t/15t"},
    {&usual, P "; x", "!does not exist"},
    {&usual, P "; x=1", "!does not exist"},
    {&usual, P "; Server_No_Context_Takeover", "!does not exist"},
    {&usual, P "; server_no_context_takeover; server_no_context_takeover", "!twice"},
    {&usual, P "; client_no_context_takeover; client_no_context_takeover", "!twice"},
    {&usual, P "; server_max_window_bits=9; server_max_window_bits=9", "!twice"},
    {&usual, P "; client_max_window_bits=9; client_max_window_bits=10", "!twice"},
    {&usual, P ";", "!malformed"},
    {&usual, P "; server_max_window_bits=", "!malformed"},
    {&usual, P "; server_max_window_bits=\"9", "!malformed"},
    /* 7.1.1: no values */
    {&usual, P "; server_no_context_takeover", "15n/15t"},
    {&usual, P "; client_no_context_takeover", "15t/15n"},
    {&usual, P ";client_no_context_takeover;server_no_context_takeover", "15n/15n"},
    {&usual, P "; server_no_context_takeover=true", "!has a value"},
    {&usual, P "; client_no_context_takeover=\"\"", "!has a value"},
    /* 7.1.2: 8 to 15, without leading zeros */
    {&usual, P "; server_max_window_bits=8", "8t/15t"},
    {&usual, P "; server_max_window_bits=15", "15t/15t"},
    {&usual, P "; server_max_window_bits=\"10\"", "10t/15t"},
    {&usual, P "; client_max_window_bits=8", "15t/8t"},
    {&usual, P "; client_max_window_bits=15", "15t/15t"},
    {&usual, P "; server_max_window_bits", "!8 to 15"},
    {&usual, P "; client_max_window_bits", "!8 to 15"},
    {&usual, P "; server_max_window_bits=7", "!8 to 15"},
    {&usual, P "; server_max_window_bits=16", "!8 to 15"},
    {&usual, P "; server_max_window_bits=08", "!8 to 15"},
    {&usual, P "; server_max_window_bits=010", "!8 to 15"},
    {&usual, P "; server_max_window_bits=\"015\"", "!8 to 15"},
    {&usual, P "; server_max_window_bits=1", "!8 to 15"},
    {&usual, P "; server_max_window_bits=0", "!8 to 15"},
    {&usual, P "; server_max_window_bits=1a", "!8 to 15"},
    {&usual, P "; client_max_window_bits=-8", "!8 to 15"},
    {&usual, P "; client_max_window_bits=100", "!8 to 15"},
    {&usual, P "; client_max_window_bits=\"\"", "!8 to 15"},
    /* 7.1.1.1: what was asked of the server */
    {&all, P, "!server_no_context_takeover"},
    {&all, P "; server_no_context_takeover", "!server_max_window_bits"},
    {&all, P "; server_no_context_takeover; server_max_window_bits=11", "!server_max_window_bits"},
    {&all, P "; server_no_context_takeover; server_max_window_bits=10", "10n/12n"},
    {&all, P "; server_no_context_takeover; server_max_window_bits=8", "8n/12n"},
    /* 7.1.2.2: of the client only what it has offered; its own promise holds in any case */
    {&bare, P "; client_max_window_bits=15", "!7.1.2.2"},
    {&bare, P "; server_max_window_bits=9", "9t/15t"},
    {&bare, P "; client_no_context_takeover; server_no_context_takeover", "15n/15n"},
    {&all, P "; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=15",
     "10n/12n"},
    {&all, P "; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9",
     "10n/9n"},
};

START_TEST(answers_are_judged)
{
    struct wsp_deflate_agreement agreement;
    const char *why = NULL;
    int r = wsp_deflate_judge(wsp_view_of_string(answers[_i].answer), answers[_i].offered,
                              &agreement, &why);

    if (answers[_i].agreed[0] == '!') {
        ck_assert_int_eq(r, WSP_BROKEN);
        ck_assert_msg(strstr(why, answers[_i].agreed + 1) != NULL, "%s: %s", answers[_i].answer,
                      why);
    } else {
        ck_assert_int_eq(r, 0);
        ck_assert_str_eq(describe(&agreement), answers[_i].agreed);
    }
}
END_TEST

/* -- server: choosing -- */

static const struct {
    const char *offers;
    struct wsp_deflate_params wanted;
    const char *answer; /* NULL: none */
    const char *agreed;
} choices[] = {
    {"", {0}, NULL, ""},
    {"foo", {0}, NULL, ""},
    {P, {0}, P, "15t/15t"},
    {P "; client_max_window_bits", {0}, P, "15t/15t"},
    {P "; client_max_window_bits",
     {.client_max_window_bits = 9},
     P "; client_max_window_bits=9",
     "15t/9t"},
    /* 7.1.2.2: not to a client that has not offered it */
    {P, {.client_max_window_bits = 9}, P, "15t/15t"},
    {P "; client_max_window_bits=10",
     {.client_max_window_bits = 12},
     P "; client_max_window_bits=10",
     "15t/10t"},
    {P "; client_max_window_bits=10", {0}, P, "15t/10t"},
    {P "; server_max_window_bits=10", {0}, P "; server_max_window_bits=10", "10t/15t"},
    {P "; server_max_window_bits=10",
     {.server_max_window_bits = 9},
     P "; server_max_window_bits=9",
     "9t/15t"},
    {P, {.server_max_window_bits = 9}, P "; server_max_window_bits=9", "9t/15t"},
    {P "; server_no_context_takeover", {0}, P "; server_no_context_takeover", "15n/15t"},
    {P "; client_no_context_takeover", {0}, P "; client_no_context_takeover", "15t/15n"},
    {P,
     {true, true, 0, 0},
     P "; server_no_context_takeover; client_no_context_takeover",
     "15n/15n"},
    /* 7: an offer that may not be is declined, and the next one looked at */
    {P "; x", {0}, NULL, ""},
    {P "; server_max_window_bits", {0}, NULL, ""},
    {P "; client_max_window_bits=16, " P "; server_no_context_takeover, " P,
     {0},
     P "; server_no_context_takeover",
     "15n/15t"},
    {"foo; bar=1, " P, {0}, P, "15t/15t"},
};

/* What the server answers, the client that offered it must take for the same. */
START_TEST(offers_are_chosen_from)
{
    struct wsp_deflate_params answer;
    struct wsp_deflate_agreement agreement;
    char text[WSP_DEFLATE_TEXT_LEN];
    bool is_chosen = wsp_deflate_choose(wsp_view_of_string(choices[_i].offers), &choices[_i].wanted,
                                        &answer, &agreement);

    ck_assert_int_eq(is_chosen, choices[_i].answer != NULL);
    if (!is_chosen)
        return;
    wsp_deflate_params_write(&answer, text);
    ck_assert_str_eq(text, choices[_i].answer);
    ck_assert_str_eq(describe(&agreement), choices[_i].agreed);
}
END_TEST

static void assert_both_agree(const struct wsp_deflate_params *offer,
                              const struct wsp_deflate_params *wanted)
{
    struct wsp_deflate_params answer;
    struct wsp_deflate_agreement of_server, of_client;
    char text[WSP_DEFLATE_TEXT_LEN], expected[16];
    const char *why = "";

    wsp_deflate_params_write(offer, text);
    ck_assert(wsp_deflate_choose(wsp_view_of_string(text), wanted, &answer, &of_server));
    wsp_deflate_params_write(&answer, text);
    ck_assert_msg(wsp_deflate_judge(wsp_view_of_string(text), offer, &of_client, &why) == 0,
                  "%s: %s", text, why);
    strcpy(expected, describe(&of_server));
    ck_assert_str_eq(describe(&of_client), expected);
}

START_TEST(every_offer_and_wish_agree)
{
    static const uint8_t bits[] = {0, 8, 9, 12, 15, WSP_DEFLATE_BITS_ANY};

    for (unsigned flags = 0; flags < 16; flags++) {
        for (unsigned i = 0; i < 5 * 6 * 5 * 5; i++) {
            struct wsp_deflate_params offer = {flags & 1, flags & 2, bits[i % 5], bits[i / 5 % 6]};
            struct wsp_deflate_params wanted = {flags & 4, flags & 8, bits[i / 30 % 5],
                                                bits[i / 150 % 5]};

            assert_both_agree(&offer, &wanted);
        }
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("offer");
    TCase *rules = unit_case(suite, "rules");

    tcase_add_test(rules, offers_are_written);
    tcase_add_loop_test(rules, answers_are_judged, 0, N_OF(answers));
    tcase_add_loop_test(rules, offers_are_chosen_from, 0, N_OF(choices));
    tcase_add_test(rules, every_offer_and_wish_agree);
    return suite;
}
