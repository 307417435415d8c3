/*
 * load: the other end of the benches: programs that speak the local protocol with as little work of their own as
 * possible, so that what is measured is the daemon.
 *
 *   load flood SOCKET URL CONSUMERS COUNT SIZE   processes that join URL (…/flood) shared; each gets all messages
 *   load open SOCKET URL COUNT ADDRESSES         until COUNT upstreams to URL are open, on 127.0.0.1 and the next ones
 *   load echo SOCKET URL COUNT SIZE              round trips through the daemon to URL (…/echo)
 *   load direct URL COUNT SIZE                   the same without a daemon
 *   load unix COUNT SIZE                         round trips over a bare Unix socket to another process: the yardstick
 *   load idle SOCKET URL CONNECTIONS SIZE        as many connections to URL (…/echo), idle after an echo on each, until
 *                                                stdin ends
 *
 * Prints one line of JSON: seconds of a flood or of opening, median and 99th percentile of round trips in
 * microseconds, or the connections that are idle now.
 * Invariant: a message that is missing makes it fail, never look fast.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/line.h"
#include "bench/remote.h"
#include "proto/local/message.h"
#include "proto/websocket/message.h"

enum { MAX_CONSUMERS = 256, WARMUP = 200 };

static uint8_t scratch[LINE_READ_LEN];

/* -- flood -- */

static void consume(const char *path, const char *url, unsigned long count, int ready, int go)
{
    struct line line;
    char byte = 1;
    line_open(&line, path, url, WSP_SHARING_SHARED, LINE_NO_OPTIONS);
    line_await(&line, WSP_LOCAL_OPENED, 1);
    if (write(ready, &byte, 1) != 1)
        die("pipe");
    (void)go;
    line_await(&line, WSP_LOCAL_TEXT, count);
    if (write(ready, &byte, 1) != 1)
        die("pipe");
    /* Stays until all have theirs, so that nobody's leaving is part of what is measured. */
    while (read(go, &byte, 1) > 0)
        ;
    line_close(&line);
}

static void await_bytes(int fd, unsigned long n)
{
    char byte;
    for (; n > 0; n--)
        if (read(fd, &byte, 1) != 1)
            die("a consumer failed");
}

static void flood(char **argv)
{
    unsigned long n_consumers = number(argv[2]), count = number(argv[3]);
    int ready[2], go[2], failed = 0, status;
    char order[64];
    struct line line;
    if (n_consumers > MAX_CONSUMERS || pipe(ready) != 0 || pipe(go) != 0)
        die("consumers");
    for (unsigned long i = 0; i < n_consumers; i++) {
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            close(ready[0]);
            close(go[1]);
            consume(argv[0], argv[1], count, ready[1], go[0]);
            _exit(0);
        }
    }
    close(ready[1]);
    close(go[0]);
    await_bytes(ready[0], n_consumers);
    /* The one who gives the order is one more channel of the same upstream. */
    line_open(&line, argv[0], argv[1], WSP_SHARING_SHARED, LINE_NO_OPTIONS);
    line_await(&line, WSP_LOCAL_OPENED, 1);
    int len = snprintf(order, sizeof(order), "%lu %lu", count, number(argv[4]));
    double start = now_us();
    line_send(&line, (const uint8_t *)order, (size_t)len);
    line_await(&line, WSP_LOCAL_TEXT, count);
    await_bytes(ready[0], n_consumers);
    double seconds = (now_us() - start) / 1e6;
    close(go[1]);
    while (wait(&status) > 0)
        failed += status != 0;
    line_close(&line);
    if (failed)
        die("a consumer failed");
    printf("{\"deliveries\": %lu, \"seconds\": %.6f}\n", count * (n_consumers + 1), seconds);
}

/* -- memory -- */

/* Messages that compress well. */
static void idle(char **argv)
{
    unsigned long n_lines = number(argv[2]), len = number(argv[3]);
    struct line *lines = calloc(n_lines, sizeof(*lines));
    uint8_t payload[WSP_MAX_LOCAL_PAYLOAD];
    char byte;
    if (!lines || len > sizeof(payload))
        die("connections");
    memset(payload, 'x', sizeof(payload));
    for (unsigned long i = 0; i < n_lines; i++) {
        line_open(&lines[i], argv[0], argv[1], WSP_SHARING_DEFAULT, LINE_NO_OPTIONS);
        line_await(&lines[i], WSP_LOCAL_OPENED, 1);
        line_send(&lines[i], payload, len);
        line_await(&lines[i], WSP_LOCAL_TEXT, 1);
    }
    printf("{\"connections\": %lu}\n", n_lines);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    for (unsigned long i = 0; i < n_lines; i++)
        line_close(&lines[i]);
    free(lines);
}

