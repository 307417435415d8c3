/*
 * test_option_rules: options that are right by themselves and wrong together, each told with the line of its key.
 *
 * Invariant: every rule of daemon/option_rules.def about endpoints is broken by a row of the table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/option_rules.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/config_files.h"
#include "tests/harness/unit.h"

/* Options that contradict each other, or mean nothing where they stand. The key is at fault, in the first line behind the
 * url that has it. */
static const struct {
    const char *line, *problem;
    const char *url;
} contradictions[] = {
#define PLAIN "ws://h"
#define TLS   "wss://h"
#define UNIX  "'ws+unix:/s'"
    {"pin = {} persist = yes", "pin: an empty list pins nothing; leave it out", TLS},
    {"allow = {} persist = yes", "allow: an empty list forbids nothing; leave it out", TLS},
    {"users = {} groups = {} ping = 0", "users: an empty list keeps nobody out;", TLS},
    {"ca-file = /etc/passwd", "ca-file: the URL is one without TLS;", PLAIN},
    {"ca-path = /etc", "ca-path: the URL is one without TLS;", PLAIN},
    {"cert-file = /etc/passwd", "cert-file: the URL is one without TLS;", UNIX},
    {"pin = 'sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='", "pin: the URL is one without",
     PLAIN},
    {"insecure-tls = x", "insecure-tls: the URL is one without TLS; leave it out", PLAIN},
    {"insecure-tls = y", "insecure-tls: it must be the name of the endpoint that it stands", TLS},
    {"insecure-tls = x ca-file = /etc/passwd", "ca-file: with insecure-tls no certificate", TLS},
    {"insecure-tls = x ca-path = /etc", "ca-path: with insecure-tls no certificate is ver", TLS},
    {"key-file = /etc/passwd", "key-file: there is no certificate that it belongs to;", TLS},
    {"proxy = none", "proxy: a Unix socket is never reached through a proxy; leave it out", UNIX},
    {"no-proxy = h", "no-proxy: a Unix socket is never reached through a proxy;", UNIX},
    {"proxy = none no-proxy = h", "no-proxy: with proxy = none there is no proxy to go round;",
     TLS},
    {"allow = {'*'}", "allow: these rules do not hold for a Unix socket;", UNIX},
    {"deny = {'*'}", "deny: these rules do not hold for a Unix socket;", UNIX},
    {"deny = {'*'}", "deny: the endpoint's own URL is among what it forbids;", PLAIN},
    {"deny = {'h'}", "deny: the endpoint's own URL is among what it forbids;", PLAIN},
    {"allow = {'i'}", "allow: the endpoint's own URL is not among what it allows and deny", PLAIN},
    {"allow = {'public'}", "allow: the endpoint's own URL is not among what", "'ws://127.0.0.1'"},
    {"tcp-keepalive = 1s", "tcp-keepalive: a Unix socket does not speak TCP;", UNIX},
    {"tcp-user-timeout = 1s", "tcp-user-timeout: a Unix socket does not speak TCP;", UNIX},
    {"deflate = no deflate-context-takeover = no", "deflate-context-takeover: with deflate =", TLS},
    {"deflate-window-bits = 9 deflate = no", "deflate-window-bits: with deflate = no noth", TLS},
    {"share = no users = {'root: open join send'}", "users: with share = no nobody meets", TLS},
    {"share = no groups = {'root: open send control'}", "groups: with share = no nobody", TLS},
    {"users = {'root: join receive'}", "users: users may join, and nobody may open what", TLS},
    {"groups = {'root: join receive'}", "groups: groups may join, and nobody may open", TLS},
    {"share = no linger = 1s", "linger: with share = no a connection ends with its program;", TLS},
    {"share = no replay = 1", "replay: with share = no nobody joins late; leave one", TLS},
    {"share = no replay-bytes = 1", "replay-bytes: with share = no nobody joins late;", TLS},
    {"replay-bytes = 1", "replay-bytes: nothing is kept without replay; give it as well", TLS},
    {"replay-bytes = 0 replay = 1", "replay-bytes: so nothing is kept, whatever replay says;", TLS},
    {"conflate-key = 'prefix:1'", "conflate-key: only with slow-consumer = conflate messages", TLS},
    {"block-timeout = 1s", "block-timeout: only with slow-consumer = block a slow program", TLS},
    {"share = no block-timeout = 1s", "block-timeout: with share = no a slow program holds", TLS},
    {"share = no route-replies = yes", "route-replies: with share = no every reply goes to", TLS},
    {"route-member = i", "route-member: nothing is routed without route-replies = yes; add it",
     TLS},
    {"route-replies = no route-timeout = 1s", "route-timeout: nothing is routed without", TLS},
    {"route-pending = 1", "route-pending: nothing is routed without route-replies = yes;", TLS},
    {"ping = 0 pong-timeout = 1s", "pong-timeout: with ping = 0 there is no ping to answer;", TLS},
    {"heartbeat-interval = 1s", "heartbeat-interval: nothing is sent so often; give heart", TLS},
    {"heartbeat-answer = a", "heartbeat-answer: nothing is sent that could be answered;", TLS},
    {"heartbeat = a heartbeat-timeout = 1s", "heartbeat-timeout: no answer is waited for;", TLS},
    {"heartbeat-request = a", "heartbeat-request: it is not said what is answered;", TLS},
    {"heartbeat-reply = a", "heartbeat-reply: it is not said what is answered with it;", TLS},
    {"autostart = yes share = no", "autostart: a connection that stands before any program", TLS},
    {"autostart = yes persist = no", "persist: with autostart a connection is always made", TLS},
    {"rotate = 1h", "rotate: only a connection that persists is made anew; add persist = yes", TLS},
    {"backoff-min = 1s", "backoff-min: only a connection that persists is made anew;", TLS},
    {"backoff-max = 1h", "backoff-max: only a connection that persists is made anew;", TLS},
    {"min-uptime = 1s", "min-uptime: only a connection that persists is made anew;", TLS},
    {"final-codes = {}", "final-codes: only a connection that persists is made anew;", TLS},
    {"offline = queue", "offline: only a connection that persists can be away and come back;", TLS},
    {"persist = yes backoff-min = 2min", "backoff-min: it is longer than backoff-max, which", TLS},
    {"persist = yes backoff-max = 1ms", "backoff-max: it is shorter than backoff-min, which", TLS},
};

