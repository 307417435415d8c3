/*
 * test_detour: the ways of the real dialer that are not straight: through a proxy that answers by
 * script, and to a Unix socket; how far they have come, cancelled at each step, and without memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/dial.h"
#include "daemon/loop.h"
#include "proto/local/errors.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop *loop;
static struct dialer *dialer;
static struct target *target;
static struct dial *dial;
static struct dial_result result;
static bool is_done;
static char name[64]; /* of the proxy */
static char socket_path[64];

/* --- the other side: one connection, which gets an answer for each piece that it reads --- */

static int listener = -1, peer = -1;
static struct watch listening, conversing;
static const char *const *answers;
static const size_t *answers_len;
static size_t n_answered;
static char heard[512];

static void peer_hears(void *owner, unsigned events)
{
    ssize_t n = recv(peer, heard, sizeof(heard) - 1, 0);
    const char *answer = answers[n_answered];

    (void)owner;
    (void)events;
    heard[n > 0 ? n : 0] = '\0';
    if (n <= 0 || answer == NULL) {
        watch_want(&conversing, 0);
        return;
    }
    ck_assert_int_eq(send(peer, answer, answers_len[n_answered], 0),
                     (ssize_t)answers_len[n_answered]);
    n_answered++;
}

static void peer_drop(void)
{
    if (peer < 0)
        return;
    watch_deinit(&conversing);
    close(peer);
    peer = -1;
}

static void peer_comes(void *owner, unsigned events)
{
    (void)owner;
    (void)events;
    allocation_suspend();
    peer_drop();
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ck_assert_int_ge(peer, 0);
    ck_assert_int_eq(watch_init(&conversing, loop, peer, peer_hears, NULL), 0);
    watch_want(&conversing, WATCH_READABLE);
    n_answered = 0;
    allocation_resume();
}

static void listen_on(struct sockaddr *address, socklen_t len)
{
    listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(listener, address, len), 0);
    ck_assert_int_eq(getsockname(listener, address, &len), 0);
    ck_assert_int_eq(listen(listener, 5), 0);
    ck_assert_int_eq(watch_init(&listening, loop, listener, peer_comes, NULL), 0);
    watch_want(&listening, WATCH_READABLE);
}

static void proxy_listens(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

    listen_on((struct sockaddr *)&address, sizeof(address));
    snprintf(name, sizeof(name), "127.0.0.1:%u", ntohs(address.sin_port));
}

static void socket_listens(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    unlink(socket_path);
    listen_on((struct sockaddr *)&address, sizeof(address));
}

/* --- our side --- */

static void setup(void)
{
    static const char *const nothing[] = {NULL};

    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(dialer_new(loop, &dialer), 0);
    snprintf(socket_path, sizeof(socket_path), "/tmp/wsplex-test-detour-%d.sock", (int)getpid());
    target = target_new();
    answers = nothing;
    is_done = false;
}

static void teardown(void)
{
    dialer->cancel(dial);
    transport_free(result.transport);
    pass_free(result.pass);
    target_free(target);
    dialer_free(dialer);
    peer_drop();
    watch_deinit(&listening);
    loop_free(loop);
    close(listener);
    unlink(socket_path);
}

static void done(void *owner, struct dial_result *got)
{
    (void)owner;
    ck_assert(!is_done);
    is_done = true;
    dial = NULL;
    result = *got;
    loop_stop(loop);
}

static void rests(void *owner, bool is_resting)
{
    (void)owner;
    (void)is_resting;
}

static void aim(const char *url, const char *kind)
{
    const char *problem;
    char text[128];

    ck_assert_int_eq(wsp_url_parse_websocket(&target->url, url, strlen(url), NULL, NULL), 0);
    if (kind == NULL)
        return;
    snprintf(text, sizeof(text), "%s://u:p@%s", kind, name);
    ck_assert_int_eq(proxy_new(wsp_view_of_string(text), NULL, &target->proxy, &problem), 0);
}

