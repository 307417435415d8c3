/*
 * test_config: the configuration's files, good ones and bad ones, each problem with its line.
 *
 * Invariant: every row of the tables is one file, and what is told about it is compared whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/config_files.h"
#include "tests/harness/unit.h"

static struct config *load_good(const char *text)
{
    struct collector collector;
    struct config *config = NULL;
    int r;

    config_file_write("wsplexd.conf", text);
    r = config_files_load(&collector, &config);
    ck_assert_msg(r == 0, "%s", collector.text);
    ck_assert_str_eq(collector.text, "");
    return config;
}

START_TEST(an_empty_file_gives_the_defaults)
{
    struct config *config = load_good("");

    ck_assert_ptr_null(config->daemon.socket);
    ck_assert_ptr_null(config->daemon.ca_file);
    ck_assert_uint_eq(config->daemon.log_level, 2);
    ck_assert_uint_eq(config->daemon.stop_timeout_ms, 10000);
    ck_assert_uint_eq(config->daemon.socket_group, OPTION_NO_GROUP);
    ck_assert_uint_eq(config->daemon.given, 0);
    ck_assert_uint_eq(config->n_endpoints, 0);
    config_free(config);
}
END_TEST

START_TEST(no_file_gives_the_defaults_unless_it_was_asked_for)
{
    struct collector collector;
    struct config *config = NULL;

    collector_init(&collector);
    ck_assert_int_eq(config_load(config_file_path(), false, CONFIG_USER, &collector.base, &config),
                     0);
    config_free(config);
    ck_assert_int_gt(config_files_load(&collector, &config), 0);
    ck_assert_str_eq(collector.text, "wsplexd.conf:0: cannot be read: No such file or directory\n");
}
END_TEST

START_TEST(every_kind_of_value)
{
    struct config *config =
        load_good("# a comment\n"
                  "socket = /tmp/a.sock\n"
                  "socket-mode = 0666\n"
                  "socket-group = root\n"
                  "admin-group = 7\n"
                  "log-level = debug\n"
                  "stop-timeout = 1min // another\n"
                  "max-clients = 3\n"
                  "state-dir = /tmp/state\n"
                  "free-send-rate = {\"10/s\"}\n"
                  "max-queued = 64MiB\n"
                  "proxy = \"http://user:secret@proxy.example:3128\"\n"
                  "no-proxy = \".example 10.0.0.0/8\"\n"
                  "endpoint \"feed\" {\n"
                  "    url = \"WSS://Feed.example:443/v1?token=x\"\n"
                  "    protocols = {\"v2.json\", 'v1'}\n"
                  "    headers = {\"Authorization: Bearer a:b\", \"X-Empty:\"}\n"
                  "    share = no\n"
                  "    slow-consumer = block\n"
                  "    queue = 1GiB\n"
                  "    proxy = none\n"
                  "    no-proxy = \"\"\n"
                  "    max-message = \"1 MiB\"\n"
                  "    greeting = {'{\"op\":\"login\"}', \"a\\\\b\", '%{credential:c} 100%'}\n"
                  "    heartbeat = \"\\n\"\n"
                  "    heartbeat-request = \"/ping=1\"\n"
                  "    heartbeat-reply = '{\"pong\":%{/ping}}'\n"
                  "    connect-rate = \"300 connections per 5 minutes\"\n"
                  "    send-rate = {\"5 messages per second\", 1000/day}\n"
                  "}\n"
                  "endpoint b {\n url = ws://[::1]:8080/a linger = 0 slow-consumer = block\n"
                  "block-timeout = 250ms persist = yes final-codes = {}\n}\n"
                  "endpoint c { url = \"ws+unix:/run/x.sock:/a\" }\n");
    const struct daemon_options *daemon = &config->daemon;
    const struct endpoint *feed = config_find_endpoint(config, WSP_VIEW_LITERAL("feed"));

    ck_assert_str_eq(daemon->socket, "/tmp/a.sock");
    ck_assert_uint_eq(daemon->socket_mode, 0666);
    ck_assert_uint_eq(daemon->socket_group, 0);
    ck_assert_uint_eq(daemon->admin_group, 7);
    ck_assert_uint_eq(daemon->log_level, 4);
    ck_assert_uint_eq(daemon->stop_timeout_ms, 60000);
    ck_assert_uint_eq(daemon->max_clients, 3);
    ck_assert_uint_eq(daemon->max_queued_bytes, 64 << 20);
    ck_assert_str_eq(daemon->proxy, "http://user:secret@proxy.example:3128");
    ck_assert_str_eq(daemon->no_proxy, ".example 10.0.0.0/8");
    ck_assert_uint_eq(config->n_endpoints, 3);
    ck_assert_ptr_nonnull(feed);
    ck_assert_str_eq(daemon->state_dir, "/tmp/state");
    ck_assert_uint_eq(daemon->free_connect_rate.n_items, 0);
    ck_assert_str_eq(daemon->free_send_rate.items[0], "10 per s");
    ck_assert_uint_eq(feed->options.connect_rate.n_items, 1);
    ck_assert_str_eq(feed->options.connect_rate.items[0], "300 per 5min");
    ck_assert_uint_eq(feed->options.send_rate.n_items, 2);
    ck_assert_str_eq(feed->options.send_rate.items[1], "1000 per day");
    ck_assert_str_eq(feed->options.proxy, "none");
    ck_assert_str_eq(feed->options.no_proxy, "");
    ck_assert_str_eq(config->endpoints[1].url.socket_path, "/run/x.sock");
    ck_assert_str_eq(feed->url.href, "wss://feed.example/v1?token=x");
    ck_assert_uint_eq(feed->options.protocols.n_items, 2);
    ck_assert_str_eq(feed->options.protocols.items[1], "v1");
    ck_assert_uint_eq(feed->options.headers.n_items, 4);
    ck_assert_str_eq(feed->options.headers.items[1], "Bearer a:b");
    ck_assert_str_eq(feed->options.headers.items[3], "");
    ck_assert_uint_eq(feed->options.is_shared, 0);
    ck_assert_uint_eq(feed->options.slow_consumer, SLOW_BLOCK);
    ck_assert_uint_eq(feed->options.queue_bytes, 1 << 30);
    ck_assert_uint_eq(config->endpoints[0].options.linger_ms, 0);
    ck_assert_uint_eq(config->endpoints[0].options.block_timeout_ms, 250);
    ck_assert_uint_eq(config->endpoints[0].options.final_codes.n_items, 0);
    ck_assert(option_is_given(config->endpoints[0].options.given, ENDPOINT_OPTION_final_codes));
    ck_assert_uint_eq(feed->options.max_message, 1 << 20);
    ck_assert_uint_eq(feed->options.greeting.n_items, 3);
    ck_assert_str_eq(feed->options.greeting.items[0], "{\"op\":\"login\"}");
    ck_assert_str_eq(feed->options.greeting.items[1], "a\\b");
    ck_assert_str_eq(feed->options.greeting.items[2], "%{credential:c} 100%");
    ck_assert_str_eq(feed->options.heartbeat, "\n");
    ck_assert_str_eq(feed->options.heartbeat_request, "/ping=1");
    ck_assert_str_eq(feed->options.heartbeat_reply, "{\"pong\":%{/ping}}");
    ck_assert_ptr_null(feed->options.heartbeat_answer);
    ck_assert_uint_eq(feed->options.close_timeout_ms, TARGET_DEFAULT_CLOSE_TIMEOUT_MS);
    ck_assert_str_eq(config->endpoints[0].url.href, "ws://[::1]:8080/a");
    ck_assert_int_eq(feed->line, 14);
    ck_assert_int_eq(feed->lines[ENDPOINT_OPTION_url], 15);
    ck_assert_int_eq(feed->lines[ENDPOINT_OPTION_greeting], 24);
    ck_assert_int_eq(feed->lines[ENDPOINT_OPTION_linger_ms], 0);
    ck_assert_ptr_null(config_find_endpoint(config, WSP_VIEW_LITERAL("fee")));
    ck_assert_ptr_null(config_find_endpoint(config, WSP_VIEW_LITERAL("")));
    config_free(config);
}
END_TEST

#define IN_ENDPOINT(line) "endpoint \"x\" {\n url = \"ws://h\"\n " line "\n}\n"

static const struct {
    const char *text, *problem;
} bad[] = {
    /* rates */
    {IN_ENDPOINT("send-rate = {\"5 per second\", \"5 apples\"}"),
     "wsplexd.conf:3: send-rate: \"5 apples\" is not understood; write a number, per, and a time "
     "in "
     "ms, s, min, h, days or weeks, as in \"5 messages per second\"\n"},
    {IN_ENDPOINT("connect-rate = \"5 per month\""),
     "wsplexd.conf:3: connect-rate: \"5 per month\" is not understood; write a number, per, and a "
     "time in ms, s, min, h, days or weeks, as in \"300 connections per 5 minutes\"\n"},
    {IN_ENDPOINT("connect-rate = \"5 messages per second\""),
     "wsplexd.conf:3: connect-rate: \"5 messages per second\" counts something else; this counts "
     "connections\n"},
    {"free-send-rate = \"0/s\"\n",
     "wsplexd.conf:1: free-send-rate: \"0/s\" must count from 1 to 1000000000\n"},
    {"free-connect-rate = \"1 per 32 days\"\n",
     "wsplexd.conf:1: free-connect-rate: \"1 per 32 days\" must be per at least 100 ms and at most "
     "31 days\n"},
    {IN_ENDPOINT("send-rate = {1/s, 2/s, 3/s, 4/s, 5/s, 6/s, 7/s, 8/s, 9/s}"),
     "wsplexd.conf:3: send-rate: more than 8\n"},
    /* proxies, whose URLs are never quoted */
    {"\nproxy = \"https://user:secret@h\"\n",
     "wsplexd.conf:2: proxy: a proxy that is itself reached over TLS is not supported; begin with "
     "http://, socks5:// or socks5h://\n"},
    {IN_ENDPOINT("proxy = \"user:secret@h/path\""),
     "wsplexd.conf:3: proxy: a proxy has no path; end after its port\n"},
    {IN_ENDPOINT("no-proxy = \"h, 10.0.0.0/33\""),
     "wsplexd.conf:3: no-proxy: \"10.0.0.0/33\" is no host, address or network, as in "
     "\"example.org, 192.0.2.0/24\"\n"},
    {"endpoint x { url = \"ws+unix:x.sock\" }\n",
     "wsplexd.conf:1: url: the URL does not name a Unix socket; write "
     "ws+unix:/path/of/socket:/request/path\n"},
    /* keys */
    {"\nsockett = /a\n", "wsplexd.conf:2: sockett: there is no such key; did you mean socket?\n"},
    {"Log_Level = debug\n",
     "wsplexd.conf:1: Log_Level: there is no such key; did you mean log-level?\n"},
    {"banana = 1\n", "wsplexd.conf:1: banana: there is no such key outside of an endpoint\n"},
    {"linger = 5s\n",
     "wsplexd.conf:1: linger: only an endpoint has this key; write it inside endpoint "
     "\"name\" { }\n"},
    {IN_ENDPOINT("lingre = 5s"),
     "wsplexd.conf:3: lingre: there is no such key; did you mean linger?\n"},
    {IN_ENDPOINT("banana = 5s"), "wsplexd.conf:3: banana: there is no such key in an endpoint\n"},
    /* Perhaps the value of a header that is no longer on its line. */
    {IN_ENDPOINT("\"Bearer 9f86d081\" = 1"),
     "wsplexd.conf:3: what stands here is no key of an endpoint; write key = value, and a value "
     "with blanks between quotation marks\n"},
    {"hunter2 = 1\n",
     "wsplexd.conf:1: what stands here is no key outside of an endpoint; write key = value, and a "
     "value with blanks between quotation marks\n"},
    {IN_ENDPOINT("log-level = info"),
     "wsplexd.conf:3: log-level: an endpoint has no such key; write it outside of the braces\n"},
    {"max-clients = 1\nmax-clients = 2\n",
     "wsplexd.conf:2: max-clients: this key stands here twice; the first time in line 1\n"},
    {IN_ENDPOINT("protocols = {a}\n protocols = {b}"),
     "wsplexd.conf:4: protocols: this key stands here twice; the first time in line 3\n"},
    /* values */
    {"socket = run/wsplex.sock\n",
     "wsplexd.conf:1: socket: \"run/wsplex.sock\" is not an absolute path; it must begin with /\n"},
    {"socket-mode = 0999\n", "wsplexd.conf:1: socket-mode: \"0999\" is not understood; write three "
                             "octal digits, as in 0660\n"},
    {"socket-group = nobody-has-it\n",
     "wsplexd.conf:1: socket-group: \"nobody-has-it\" is not understood; "
     "write the name or the number of a group of this machine\n"},
    {"log-level = loud\n",
     "wsplexd.conf:1: log-level: \"loud\" is not one of error|warning|notice|info|debug\n"},
    {"max-clients = 0\n", "wsplexd.conf:1: max-clients: 0 is too small; the least is 1\n"},
    {"max-clients = many\n",
     "wsplexd.conf:1: max-clients: \"many\" is not understood; write a whole number\n"},
    {"max-clients = 18446744073709551617\n",
     "wsplexd.conf:1: max-clients: \"18446744073709551617\" is not "
     "understood; write a whole number\n"},
    {"ca-file = /nowhere/ca.pem\n",
     "wsplexd.conf:1: ca-file: /nowhere/ca.pem cannot be read: No such file or directory\n"},
    {IN_ENDPOINT("linger = 5"), "wsplexd.conf:3: linger: \"5\" is not understood; write a number "
                                "with ms, s, min or h, as in 30s\n"},
    {IN_ENDPOINT("linger = 25h"), "wsplexd.conf:3: linger: 25h is too large; the most is 24h\n"},
    {IN_ENDPOINT("queue = 1KiB"), "wsplexd.conf:3: queue: 1KiB is too small; the least is 4KiB\n"},
    {IN_ENDPOINT("queue = 1MB"),
     "wsplexd.conf:3: queue: \"1MB\" is not understood; write a number of bytes, "
     "KiB, MiB or GiB, as in 4MiB\n"},
    {IN_ENDPOINT("share = perhaps"),
     "wsplexd.conf:3: share: \"perhaps\" is not understood; write yes or no\n"},
    {IN_ENDPOINT("share = true"),
     "wsplexd.conf:3: share: \"true\" is not understood; write yes or no\n"},
    {IN_ENDPOINT("queue = 1M"), "wsplexd.conf:3: queue: \"1M\" is not understood; write a number "
                                "of bytes, KiB, MiB or GiB, as "
                                "in 4MiB\n"},
    {IN_ENDPOINT("slow-consumer = drop"),
     "wsplexd.conf:3: slow-consumer: \"drop\" is not one of "
     "disconnect|drop-oldest|drop-newest|conflate|block|auto\n"},
    {IN_ENDPOINT("allow-slow-consumer = {block, drop}"),
     "wsplexd.conf:3: allow-slow-consumer: \"drop\" is not one of "
     "disconnect|drop-oldest|drop-newest|conflate|block|auto\n"},
    {IN_ENDPOINT("queue-messages = 0"),
     "wsplexd.conf:3: queue-messages: 0 is too small; the least is 1\n"},
    {IN_ENDPOINT("conflate-key = symbol"),
     "wsplexd.conf:3: conflate-key: \"symbol\" is not understood; write a JSON pointer, as in "
     "\"/data/symbol\", or prefix:N with N from 1 to 1024\n"},
    {IN_ENDPOINT("conflate-key = 'prefix:1025'"),
     "wsplexd.conf:3: conflate-key: \"prefix:1025\" is not understood; write a JSON pointer, as in "
     "\"/data/symbol\", or prefix:N with N from 1 to 1024\n"},
    {IN_ENDPOINT("users = {'root: open joyn'}"),
     "wsplexd.conf:3: users: \"joyn\" is not one of open|join|send|receive|monitor|control|none\n"},
    {IN_ENDPOINT("users = {\"root: open\",\n  \"nobody-has-it: open\"}"),
     "wsplexd.conf:4: users: \"nobody-has-it\" is not the name or the number of a user of this "
     "machine, nor "
     "* for everybody\n"},
    {IN_ENDPOINT("groups = {'*: open'}"),
     "wsplexd.conf:3: groups: \"*\" is not the name or the number of a group of this machine\n"},
    {"free-users = {'root: join'}\n",
     "wsplexd.conf:1: free-users: \"join\" is not one of open|send|receive|none\n"},
    {"\nallow = {'public', '::1:443'}\n", "wsplexd.conf:2: allow: \"::1:443\" is not understood: "
                                          "an IPv6 address stands in brackets, as in "
                                          "[2001:db8::1]:443\n"},
    {IN_ENDPOINT("deny = {'x:http'}"), "wsplexd.conf:3: deny: \"x:http\" is not understood: behind "
                                       "the colon stands a port or a range of "
                                       "ports, as in example.org:443 or public:8000-8100\n"},
    {IN_ENDPOINT("protocols = {'a b'}"),
     "wsplexd.conf:3: protocols: \"a b\" is not a subprotocol's name\n"},
    {IN_ENDPOINT("protocols = {a, b,\n  a}"), "wsplexd.conf:4: protocols: a stands there twice\n"},
    {IN_ENDPOINT("headers = {'no colon'}"),
     "wsplexd.conf:3: headers: an item has no colon; write \"Name: value\"\n"},
    {IN_ENDPOINT("headers = {'Host: x'}"),
     "wsplexd.conf:3: headers: Host is written by the WebSocket handshake itself\n"},
    {IN_ENDPOINT("headers = {'Bad Name: x'}"),
     "wsplexd.conf:3: headers: a name is not one that a header can have\n"},
    {IN_ENDPOINT("headers = {'Token: se\x01cret'}"),
     "wsplexd.conf:3: headers: the value of Token is not one line of printable text, of at most "
     "16384 bytes and without blanks at its ends\n"},
    /* messages, which are never quoted */
    {IN_ENDPOINT("greeting = {\"a\", \"\"}"), "wsplexd.conf:3: greeting: a message is empty\n"},
    {IN_ENDPOINT("greeting = {'se\xff"
                 "cret'}"),
     "wsplexd.conf:3: greeting: a message is not UTF-8\n"},
    {IN_ENDPOINT("greeting = {'secret %{credential:a'}"),
     "wsplexd.conf:3: greeting: a %{credential:NAME} has no closing brace\n"},
    {IN_ENDPOINT("heartbeat = ''"), "wsplexd.conf:3: heartbeat: the value is empty\n"},
    {IN_ENDPOINT("heartbeat-interval = 10ms"),
     "wsplexd.conf:3: heartbeat-interval: 10ms is too small; the least is 100ms\n"},
    {IN_ENDPOINT("heartbeat = p\n heartbeat-answer = '/a~b=pong'"),
     "wsplexd.conf:4: heartbeat-answer: what stands before the = is no JSON pointer, as in "
     "/data/type=pong\n"},
    {IN_ENDPOINT("heartbeat-answer = pong"),
     "wsplexd.conf:3: endpoint \"x\": heartbeat-answer: nothing is sent that could be answered; "
     "give heartbeat as well\n"},
    {IN_ENDPOINT("heartbeat-request = ping"),
     "wsplexd.conf:3: endpoint \"x\": heartbeat-request: it is not said what is answered; give "
     "heartbeat-reply as well\n"},
    {IN_ENDPOINT("heartbeat-reply = pong"),
     "wsplexd.conf:3: endpoint \"x\": heartbeat-reply: it is not said what is answered with it; "
     "give heartbeat-request as well\n"},
    {IN_ENDPOINT("heartbeat-reply = 'a %{/b'"),
     "wsplexd.conf:3: heartbeat-reply: after %{ a JSON pointer and then } must follow, as in "
     "{\"pong\":%{/ping}}\n"},
    /* lines are counted right behind comments of every kind */
    {"# one\n// two\n/* three\n */ /* four */\nendpoint x { // five\n url = ws://h/#\n share = 7 # "
     "six\n}\n",
     "wsplexd.conf:7: share: \"7\" is not understood; write yes or no\n"},
    {"ca-file = '/a // \\' # b'\nbanana = 1\n",
     "wsplexd.conf:1: ca-file: /a // ' # b cannot be read: No such file or directory\n"
     "wsplexd.conf:2: banana: there is no such key outside of an endpoint\n"},
    /* endpoints */
    {"endpoint \"x\" {\n url = \"ws://h/}\"\n",
     "wsplexd.conf:1: the brace { that opens here is never closed\n"},
    {"endpoint \"x\" {\n}\n",
     "wsplexd.conf:2: endpoint \"x\": url is missing; write url = \"wss://...\"\n"},
    {"endpoint \"-x\" {\n}\n",
     "wsplexd.conf:2: endpoint: \"-x\" is not a name; use at most 64 letters, "
     "digits, dots, _ and -, and begin with a letter or a digit\n"
     "wsplexd.conf:2: endpoint \"-x\": url is missing; write url = \"wss://...\"\n"},
    {"endpoint \"x\" {\n url = \"ftp://h?secret\"\n}\n",
     "wsplexd.conf:2: url: the URL's scheme is not ws, wss, http or https; begin with wss://\n"},
    {IN_ENDPOINT("") IN_ENDPOINT(""),
     "wsplexd.conf:5: x: an endpoint of this name stands in this file already\n"},
    /* the form of the file */
    {"endpont x { url = \"ws://h/\" }\n",
     "wsplexd.conf:1: endpont: there is no such key; did you mean endpoint \"name\" { }?\n"},
    {"endpoint { url = \"ws://h/\" }\n",
     "wsplexd.conf:1: endpoint: a name is missing; write endpoint \"name\" { }\n"},
    {"endpoint x\nurl = \"ws://h/\"\n",
     "wsplexd.conf:2: endpoint: a brace is missing; write endpoint \"name\" { }\n"},
    {IN_ENDPOINT("linger 5s"),
     "wsplexd.conf:3: linger: an equals sign is missing; write key = value\n"},
    {"log-level += debug\n",
     "wsplexd.conf:1: log-level: only a list can be added to; write = for +=\n"},
    {"log-level = {info}\n",
     "wsplexd.conf:1: this cannot stand here; write key = value, a list as {a, b}, and between "
     "quotes what is more than letters and digits\n"},
    {"\n}\n", "wsplexd.conf:2: nothing is open that the brace } could close; leave it out\n"},
    {"log-level = \"info\n",
     "wsplexd.conf:1: the quotation mark that opens here is never closed\n"},
    {"\n/* log-level = info\n", "wsplexd.conf:2: the comment that opens here is never closed\n"},
    {IN_ENDPOINT("linger ="), "wsplexd.conf:3: a value is missing behind the equals sign\n"},
    {"log-level =\n", "wsplexd.conf:1: a value is missing behind the equals sign\n"},
    {IN_ENDPOINT("linger: 5s"),
     "wsplexd.conf:3: linger: an equals sign is missing; write key = value\n"},
    {"endpoint:\n  x:\n",
     "wsplexd.conf:1: endpoint: a name is missing; write endpoint \"name\" { }\n"},
    {IN_ENDPOINT("endpoint y { }"), "wsplexd.conf:3: endpoint: it cannot stand in another "
                                    "endpoint; close that one with } before\n"},
    {"include('a.conf')\n",
     "wsplexd.conf:1: include: no file includes another; conf.d/*.conf beside "
     "the main file are read by themselves\n"},
    {IN_ENDPOINT("protocols = a, b"),
     "wsplexd.conf:3: behind protocols: this cannot stand here; write key = value, a list as {a, "
     "b}, and between quotes what is more than letters and digits\n"},
    {IN_ENDPOINT("linger = \u201c5s\u201d"),
     "wsplexd.conf:3: linger: these are no quotation marks here; write \" or '\n"},
    {IN_ENDPOINT("headers = {\"A: ${NO_SUCH_VARIABLE}\"}"),
     "wsplexd.conf:3: ${NO_SUCH_VARIABLE}: the environment has no such variable, so nothing would "
     "stand there; set it, or write ${NO_SUCH_VARIABLE:-} for nothing; for a secret, "
     "%{credential:NAME}\n"},
    /* a byte order mark, and lines that end as elsewhere */
    {"\ufefflog-level = info\r\nbanana = 1\r\n",
     "wsplexd.conf:2: banana: there is no such key outside of an endpoint\n"},
    {"log-level = info\rbanana = 1\r",
     "wsplexd.conf:1: the lines end in carriage returns alone; end them in line feeds\n"},
    /* what is told is a line of text, whatever stands in the file */
    {"banan\x1b\xe4 = 1\n",
     "wsplexd.conf:1: what stands here is no key outside of an endpoint; write "
     "key = value, and a value with blanks between quotation marks\n"},
    {IN_ENDPOINT("l\xe4nger = 1"),
     "wsplexd.conf:3: l?nger: there is no such key; did you mean linger?\n"},
};

