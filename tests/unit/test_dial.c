/*
 * test_dial: the real dialer over real sockets on loopback: names, refusals, TLS, cancelling.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/dial.h"
#include "daemon/limits.h"
#include "daemon/loop.h"
#include "proto/local/errors.h"
#include "tests/harness/certificate.h"
#include "tests/harness/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct dialer *dialer;
static struct target *target;
static struct dial *dial;
static struct dial_result result;
static bool is_done, is_resting;
static int listener = -1;
static unsigned port;

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(dialer_new(loop, &dialer), 0);
    target = NULL;
    is_done = false;
    listener = -1;
}

static void teardown(void)
{
    dialer->cancel(dial);
    transport_free(result.transport);
    result.transport = NULL;
    result.pass = pass_free(result.pass);
    target_free(target);
    dialer = dialer_free(dialer);
    dialer_free(NULL);
    loop_free(loop);
    if (listener >= 0)
        close(listener);
}

/* A socket bound to loopback, which listens or does not. */
static void bind_to(const char *address, bool is_listening)
{
    struct sockaddr_in bound = {.sin_family = AF_INET};
    socklen_t len = sizeof(bound);

    ck_assert_int_eq(inet_pton(AF_INET, address, &bound.sin_addr), 1);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&bound, sizeof(bound)), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&bound, &len), 0);
    port = ntohs(bound.sin_port);
    if (is_listening)
        ck_assert_int_eq(listen(listener, 5), 0);
}

static void done(void *owner, struct dial_result *got)
{
    ck_assert_ptr_eq(owner, &result);
    ck_assert(!is_done);
    is_done = true;
    dial = NULL;
    result = *got;
    loop_stop(loop);
}

static void rests(void *owner, bool is_resting_now)
{
    ck_assert_ptr_eq(owner, &result);
    is_resting = is_resting_now;
}

/* What the target of begin says of TCP. */
static uint64_t keepalive_ms = TARGET_DEFAULT_TCP_KEEPALIVE_MS;
static uint64_t user_timeout_ms = TARGET_DEFAULT_TCP_USER_TIMEOUT_MS;

static void begin(const char *scheme_and_host)
{
    char url[200];

    snprintf(url, sizeof(url), "%s:%u/?token=secret", scheme_and_host, port);
    target = target_new();
    target->tcp_keepalive_ms = keepalive_ms;
    target->tcp_user_timeout_ms = user_timeout_ms;
    ck_assert_int_eq(wsp_url_parse_websocket(&target->url, url, strlen(url), NULL, NULL), 0);
    ck_assert_int_eq(dialer->dial(dialer, target, done, rests, &result, &dial), 0);
    ck_assert(!is_done);
}

static void run(void)
{
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert(is_done);
}

static void assert_fails(uint16_t cause, const char *text)
{
    ck_assert_ptr_null(result.transport);
    ck_assert_uint_eq(result.failure.cause, cause);
    ck_assert_msg(strstr(result.failure.text, text) != NULL, "%s", result.failure.text);
}

/* Who connects may be through a moment before who listens knows. */
static int accepted(void)
{
    int fd;

    ck_assert_int_eq(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 30000), 1);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(ws_by_address)
{
    char expected[64];

    bind_to("127.0.0.1", true);
    begin("ws://127.0.0.1");
    run();
    ck_assert_ptr_nonnull(result.transport);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u", port);
    ck_assert_str_eq(result.address, expected);
    ck_assert_str_eq(result.tls, "");
}
END_TEST

/* Where localhost is ::1 as well, nobody listens there: the next address is tried. */
START_TEST(ws_by_name)
{
    char byte = 'x';
    int fd;

    bind_to("127.0.0.1", true);
    begin("ws://localhost");
    run();
    ck_assert_ptr_nonnull(result.transport);
    ck_assert_int_eq(transport_write(result.transport, &(struct iovec){&byte, 1}, 1), 1);
    fd = accepted();
    ck_assert_int_eq(read(fd, &byte, 1), 1);
    close(fd);
}
END_TEST