/* Whatever else stands around it, and however many there are: two endpoints, two lines. */
START_TEST(each_contradiction_is_told_with_the_line_of_its_key)
{
    const char *line = contradictions[_i].line, *problem = contradictions[_i].problem;
    const char *url = contradictions[_i].url;
    struct collector collector;
    struct config *config = NULL;
    char text[512], expected[2][256];
    char *rest;

    snprintf(text, sizeof(text),
             "endpoint x {\n\nurl = %s\n%s\n\n}\n"
             "endpoint good { url = ws://h }\n"
             "endpoint \"x.2\" {\n%s\n\nurl = %s\n}\n",
             url, line, line, url);
    snprintf(expected[0], sizeof(expected[0]), "wsplexd.conf:4: endpoint \"x\": %s", problem);
    snprintf(expected[1], sizeof(expected[1]), "\nwsplexd.conf:9: endpoint \"x.2\": ");
    config_file_write("wsplexd.conf", text);
    ck_assert_int_gt(config_files_load(&collector, &config), 0);
    ck_assert_msg(strncmp(collector.text, expected[0], strlen(expected[0])) == 0, "%s",
                  collector.text);
    rest = strstr(collector.text, expected[1]);
    ck_assert_msg(rest != NULL, "%s", collector.text);
}
END_TEST

/* Every rule has its row above: a table of rules that nobody breaks is none. */
START_TEST(each_rule_is_broken_by_a_contradiction)
{
    static const char *const rules[] = {
#define ENDPOINT_RULE(member, is_broken, text) text,
#include "daemon/option_rules.def"
    };

    for (size_t i = 0; i < N_OF(rules); i++) {
        bool is_there = false;

        for (size_t j = 0; !is_there && j < N_OF(contradictions); j++) {
            const char *told = strchr(contradictions[j].problem, ':') + 2;

            is_there = strncmp(rules[i], told, strlen(told)) == 0;
        }
        ck_assert_msg(is_there, "%s", rules[i]);
    }
}
END_TEST