START_TEST(each_problem_is_told_with_its_line)
{
    struct collector collector;
    struct config *config = NULL;

    config_file_write("wsplexd.conf", bad[_i].text);
    ck_assert_int_gt(config_files_load(&collector, &config), 0);
    ck_assert_ptr_null(config);
    ck_assert_str_eq(collector.text, bad[_i].problem);
}
END_TEST

/* Each is a value, and none of them what it could be taken for. */
START_TEST(what_looks_wrong_and_is_not)
{
    struct config *config = load_good(
        "\ufeff# a mark, and lines that end in two characters\r\n"
        "endpoint x {\r\n"
        "    url = \"ws://h/${NO_SUCH_VARIABLE:-a}${HOME}\"\r\n"
        "    greeting = {'${NO_SUCH_VARIABLE}', \"\\${NO_SUCH_VARIABLE}\", '{\"a\":}',\r\n"
        "                \"it's = }\"}\r\n"
        "}\r\n");
    const struct endpoint_options *options = &config->endpoints[0].options;

    ck_assert_int_eq(strncmp(config->endpoints[0].url.href, "ws://h/a/", 9), 0);
    ck_assert_str_eq(options->greeting.items[0], "${NO_SUCH_VARIABLE}");
    ck_assert_str_eq(options->greeting.items[1], "${NO_SUCH_VARIABLE}");
    ck_assert_str_eq(options->greeting.items[2], "{\"a\":}");
    ck_assert_str_eq(options->greeting.items[3], "it's = }");
    config_free(config);
}
END_TEST