/* The daemon's end of the connection to the listener. */
static int find_socket(void)
{
    for (int fd = 0; fd < 1000; fd++) {
        struct sockaddr_in peer;
        socklen_t len = sizeof(peer);

        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && ntohs(peer.sin_port) == port)
            return fd;
    }
    ck_abort_msg("no descriptor is connected to the listener");
}

START_TEST(socket_is_close_on_exec_and_without_delay)
{
    int on = 0, fd;
    socklen_t len = sizeof(on);

    bind_to("127.0.0.1", true);
    begin("ws://127.0.0.1");
    run();
    fd = find_socket();
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    ck_assert_int_eq(on, 1);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
}
END_TEST

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

START_TEST(kernel_watches_over_the_socket)
{
    int fd;

    bind_to("127.0.0.1", true);
    keepalive_ms = _i == 0 ? 7001 : 0;
    if (_i != 0)
        user_timeout_ms = 0;
    begin("ws://127.0.0.1");
    run();
    fd = find_socket();
    ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), _i == 0);
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT),
                     _i == 0 ? TARGET_DEFAULT_TCP_USER_TIMEOUT_MS : 0);
    if (_i != 0)
        return;
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 8);
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), TCP_KEEPALIVE_INTERVAL_S);
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), TCP_KEEPALIVE_N_PROBES);
}
END_TEST

START_TEST(refusal_names_the_address_and_its_answer)
{
    char expected[200];

    bind_to("127.0.0.1", false);
    begin("ws://127.0.0.1");
    run();
    snprintf(expected, sizeof(expected),
             "cannot connect to 127.0.0.1; 127.0.0.1:%u: Connection refused", port);
    assert_fails(WSP_CAUSE_CONNECT, expected);
}
END_TEST

START_TEST(refusals_are_all_named)
{
    bind_to("127.0.0.1", false);
    begin("ws://localhost");
    run();
    assert_fails(WSP_CAUSE_CONNECT, "cannot connect to localhost; ");
    assert_fails(WSP_CAUSE_CONNECT, "127.0.0.1:");
}
END_TEST

START_TEST(no_descriptor_is_the_daemons_own_trouble)
{
    struct rlimit old, limit;
    int free_fd;

    bind_to("127.0.0.1", true);
    begin("ws://127.0.0.1");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    free_fd = dup(listener);
    close(free_fd);
    limit = (struct rlimit){(rlim_t)free_fd, old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_fails(WSP_CAUSE_INTERNAL, "Too many open files");
}
END_TEST

static void stop(void *owner)
{
    (void)owner;
    loop_stop(loop);
}

/* A listener whose queue is full drops what comes: a server that does not answer. */
START_TEST(cancelled_dial_says_how_far_it_came)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timer timer;
    char text[200];
    int fillers[8];

    bind_to("127.0.0.1", false);
    ck_assert_int_eq(listen(listener, 0), 0);
    address.sin_port = htons((uint16_t)port);
    for (size_t i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    begin("ws://127.0.0.1");
    dialer->describe(dial, text, sizeof(text));
    ck_assert_str_eq(text, "asking for the addresses of 127.0.0.1");
    ck_assert_int_eq(timer_init(&timer, loop_clock(loop), stop, NULL), 0);
    for (int i = 0; i < 1000 && strstr(text, "connecting; 127.0.0.1:") != text; i++) {
        timer_start(&timer, 10);
        ck_assert_int_eq(loop_run(loop), 0);
        ck_assert(!is_done);
        dialer->describe(dial, text, sizeof(text));
    }
    timer_deinit(&timer);
    ck_assert_msg(strstr(text, "connecting; 127.0.0.1:") == text, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, ": no answer yet"));
    dialer->cancel(dial);
    dial = NULL;
    for (size_t i = 0; i < 8; i++)
        close(fillers[i]);
}
END_TEST

/* A dial beside the fixture's own, which it waits for. */
static struct second {
    struct target *target;
    struct dial *dial;
    struct dial_result result;
    bool is_done, is_resting;
} second;