/* Where nothing is said everybody may, so an empty list is not what it looks like. */
START_TEST(an_empty_list_is_no_way_to_forbid)
{
    struct collector collector;
    struct config *config = NULL;

    config_file_write("wsplexd.conf", "deny = {}\nallow = {}\nfree-users = {}\nfree-groups = {}\n");
    ck_assert_int_gt(config_files_load(&collector, &config), 0);
    ck_assert_str_eq(collector.text,
                     "wsplexd.conf:3: free-users: an empty list keeps nobody out; write {\"*: "
                     "none\"} for that, or leave it out\n"
                     "wsplexd.conf:2: allow: an empty list forbids nothing more than none; write "
                     "deny = {\"*\"} to forbid everything\n");
}
END_TEST

/* They may stand in several files, and each problem has the one with its key. */
START_TEST(options_of_the_daemon_are_compared_over_all_files)
{
    struct collector collector;
    struct config *config = NULL;

    config_directory_make("conf.d");
    config_file_write("wsplexd.conf", "\nno-proxy = h\nsocket-group = root\nmax-clients = 1\n");
    config_file_write("conf.d/1.conf", "proxy = none\nsocket-mode = 0600\n");
    config_file_write("conf.d/2.conf", "\nmax-clients = 1\nmax-channels = 0\n");
    ck_assert_int_gt(config_files_load(&collector, &config), 0);
    ck_assert_ptr_nonnull(strstr(collector.text, "2.conf:2: max-clients: this key stands in /"));
    ck_assert_ptr_nonnull(strstr(collector.text, "/wsplexd.conf, line 4, already\n"
                                                 "2.conf:3: max-channels: 0 is too small;"));
    ck_assert_ptr_nonnull(strstr(collector.text, "\nwsplexd.conf:2: no-proxy: with proxy = none "));
    ck_assert_ptr_nonnull(strstr(collector.text, "\nwsplexd.conf:3: socket-group: socket-mode le"));
    config_file_write("wsplexd.conf", "no-proxy = ''\nsocket-group = root\n");
    config_file_write("conf.d/1.conf", "proxy = none\n");
    config_file_write("conf.d/2.conf", "\n");
    ck_assert_int_eq(config_files_load(&collector, &config), 0);
    config_free(config);
    ck_assert_int_gt(config_load(config_file_path(), true, CONFIG_USER, &collector.base, &config),
                     0);
    ck_assert_str_eq(collector.text,
                     "wsplexd.conf:2: socket-group: socket-mode lets no group in; write "
                     "socket-mode = 0660 as well\n");
}
END_TEST

/* All that is wrong with values is told in one run, up to a bound; what follows from it is not. */
START_TEST(one_run_tells_everything)
{
    struct collector collector;
    struct config *config = NULL;
    char text[1024] = "";
    size_t n_lines = 0;

    config_file_write("wsplexd.conf", "max-clients = 0\n"
                                      "endpoint x { url = ftp://h\n heartbeat-answer = pong }\n"
                                      "endpoint y { heartbeat-answer = pong }\n"
                                      "endpoint z { url = ws://h\n heartbeat-answer = pong }\n");
    ck_assert_int_gt(config_files_load(&collector, &config), 0);
    ck_assert_str_eq(collector.text,
                     "wsplexd.conf:1: max-clients: 0 is too small; the least is 1\n"
                     "wsplexd.conf:2: url: the URL's scheme is not ws, wss, http or https; begin "
                     "with wss://\n"
                     "wsplexd.conf:4: endpoint \"y\": url is missing; write url = \"wss://...\"\n"
                     "wsplexd.conf:6: endpoint \"z\": heartbeat-answer: nothing is sent that could "
                     "be answered; give heartbeat as well\n");
    for (int i = 0; i < 40; i++)
        strcat(text, "stop-timeout = 1\n");
    config_file_write("wsplexd.conf", text);
    ck_assert_int_gt(config_files_load(&collector, &config), 0);
    for (const char *at = collector.text; (at = strchr(at, '\n')) != NULL; at++)
        n_lines++;
    ck_assert_uint_eq(n_lines, 20);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("option_rules");
    TCase *files = unit_case(suite, "files");

    tcase_add_checked_fixture(files, config_files_begin, config_files_end);
    tcase_add_loop_test(files, each_contradiction_is_told_with_the_line_of_its_key, 0,
                        N_OF(contradictions));
    tcase_add_test(files, each_rule_is_broken_by_a_contradiction);
    tcase_add_test(files, options_of_the_daemon_are_compared_over_all_files);
    tcase_add_test(files, an_empty_list_is_no_way_to_forbid);
    tcase_add_test(files, one_run_tells_everything);
    return suite;
}