static void begin(void)
{
    ck_assert_int_eq(dialer->dial(dialer, target, done, rests, &result, &dial), 0);
    ck_assert(!is_done);
}

/* What the other side shall say, one piece after another. */
#define SAYS(...)                                          \
    do {                                                   \
        static const char *const texts_[] = {__VA_ARGS__}; \
        answers = texts_;                                  \
    } while (0)

static const size_t http_len[] = {19};
static const size_t socks_len[] = {2, 2, 10};

static void says_http(void)
{
    SAYS("HTTP/1.1 200 OK\r\n\r\n", NULL);
    answers_len = http_len;
}

static void says_socks(void)
{
    SAYS("\5\2", "\1\0", "\5\0\0\1\0\0\0\0\0\0", NULL);
    answers_len = socks_len;
}

/* --- ways --- */

static const struct way {
    const char *kind, *url; /* no kind: the socket */
    const char *progress;   /* from the beginning */
} ways[] = {
    {"http", "ws://far.example", "on the way to the proxy 127.0.0.1:"},
    {"socks5h", "ws://far.example", "on the way to the proxy 127.0.0.1:"},
    {"socks5h", "ws://192.0.2.1", "on the way to the proxy 127.0.0.1:"},
    {"socks5", "ws://192.0.2.1", "asking for the addresses of 192.0.2.1"},
    {NULL, NULL, "waiting until the server at /tmp/wsplex-test-detour-"},
};

enum { N_WAYS = N_OF(ways) };

static void prepare(const struct way *way)
{
    char url[128];

    if (way->kind != NULL) {
        proxy_listens();
        aim(way->url, way->kind);
    } else {
        socket_listens();
        snprintf(url, sizeof(url), "ws+unix:%s", socket_path);
        aim(url, NULL);
    }
    if (way->kind == NULL || strcmp(way->kind, "http") == 0)
        says_http();
    else
        says_socks();
}

START_TEST(way_leads_there)
{
    const struct way *way = &ways[_i];
    char expected[128];
    ssize_t n;

    prepare(way);
    begin();
    dialer->describe(dial, expected, sizeof(expected));
    ck_assert_msg(strstr(expected, way->progress) == expected, "%s", expected);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_msg(result.transport != NULL, "%s", result.failure.text);
    ck_assert_ptr_nonnull(result.pass);
    if (way->kind == NULL) {
        snprintf(expected, sizeof(expected), "unix:%s", socket_path);
        ck_assert_str_eq(result.address, expected);
        return;
    }
    ck_assert_str_eq(result.address, name);
    /* Nothing of the proxy's answer is left for whoever reads now. */
    n = transport_read(result.transport, expected, sizeof(expected));
    ck_assert_int_eq(n, -EAGAIN);
}
END_TEST

/* Our end of the connection to the proxy. */
static int find_socket(void)
{
    struct sockaddr_in bound, end;
    socklen_t len = sizeof(bound);

    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&bound, &len), 0);
    for (int fd = 0; fd < 1000; fd++) {
        len = sizeof(end);
        if (getpeername(fd, (struct sockaddr *)&end, &len) == 0 && end.sin_port == bound.sin_port)
            return fd;
    }
    ck_abort_msg("no descriptor is connected to the proxy");
}