static void second_is_done(void *owner, struct dial_result *got)
{
    ck_assert_ptr_eq(owner, &second);
    second.is_done = true;
    second.result = *got;
    loop_stop(loop);
}

static void second_rests(void *owner, bool is_resting_now)
{
    ck_assert_ptr_eq(owner, &second);
    second.is_resting = is_resting_now;
    if (is_resting_now)
        loop_stop(loop);
}

static void second_begins(const char *scheme_and_host)
{
    char url[200];

    second = (struct second){.target = target_new()};
    snprintf(url, sizeof(url), "%s:%u/", scheme_and_host, port);
    ck_assert_int_eq(wsp_url_parse_websocket(&second.target->url, url, strlen(url), NULL, NULL), 0);
    ck_assert_int_eq(
        dialer->dial(dialer, second.target, second_is_done, second_rests, &second, &second.dial),
        0);
}

static void second_ends(void)
{
    transport_free(second.result.transport);
    pass_free(second.result.pass);
    target_free(second.target);
}

/* RFC 6455, section 4.1: however the address is written. */
static const char *const same_place[] = {"ws://127.0.0.1", "ws://[::ffff:127.0.0.1]",
                                         "ws://localhost"};

START_TEST(second_waits_until_the_first_gives_its_pass_back)
{
    char text[200], expected[100];
    uint64_t begin_ms = clock_now_ms(loop_clock(loop));

    bind_to("127.0.0.1", true);
    begin("ws://127.0.0.1");
    run();
    ck_assert_ptr_nonnull(result.pass);
    second_begins(same_place[_i]);
    while (!second.is_resting)
        ck_assert_int_eq(loop_run(loop), 0);
    ck_assert(!second.is_done);
    dialer->describe(second.dial, text, sizeof(text));
    snprintf(expected, sizeof(expected), "waiting for another connection to 127.0.0.1:%u to open",
             port);
    ck_assert_msg(strstr(text, expected) == text, "%s", text);
    ck_assert_uint_ge(dialer->waits_since_ms(second.dial), begin_ms);
    result.pass = pass_free(result.pass);
    while (!second.is_done)
        ck_assert_int_eq(loop_run(loop), 0);
    ck_assert(!second.is_resting);
    ck_assert_ptr_nonnull(second.result.transport);
    second_ends();
}
END_TEST

START_TEST(second_may_be_cancelled_while_it_waits)
{
    bind_to("127.0.0.1", true);
    begin("ws://127.0.0.1");
    run();
    second_begins("ws://127.0.0.1");
    while (!second.is_resting)
        ck_assert_int_eq(loop_run(loop), 0);
    dialer->cancel(second.dial);
    second_ends();
}
END_TEST

START_TEST(second_goes_on_where_the_first_is_refused)
{
    bind_to("127.0.0.1", false);
    second_begins("ws://127.0.0.1");
    begin("ws://127.0.0.1");
    while (!is_done || !second.is_done)
        ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(result.failure.cause, WSP_CAUSE_CONNECT);
    ck_assert_uint_eq(second.result.failure.cause, WSP_CAUSE_CONNECT);
    ck_assert_ptr_null(result.pass);
    ck_assert(!is_resting && !second.is_resting);
    second_ends();
}
END_TEST

/* --- wss --- */

static struct certificate certificate;
static char ca_file[64];
static SSL_CTX *server_context;
static SSL *server;
static struct watch server_watch;

static void server_handshakes(void *owner, unsigned events)
{
    (void)owner;
    (void)events;
    if (SSL_do_handshake(server) == 1)
        watch_want(&server_watch, 0);
}

static void (*server_got_hello)(void *owner, unsigned events);

static void server_accepts(void *owner, unsigned events)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)owner;
    (void)events;
    ck_assert_int_ge(fd, 0);
    watch_deinit(&server_watch);
    server = SSL_new(server_context);
    SSL_set_fd(server, fd);
    SSL_set_accept_state(server);
    ck_assert_int_eq(watch_init(&server_watch, loop, fd, server_got_hello, NULL), 0);
    watch_want(&server_watch, WATCH_READABLE);
}