/* -- round trips -- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(unsigned long count, void (*round_trip)(void *context), void *context)
{
    double *times = calloc(count, sizeof(*times));
    if (!times || count == 0)
        die("count");
    for (unsigned long i = 0; i < WARMUP; i++)
        round_trip(context);
    for (unsigned long i = 0; i < count; i++) {
        double start = now_us();
        round_trip(context);
        times[i] = now_us() - start;
    }
    qsort(times, count, sizeof(*times), compare);
    printf("{\"median_us\": %.3f, \"p99_us\": %.3f}\n", times[count / 2],
           times[count - 1 - count / 100]);
    free(times);
}

struct trip {
    struct line line;
    struct remote remote;
    struct wsp_ws_reader reader;
    int fd;
    uint8_t payload[WSP_MAX_LOCAL_PAYLOAD];
    size_t len;
};

static struct trip trip;

static void trip_size(const char *text)
{
    trip.len = number(text);
    if (trip.len > sizeof(trip.payload))
        die("the size is larger than a frame");
    memset(trip.payload, 'x', trip.len);
}

static void echo_once(void *context)
{
    (void)context;
    line_send(&trip.line, trip.payload, trip.len);
    line_await(&trip.line, WSP_LOCAL_TEXT, 1);
}

static void direct_once(void *context)
{
    static uint8_t frame[WSP_MAX_LOCAL_PAYLOAD + WSP_FRAME_MAX_HEADER];
    static const uint8_t key[4] = {1, 2, 3, 4};
    struct wsp_ws_outgoing outgoing;
    struct wsp_ws_event event;
    unsigned long n_calls = 0;
    (void)context;
    wsp_ws_outgoing_begin(&outgoing, WSP_ROLE_CLIENT, false,
                          (struct wsp_view){trip.payload, trip.len}, key);
    size_t len = wsp_ws_outgoing_fill(&outgoing, frame, sizeof(frame));
    if (remote_write(&trip.remote, frame, len, &n_calls) != 0)
        die("the server went away");
    int r;
    while ((r = wsp_ws_reader_next(&trip.reader, &event)) == WSP_MORE) {
        ssize_t n = remote_read(&trip.remote, scratch, sizeof(scratch), &n_calls);
        if (n <= 0)
            die("the server went away");
        wsp_ws_reader_feed(&trip.reader, (struct wsp_view){scratch, (size_t)n});
    }
    if (r != 0 || event.type != WSP_WS_MESSAGE || event.payload.len != trip.len)
        die("the server's echo is not what was sent");
}

static void unix_once(void *context)
{
    size_t got = 0;
    (void)context;
    write_all(trip.fd, trip.payload, trip.len);
    while (got < trip.len) {
        ssize_t n = recv(trip.fd, scratch, sizeof(scratch), 0);
        if (n <= 0)
            die("the other process went away");
        got += (size_t)n;
    }
}

/* URL is SCHEME://127.0.0.1:PORT/PATH. */
static void open_many(char **argv)
{
    static const char first[] = "127.0.0.1:";
    unsigned long count = number(argv[2]), n_addresses = number(argv[3]);
    const char *host = strstr(argv[1], first);
    struct line line;
    char url[200];
    if (!host || n_addresses == 0 || n_addresses > 254)
        die("the URL is not on 127.0.0.1, or there are not so many addresses");
    line_connect(&line, argv[0]);
    double start = now_us();
    for (unsigned long i = 0; i < count; i++) {
        snprintf(url, sizeof(url), "%.*s127.0.0.%lu:%s", (int)(host - argv[1]), argv[1],
                 1 + i % n_addresses, host + sizeof(first) - 1);
        line_open_channel(&line, LINE_CHANNEL + (uint32_t)i, WSP_SHARING_PRIVATE, url,
                          LINE_NO_OPTIONS);
    }
    line_await(&line, WSP_LOCAL_OPENED, count);
    printf("{\"seconds\": %.6f}\n", (now_us() - start) / 1e6);
    line_close(&line);
}

static void echo(char **argv)
{
    trip_size(argv[3]);
    line_open(&trip.line, argv[0], argv[1], WSP_SHARING_SHARED, LINE_NO_OPTIONS);
    line_await(&trip.line, WSP_LOCAL_OPENED, 1);
    measure(number(argv[2]), echo_once, NULL);
    line_close(&trip.line);
}

static void direct(char **argv)
{
    const struct wsp_ws_limits limits = {.max_message = 16 << 20, .max_fragments = UINT32_MAX};
    trip_size(argv[2]);
    remote_open(&trip.remote, argv[0]);
    wsp_ws_reader_init(&trip.reader, WSP_ROLE_CLIENT, &limits);
    measure(number(argv[1]), direct_once, NULL);
    wsp_ws_reader_deinit(&trip.reader);
    remote_close(&trip.remote);
}

static void unix_socket(char **argv)
{
    int ends[2];
    trip_size(argv[1]);
    if (trip.len == 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        die("socketpair");
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        ssize_t n;
        close(ends[0]);
        while ((n = recv(ends[1], scratch, sizeof(scratch), 0)) > 0)
            write_all(ends[1], scratch, (size_t)n);
        _exit(0);
    }
    close(ends[1]);
    trip.fd = ends[0];
    measure(number(argv[0]), unix_once, NULL);
    close(ends[0]);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int n_arguments;
        void (*run)(char **argv);
    } modes[] = {
        {"flood", 5, flood},   {"open", 4, open_many},   {"echo", 4, echo},
        {"direct", 3, direct}, {"unix", 2, unix_socket}, {"idle", 4, idle},
    };
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (argc == modes[i].n_arguments + 2 && strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run(argv + 2);
            return 0;
        }
    }
    fputs("usage: load flood SOCKET URL CONSUMERS COUNT SIZE | open SOCKET URL COUNT ADDRESSES | "
          "echo SOCKET URL COUNT SIZE | direct URL COUNT SIZE | unix COUNT SIZE | "
          "idle SOCKET URL CONNECTIONS SIZE\n",
          stderr);
    return 2;
}