/* Nothing that could be meant to be read is passed over. */
START_TEST(a_directory_that_is_none_is_told)
{
    struct collector collector;
    struct config *config = NULL;

    config_file_write("wsplexd.conf", "");
    config_file_write("conf.d", "");
    ck_assert_int_gt(config_files_load(&collector, &config), 0);
    ck_assert_str_eq(collector.text, "conf.d:0: cannot be read: Not a directory\n");
}
END_TEST

START_TEST(files_beside_are_read_in_order_and_each_tells_its_problem)
{
    struct collector collector;
    struct config *config = NULL;

    config_directory_make("conf.d");
    config_file_write("wsplexd.conf", "endpoint a { url = \"ws://a\" }\n");
    config_file_write("conf.d/20.conf", "endpoint c { url = \"ws://c\" }\n");
    config_file_write("conf.d/10.conf", "endpoint b { url = \"ws://b\" }\n");
    config_file_write("conf.d/ignored", "nonsense\n");
    ck_assert_int_eq(config_files_load(&collector, &config), 0);
    ck_assert_uint_eq(config->n_endpoints, 3);
    ck_assert_str_eq(config->endpoints[2].name, "c");
    config_free(config);

    config_file_write("conf.d/10.conf", "endpoint a { url = \"ws://b\" }\n");
    config_file_write("conf.d/20.conf", "\n\nnonsense = 1\n");
    ck_assert_int_gt(config_files_load(&collector, &config), 0);
    ck_assert_ptr_nonnull(strstr(collector.text, "10.conf:1: endpoint \"a\" stands in "));
    ck_assert_ptr_nonnull(strstr(collector.text, "/wsplexd.conf, line 1, already\n"));
    ck_assert_ptr_nonnull(strstr(collector.text, "20.conf:3: nonsense: there is no such key"));
}
END_TEST