static void tls_setup(void)
{
    static const struct certificate_wish wish = {.name = "self", .alt_name = "IP:127.0.0.1"};

    setup();
    snprintf(ca_file, sizeof(ca_file), "/tmp/wsplex-test-dial-%d.pem", (int)getpid());
    certificate_init(&certificate, &wish, NULL);
    certificate_write(&certificate, ca_file);
    server_context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server_context, certificate.x509);
    SSL_CTX_use_PrivateKey(server_context, certificate.key);
    bind_to("127.0.0.1", true);
    ck_assert_int_eq(watch_init(&server_watch, loop, listener, server_accepts, NULL), 0);
    watch_want(&server_watch, WATCH_READABLE);
    server = NULL;
    server_got_hello = server_handshakes;
}

static void tls_teardown(void)
{
    if (server != NULL)
        close(server_watch.fd);
    watch_deinit(&server_watch);
    SSL_free(server);
    SSL_CTX_free(server_context);
    certificate_deinit(&certificate);
    unlink(ca_file);
    teardown();
}

START_TEST(wss_to_a_server_that_is_trusted)
{
    begin("wss://127.0.0.1");
    target->tls.ca_file = strdup(ca_file);
    run();
    ck_assert_msg(result.transport != NULL, "%s", result.failure.text);
    ck_assert_str_eq(result.tls, "TLSv1.3 TLS_AES_256_GCM_SHA384");
}
END_TEST

START_TEST(wss_to_a_server_that_is_not)
{
    begin("wss://127.0.0.1");
    run();
    assert_fails(WSP_CAUSE_TLS, "the certificate of 127.0.0.1 is self-signed");
    ck_assert_str_ne(result.address, "");
}
END_TEST

START_TEST(wss_with_authorities_that_cannot_be_read)
{
    begin("wss://127.0.0.1");
    target->tls.ca_file = strdup("/nonexistent/ca.pem");
    run();
    assert_fails(WSP_CAUSE_TLS, "/nonexistent/ca.pem");
}
END_TEST

static void cancel_in_handshake(void *owner, unsigned events)
{
    char text[200];

    (void)owner;
    (void)events;
    dialer->describe(dial, text, sizeof(text));
    ck_assert_msg(strstr(text, "in the TLS handshake with 127.0.0.1:") == text, "%s", text);
    dialer->cancel(dial);
    dial = NULL;
    watch_want(&server_watch, 0);
    loop_stop(loop);
}

START_TEST(dial_may_be_cancelled_in_the_handshake)
{
    server_got_hello = cancel_in_handshake;
    begin("wss://127.0.0.1");
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert(!is_done);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("dial");
    TCase *ws = unit_case(suite, "ws");
    TCase *wss = unit_case(suite, "wss");

    tcase_add_checked_fixture(ws, setup, teardown);
    tcase_add_test(ws, ws_by_address);
    tcase_add_test(ws, ws_by_name);
    tcase_add_test(ws, socket_is_close_on_exec_and_without_delay);
    tcase_add_loop_test(ws, kernel_watches_over_the_socket, 0, 2);
    tcase_add_test(ws, refusal_names_the_address_and_its_answer);
    tcase_add_test(ws, refusals_are_all_named);
    tcase_add_test(ws, no_descriptor_is_the_daemons_own_trouble);
    tcase_add_test(ws, cancelled_dial_says_how_far_it_came);
    tcase_add_loop_test(ws, second_waits_until_the_first_gives_its_pass_back, 0,
                        sizeof(same_place) / sizeof(*same_place));
    tcase_add_test(ws, second_may_be_cancelled_while_it_waits);
    tcase_add_test(ws, second_goes_on_where_the_first_is_refused);
    tcase_add_checked_fixture(wss, tls_setup, tls_teardown);
    tcase_add_test(wss, wss_to_a_server_that_is_trusted);
    tcase_add_test(wss, wss_to_a_server_that_is_not);
    tcase_add_test(wss, wss_with_authorities_that_cannot_be_read);
    tcase_add_test(wss, dial_may_be_cancelled_in_the_handshake);
    return suite;
}