/* What the target wants of its TCP connection is wanted of the one to the proxy. */
START_TEST(proxy_is_watched_over_as_a_server)
{
    socklen_t len = sizeof(int);
    int on = -1;

    target->tcp_keepalive_ms = _i == 0 ? 0 : 7000;
    prepare(&ways[0]);
    begin();
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_int_eq(getsockopt(find_socket(), SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
    ck_assert_int_eq(on, _i);
}
END_TEST

/* The place is the target's, whoever leads there: a name that the proxy resolves, or its address. */
START_TEST(pass_is_the_targets)
{
    static const char *const places[N_WAYS] = {"far.example:80", "far.example:80", "192.0.2.1:80",
                                               "192.0.2.1:80", NULL};

    prepare(&ways[_i]);
    begin();
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_str_eq(pass_place(result.pass), places[_i] == NULL ? socket_path : places[_i]);
}
END_TEST

static void stop(void *owner)
{
    (void)owner;
    loop_stop(loop);
}

/* Each number of turns is another moment. */
START_TEST(way_may_be_cancelled_at_any_time)
{
    struct timer timer;

    prepare(&ways[_i]);
    ck_assert_int_eq(timer_init(&timer, loop_clock(loop), stop, NULL), 0);
    for (uint64_t ms = 0; ms < 6 && !is_done; ms++) {
        begin();
        timer_start(&timer, ms);
        ck_assert_int_eq(loop_run(loop), 0);
        dialer->cancel(dial);
        dial = NULL;
    }
    timer_deinit(&timer);
}
END_TEST

/* It fails and says so, or it succeeds all the same; nothing is left either way. */
START_TEST(way_without_memory)
{
    bool has_failed = true;
    int n_told = 0;

    prepare(&ways[_i]);
    for (size_t n = 0; has_failed; n++) {
        int r;

        is_done = false;
        allocation_fail_after(n);
        r = dialer->dial(dialer, target, done, rests, &result, &dial);
        if (r == 0 && loop_run(loop) == 0)
            ck_assert(is_done);
        has_failed = allocation_disarm();
        if (r != 0) {
            ck_assert_int_eq(r, -ENOMEM);
        } else if (result.transport == NULL) {
            n_told++;
            ck_assert_msg(strstr(result.failure.text, "memory") != NULL, "%s", result.failure.text);
        }
        result.transport = transport_free(result.transport);
        result.pass = pass_free(result.pass);
    }
    ck_assert_int_gt(n_told, 0);
}
END_TEST

/* --- what the proxy hears --- */

START_TEST(second_waits_at_the_targets_gate)
{
    struct dial *second = NULL;
    char text[200];

    prepare(&ways[_i]);
    answers = (const char *const[]){NULL};
    begin();
    ck_assert_int_eq(dialer->dial(dialer, target, done, rests, &result, &second), 0);
    dialer->describe(second, text, sizeof(text));
    ck_assert_msg(strstr(text, "waiting for another connection to ") == text, "%s", text);
    ck_assert_uint_le(dialer->waits_since_ms(second), clock_now_ms(loop_clock(loop)));
    dialer->cancel(second);
}
END_TEST

START_TEST(refusal_is_told_with_the_proxys_name)
{
    static const char answer[] = "HTTP/1.1 407 x\r\n\r\n";
    static const size_t len[] = {sizeof(answer) - 1};
    char expected[200];

    prepare(&ways[0]);
    SAYS(answer, NULL);
    answers_len = len;
    begin();
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_ptr_null(result.transport);
    ck_assert_uint_eq(result.failure.cause, WSP_CAUSE_PROXY);
    ck_assert_uint_eq(result.failure.http_status, 407);
    snprintf(expected, sizeof(expected),
             "the proxy %s answered 407: it does not take the credentials", name);
    ck_assert_str_eq(result.failure.text, expected);
    ck_assert_ptr_nonnull(strstr(heard, "CONNECT far.example:80 HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(heard, "Proxy-Authorization: Basic dTpw\r\n"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("detour");
    TCase *tcase = unit_case(suite, "ways");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, way_leads_there, 0, N_WAYS);
    tcase_add_loop_test(tcase, proxy_is_watched_over_as_a_server, 0, 2);
    tcase_add_loop_test(tcase, pass_is_the_targets, 0, N_WAYS);
    tcase_add_loop_test(tcase, way_may_be_cancelled_at_any_time, 0, N_WAYS);
    tcase_add_loop_test(tcase, way_without_memory, 0, N_WAYS);
    tcase_add_loop_test(tcase, second_waits_at_the_targets_gate, 0, 3);
    tcase_add_test(tcase, refusal_is_told_with_the_proxys_name);
    return suite;
}