static const struct {
    const struct option_table *(*table)(void);
    const char *name;
    uint64_t number;
    const char *text;
} formats[] = {
    {endpoint_options_table, "linger", 0, "0"},
    {endpoint_options_table, "linger", 1500, "1500ms"},
    {endpoint_options_table, "linger", 2000, "2s"},
    {endpoint_options_table, "linger", 120000, "2min"},
    {endpoint_options_table, "linger", 7200000, "2h"},
    {endpoint_options_table, "queue", 1 << 20, "1MiB"},
    {endpoint_options_table, "queue", 1025, "1025"},
    {endpoint_options_table, "share", 1, "yes"},
    {endpoint_options_table, "slow-consumer", SLOW_DEFAULT, "auto"},
    {daemon_options_table, "socket-mode", 0660, "0660"},
    {daemon_options_table, "socket-group", OPTION_NO_GROUP, "none"},
    {daemon_options_table, "log-level", 2, "notice"},
};

START_TEST(numbers_are_written_as_they_are_read)
{
    const struct option_row *row =
        option_find(formats[_i].table(), wsp_view_of_string(formats[_i].name));
    char text[OPTION_TEXT_LEN];

    option_format(row, formats[_i].number, text);
    ck_assert_str_eq(text, formats[_i].text);
}
END_TEST

/* The manual page has an entry for every option, and no other, with its default in it. */
static char *manual_read(void)
{
    const char *top = getenv("top_srcdir");
    char file[512];
    char *text = calloc(1, 1 << 20);
    FILE *from;

    ck_assert_ptr_nonnull(text);
    snprintf(file, sizeof(file), "%s/doc/wsplexd.conf.5", top ? top : ".");
    from = fopen(file, "r");
    ck_assert_msg(from != NULL, "%s", file);
    ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, from), 0);
    fclose(from);
    return text;
}

static void check_manual(const struct option_table *table, const char *section)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option_row *row = &table->rows[i];
        char entry[64], fallback[OPTION_TEXT_LEN], line[OPTION_TEXT_LEN + 16];
        const char *begin, *end, *found;
        uint64_t number;

        snprintf(entry, sizeof(entry), "\n.It Cm %s ", row->name);
        begin = strstr(section, entry);
        ck_assert_msg(begin != NULL, "wsplexd.conf.5 says nothing of %s", row->name);
        end = strstr(begin + 1, "\n.It ");
        if (row->type == OPTION_MESSAGE || row->type == OPTION_MESSAGES ||
            row->type == OPTION_PATTERN || row->type == OPTION_REPLY)
            continue; /* texts, whose max is a length */
        if (row->max == 0 && row->type != OPTION_CHOICE && row->type != OPTION_FLAG)
            continue;
        memcpy(&number, &row->fallback, sizeof(number));
        option_format(row, number, fallback);
        snprintf(line, sizeof(line), "\nDefault: %s", row->type == OPTION_MODE ? "" : fallback);
        found = strstr(begin, line);
        ck_assert_msg(found != NULL && (end == NULL || found < end),
                      "wsplexd.conf.5 does not say of %s: Default: %s", row->name, fallback);
    }
}

/* One of the remarks "Program" and "each", in a sentence of its own, as the page says what they mean. */
static bool has_remark(const char *begin, const char *end, const char *remark)
{
    for (const char *at = begin; (at = strstr(at, remark)) != NULL && at < end; at++)
        if ((at[-1] == '\n' || (at[-1] == ' ' && at[-2] == ';')) &&
            strchr(".;,", at[strlen(remark)]) != NULL)
            return true;
    return false;
}

/* Who may set an option beside the administrator stands in its row, and on the page. */
START_TEST(the_manual_page_says_of_every_option_who_may_set_it)
{
    const struct option_table *table = endpoint_options_table();
    char *text = manual_read();
    char *endpoints = strstr(text, "\n.Ss Endpoints");

    ck_assert_ptr_nonnull(endpoints);
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option_row *row = &table->rows[i];
        bool is_own_field = row->type == OPTION_LIST || row->type == OPTION_HEADERS ||
                            row == &table->rows[ENDPOINT_OPTION_url];
        bool is_free = row->place != OPTION_ENDPOINT && !is_own_field;
        bool is_each = row->place == OPTION_CHANNEL;
        char entry[64];
        const char *begin, *end;

        snprintf(entry, sizeof(entry), "\n.It Cm %s = ", row->name);
        begin = strstr(endpoints, entry) + 1;
        end = strstr(begin, "\n.It Cm ");
        if (end == NULL)
            end = strstr(begin, "\n.El");
        ck_assert_msg(has_remark(begin, end, "Program") == is_free, "%s: Program", row->name);
        ck_assert_msg((has_remark(begin, end, "each") || has_remark(begin, end, "Each")) == is_each,
                      "%s: each", row->name);
    }
    free(text);
}
END_TEST

/* Whether the name stands in a list of names, each behind a blank. */
static bool is_listed(const char *begin, const char *end, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = begin; (at = strstr(at, name)) != NULL && at < end; at++)
        if (at[-1] == ' ' && at[len] == ' ')
            return true;
    return false;
}

/* Since when a value holds that a reload has changed stands in its row, and on the page: there, and nowhere else. */
START_TEST(the_manual_page_says_of_every_option_what_a_reload_does)
{
    static const char *const classes[] = {
        [RELOAD_START] = "\n.It Sy with the next start\n",
        [RELOAD_NOW] = "\n.It Sy at once\n",
        [RELOAD_NEXT] = "\n.It Sy with the next connection\n",
        [RELOAD_OPEN] = "\n.It Sy when opened\n",
        [RELOAD_ANEW] = "\n.It Sy anew\n",
    };
    static const char *const owners[] = {"\nSettings of the daemon:\n", "\nOf an endpoint:\n"};
    char *text = manual_read();
    const char *section = strstr(text, "\n.Ss Reloads");

    ck_assert_ptr_nonnull(section);
    for (size_t class = 0; class < sizeof(classes) / sizeof(classes[0]); class ++) {
        const char *begin = strstr(section, classes[class]);

        ck_assert_msg(begin != NULL, "%s", classes[class]);

        const char *end = strstr(begin + 1, "\n.It Sy "), *list_end = strstr(begin, "\n.El");

        end = end != NULL && end < list_end ? end : list_end;
        for (size_t owner = 0; owner < 2; owner++) {
            const struct option_table *table =
                owner == 0 ? daemon_options_table() : endpoint_options_table();
            const char *list = strstr(begin, owners[owner]);
            const char *until = owner == 0 ? strstr(begin, owners[1]) : end;

            if (until == NULL || until > end)
                until = end;
            if (list == NULL || list > end)
                list = until;
            for (size_t i = 0; i < table->n_rows; i++)
                ck_assert_msg(is_listed(list, until, table->rows[i].name) ==
                                  ((size_t)table->rows[i].reload == class),
                              "%s%s%s", classes[class], owners[owner], table->rows[i].name);
        }
    }
    free(text);
}
END_TEST

START_TEST(the_manual_page_names_every_option_and_its_default)
{
    char *text = manual_read();
    char *endpoints = strstr(text, "\n.Ss Endpoints");
    size_t n_entries = 0;

    ck_assert_ptr_nonnull(endpoints);
    check_manual(endpoint_options_table(), endpoints + 1);
    *endpoints = '\0';
    check_manual(daemon_options_table(), text);
    *endpoints = '\n';
    for (const char *at = text; (at = strstr(at, "\n.It Cm ")) != NULL; at++)
        n_entries++;
    ck_assert_uint_eq(n_entries, daemon_options_table()->n_rows + endpoint_options_table()->n_rows);
    free(text);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *files = unit_case(suite, "files");
    TCase *options = unit_case(suite, "options");

    tcase_add_checked_fixture(files, config_files_begin, config_files_end);
    tcase_add_test(files, an_empty_file_gives_the_defaults);
    tcase_add_test(files, no_file_gives_the_defaults_unless_it_was_asked_for);
    tcase_add_test(files, every_kind_of_value);
    tcase_add_loop_test(files, each_problem_is_told_with_its_line, 0, N_OF(bad));
    tcase_add_test(files, what_looks_wrong_and_is_not);
    tcase_add_test(files, a_directory_that_is_none_is_told);
    tcase_add_test(files, files_beside_are_read_in_order_and_each_tells_its_problem);
    tcase_add_loop_test(options, numbers_are_written_as_they_are_read, 0, N_OF(formats));
    tcase_add_test(options, the_manual_page_names_every_option_and_its_default);
    tcase_add_test(options, the_manual_page_says_of_every_option_who_may_set_it);
    tcase_add_test(options, the_manual_page_says_of_every_option_what_a_reload_does);
    return suite;
}
