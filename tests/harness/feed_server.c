/*
 * feed_server: a small WebSocket server on the project's own codec in the server role, for the quickstart, the
 * benches and for trying things by hand. One thread per connection, blocking sockets, TLS when given a certificate.
 *
 * What a connection gets depends on the path of its URL:
 *   /feed    {"n":1}, {"n":2} ... at a steady interval (?interval=MS, 100 by default; ?count=N closes after N)
 *   /echo    every message back as it came
 *   /flood   for each text "COUNT SIZE" so many messages of that size, as fast as the connection takes them
 *   /paced   for each text "COUNT SIZE RATE" the same, RATE in a second (0: as above); each begins with its number from 1
 *            on and the time at which it was made, in microseconds of CLOCK_MONOTONIC
 * With ?deflate messages are compressed (RFC 7692) if the client offers it.
 *
 * Its first line on stdout is its URL, "wss://127.0.0.1:PORT". It ends when its stdin ends or on SIGTERM.
 * Invariant: nothing outlives the process; a connection that breaks a rule ends alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/websocket/handshake.h"
#include "proto/websocket/message.h"
#include "proto/websocket/offer.h"

enum {
    CHUNK = 65536,          /* bytes read or written at once */
    MAX_MESSAGE = 64 << 20, /* above what the daemon takes, so that its limit is what is met */
    DEFAULT_INTERVAL_MS = 100,
    MAX_FLOOD_SIZE = 16 << 20,
};

/* One connection and its thread. */
struct visitor {
    int fd;
    SSL *ssl; /* NULL: plain */
    struct wsp_ws_reader reader;
    struct wsp_deflater deflater; /* all zero: sends everything as it is */
    struct wsp_buffer out;
    char path[256];
    unsigned long interval_ms, count, n_told;
    bool is_closing;       /* a Close frame has gone out */
    struct wsp_view early; /* frames that came glued to the request, in chunk */
    uint8_t chunk[CHUNK];
};

static SSL_CTX *tls;

/* -- the stream -- */

static ssize_t visitor_read(struct visitor *visitor)
{
    if (!visitor->ssl)
        return recv(visitor->fd, visitor->chunk, CHUNK, 0);
    int n = SSL_read(visitor->ssl, visitor->chunk, CHUNK);
    return n > 0 ? n : SSL_get_error(visitor->ssl, n) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static bool visitor_write(struct visitor *visitor, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t piece = len < CHUNK ? len : CHUNK;
        ssize_t n = visitor->ssl ? SSL_write(visitor->ssl, data, (int)piece)
                                 : send(visitor->fd, data, piece, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool visitor_flush(struct visitor *visitor)
{
    bool is_written =
        visitor_write(visitor, wsp_buffer_peek(&visitor->out), wsp_buffer_len(&visitor->out));
    wsp_buffer_consume(&visitor->out, wsp_buffer_len(&visitor->out));
    return is_written;
}

/* Is there something to read within timeout_ms? Bytes in OpenSSL's own buffer count. */
static bool visitor_wait(struct visitor *visitor, int timeout_ms)
{
    if (visitor->ssl && SSL_pending(visitor->ssl) > 0)
        return true;
    struct pollfd poll_fd = {.fd = visitor->fd, .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) > 0;
}

/* -- what is said -- */

static bool put(struct visitor *visitor, struct wsp_ws_outgoing *outgoing)
{
    while (wsp_ws_outgoing_left(outgoing) > 0) {
        uint8_t *room;
        if (wsp_buffer_len(&visitor->out) >= CHUNK && !visitor_flush(visitor))
            return false;
        if (wsp_buffer_reserve(&visitor->out, CHUNK, &room) != 0)
            return false;
        wsp_buffer_commit(&visitor->out, wsp_ws_outgoing_fill(outgoing, room, CHUNK));
    }
    return true;
}

/* The same message so many times; packed once, so with more than one nothing in it may refer to another. */
static bool say_times(struct visitor *visitor, struct wsp_deflater *deflater, bool is_binary,
                      struct wsp_view payload, unsigned long count)
{
    struct wsp_ws_outgoing outgoing;
    struct wsp_buffer packed = {0};
    wsp_deflater_begin(deflater, payload);
    int r = wsp_deflater_step(deflater, payload.len, &packed);
    bool is_fine = r >= 0;
    for (unsigned long i = 0; is_fine && i < count; i++) {
        if (r == 0)
            wsp_ws_outgoing_begin_packed(
                &outgoing, WSP_ROLE_SERVER, is_binary,
                (struct wsp_view){wsp_buffer_peek(&packed), wsp_buffer_len(&packed)}, NULL);
        else
            wsp_ws_outgoing_begin(&outgoing, WSP_ROLE_SERVER, is_binary, payload, NULL);
        is_fine = put(visitor, &outgoing);
    }
    wsp_buffer_deinit(&packed);
    return is_fine;
}

static bool say(struct visitor *visitor, bool is_binary, struct wsp_view payload)
{
    return say_times(visitor, &visitor->deflater, is_binary, payload, 1);
}

static bool say_close(struct visitor *visitor, uint16_t code, struct wsp_view reason)
{
    visitor->is_closing = true;
    return wsp_ws_write_close(&visitor->out, WSP_ROLE_SERVER, code, reason, NULL) == 0 &&
           visitor_flush(visitor);
}

static bool tick(struct visitor *visitor)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "{\"n\":%lu}", ++visitor->n_told);
    if (!say(visitor, false, (struct wsp_view){(const uint8_t *)text, (size_t)len}) ||
        !visitor_flush(visitor))
        return false;
    return visitor->n_told != visitor->count ||
           say_close(visitor, 1000, WSP_VIEW_LITERAL("the feed is over"));
}

/* As feeds look: the same names again and again, and numbers that differ. */
static void fill(uint8_t *payload, size_t size)
{
    unsigned number = 1;
    for (size_t at = 0; at < size;) {
        char text[64];
        number = number * 1103515245 + 12345;
        int len = snprintf(text, sizeof(text), "{\"symbol\":\"XYZ\",\"price\":%u.%02u},",
                           number >> 16, number % 100);
        size_t n = size - at < (size_t)len ? size - at : (size_t)len;
        memcpy(payload + at, text, n);
        at += n;
    }
}

static bool flood(struct visitor *visitor, struct wsp_view order)
{
    char text[64] = "";
    memcpy(text, order.data, order.len < sizeof(text) ? order.len : sizeof(text) - 1);
    unsigned long count = 0, size = 0;
    if (sscanf(text, "%lu %lu", &count, &size) != 2 || size > MAX_FLOOD_SIZE)
        return say_close(visitor, 1008, WSP_VIEW_LITERAL("say COUNT SIZE"));
    uint8_t *payload = malloc(size ? size : 1);
    if (!payload)
        return false;
    fill(payload, size);
    struct wsp_deflater deflater = {.mode = visitor->deflater.mode};
    deflater.mode.is_taking_over = false;
    bool is_fine = say_times(visitor, &deflater, false, (struct wsp_view){payload, size}, count);
    wsp_deflater_deinit(&deflater);
    free(payload);
    return is_fine && visitor_flush(visitor);
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* When it is late, as the connection took nothing, it catches up. */
static bool paced(struct visitor *visitor, struct wsp_view order)
{
    char text[64] = "";
    memcpy(text, order.data, order.len < sizeof(text) ? order.len : sizeof(text) - 1);
    unsigned long count = 0, size = 0, rate = 0;
    if (sscanf(text, "%lu %lu %lu", &count, &size, &rate) != 3 || size < sizeof(text) ||
        size > MAX_FLOOD_SIZE)
        return say_close(visitor, 1008, WSP_VIEW_LITERAL("say COUNT SIZE RATE"));
    uint8_t *payload = malloc(size);
    if (!payload)
        return false;
    fill(payload, size);
    uint64_t start = now_us();
    bool is_fine = true;
    for (unsigned long i = 0; is_fine && i < count; i++) {
        uint64_t now = now_us(), due = rate > 0 ? start + i * 1000000 / rate : 0;
        if (now < due) {
            struct timespec rest = {.tv_sec = (time_t)((due - now) / 1000000),
                                    .tv_nsec = (long)((due - now) % 1000000) * 1000};
            is_fine = visitor_flush(visitor);
            nanosleep(&rest, NULL);
            now = now_us();
        }
        int len = snprintf(text, sizeof(text), "%lu %llu ", i + 1, (unsigned long long)now);
        memcpy(payload, text, (size_t)len);
        is_fine = is_fine && say(visitor, false, (struct wsp_view){payload, size});
    }
    free(payload);
    return is_fine && visitor_flush(visitor);
}

static bool answer(struct visitor *visitor, const struct wsp_ws_event *event)
{
    switch (event->type) {
    case WSP_WS_PING:
        return wsp_ws_write_control(&visitor->out, WSP_ROLE_SERVER, WSP_OPCODE_PONG, event->payload,
                                    NULL) == 0;
    case WSP_WS_CLOSE:
        return visitor->is_closing || say_close(visitor, event->code, event->payload);
    case WSP_WS_MESSAGE:
        if (strcmp(visitor->path, "/echo") == 0)
            return say(visitor, event->is_binary, event->payload);
        if (strcmp(visitor->path, "/flood") == 0)
            return flood(visitor, event->payload);
        if (strcmp(visitor->path, "/paced") == 0)
            return paced(visitor, event->payload);
        return true; /* the feed listens to nobody */
    case WSP_WS_PONG: return true;
    }
    return true;
}

/* -- a connection's life -- */

/* The answer to what the client offers; empty: none. */
static struct wsp_view agree(struct visitor *visitor, const struct wsp_client_request *request,
                             char to[WSP_DEFLATE_TEXT_LEN])
{
    static const struct wsp_deflate_params wanted = {0};
    struct wsp_deflate_agreement agreement;
    struct wsp_deflate_params answer;
    struct wsp_view offers = {NULL, 0};
    if (!wsp_head_find(request->head, "Sec-WebSocket-Extensions", NULL, &offers) ||
        !wsp_deflate_choose(offers, &wanted, &answer, &agreement))
        return (struct wsp_view){NULL, 0};
    wsp_ws_reader_inflate(&visitor->reader, agreement.from_client);
    wsp_deflater_init(&visitor->deflater, agreement.from_server);
    return (struct wsp_view){(const uint8_t *)to, wsp_deflate_params_write(&answer, to)};
}

/* Answers the request. False: it was refused, or the connection has gone. */
static bool greet(struct visitor *visitor)
{
    struct wsp_request_reader reader;
    struct wsp_client_request request;
    wsp_request_reader_init(&reader, WSP_MAX_HTTP_HEAD, WSP_MAX_HTTP_N_FIELDS);
    int r = WSP_MORE;
    while (r == WSP_MORE) {
        ssize_t n = visitor_read(visitor);
        if (n <= 0)
            break;
        wsp_request_reader_feed(&reader, (struct wsp_view){visitor->chunk, (size_t)n});
        r = wsp_request_reader_next(&reader, &request);
    }
    if (r == WSP_BROKEN)
        (void)(wsp_handshake_write_refusal(&visitor->out, wsp_request_reader_status(&reader),
                                           wsp_view_of_string(wsp_request_reader_why(&reader)),
                                           NULL, 0) == 0 &&
               visitor_flush(visitor));
    if (r == 0) {
        char input[WSP_HANDSHAKE_ACCEPT_INPUT], accept[WSP_HANDSHAKE_ACCEPT], target[256] = "";
        char agreed[WSP_DEFLATE_TEXT_LEN];
        struct wsp_view extensions = {NULL, 0};
        uint8_t digest[WSP_HANDSHAKE_DIGEST];
        wsp_handshake_accept_input(request.key, input);
        SHA1((const unsigned char *)input, sizeof(input), digest);
        wsp_handshake_accept(digest, accept);
        memcpy(target, request.target.data,
               request.target.len < sizeof(target) ? request.target.len : sizeof(target) - 1);
        sscanf(target, "%255[^?]", visitor->path);
        const char *parameter = strstr(target, "interval=");
        visitor->interval_ms = parameter ? strtoul(parameter + 9, NULL, 10) : DEFAULT_INTERVAL_MS;
        visitor->early = request.rest;
        parameter = strstr(target, "count=");
        visitor->count = parameter ? strtoul(parameter + 6, NULL, 10) : 0;
        if (strstr(target, "deflate"))
            extensions = agree(visitor, &request, agreed);
        r = wsp_handshake_write_accept(&visitor->out, accept, (struct wsp_view){NULL, 0},
                                       extensions, NULL, 0);
    }
    wsp_request_reader_deinit(&reader);
    return r == 0 && visitor_flush(visitor);
}

/* Answers what has come. False: it is over. */
static bool hear(struct visitor *visitor, struct wsp_view window)
{
    struct wsp_ws_event event;
    int r;
    wsp_ws_reader_feed(&visitor->reader, window);
    while ((r = wsp_ws_reader_next(&visitor->reader, &event)) == 0) {
        if (!answer(visitor, &event) || event.type == WSP_WS_CLOSE)
            return false;
    }
    if (r == WSP_BROKEN)
        (void)say_close(visitor, wsp_ws_reader_broken_code(&visitor->reader),
                        (struct wsp_view){NULL, 0});
    return r == WSP_MORE && visitor_flush(visitor);
}

static bool listen_once(struct visitor *visitor)
{
    ssize_t n = visitor_read(visitor);
    return n > 0 && hear(visitor, (struct wsp_view){visitor->chunk, (size_t)n});
}

static uint64_t now_ms(void)
{
    return now_us() / 1000;
}

static void converse(struct visitor *visitor)
{
    bool is_feed = strcmp(visitor->path, "/echo") != 0 && strcmp(visitor->path, "/flood") != 0 &&
                   strcmp(visitor->path, "/paced") != 0;
    uint64_t due = now_ms() + visitor->interval_ms;
    if (!hear(visitor, visitor->early))
        return;
    for (;;) {
        int timeout_ms = -1;
        if (is_feed && !visitor->is_closing) {
            uint64_t now = now_ms();
            if (now >= due) {
                if (!tick(visitor))
                    return;
                due += visitor->interval_ms;
                continue;
            }
            timeout_ms = (int)(due - now);
        }
        if (visitor_wait(visitor, timeout_ms) && !listen_once(visitor))
            return;
    }
}

static void *visit(void *argument)
{
    struct visitor *visitor = argument;
    const struct wsp_ws_limits limits = {.max_message = MAX_MESSAGE, .max_fragments = UINT32_MAX};
    wsp_ws_reader_init(&visitor->reader, WSP_ROLE_SERVER, &limits);
    wsp_buffer_init(&visitor->out, SIZE_MAX);
    if ((!visitor->ssl || SSL_accept(visitor->ssl) == 1) && greet(visitor)) {
        converse(visitor);
        if (visitor->ssl)
            SSL_shutdown(visitor->ssl);
    }
    wsp_ws_reader_deinit(&visitor->reader);
    wsp_deflater_deinit(&visitor->deflater);
    wsp_buffer_deinit(&visitor->out);
    SSL_free(visitor->ssl);
    close(visitor->fd);
    free(visitor);
    return NULL;
}

static void welcome(int fd)
{
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct visitor *visitor = calloc(1, sizeof(*visitor));
    pthread_t thread;
    if (!visitor) {
        close(fd);
        return;
    }
    visitor->fd = fd;
    visitor->ssl = tls ? SSL_new(tls) : NULL;
    if ((tls && (!visitor->ssl || !SSL_set_fd(visitor->ssl, fd))) ||
        pthread_create(&thread, NULL, visit, visitor) != 0) {
        SSL_free(visitor->ssl);
        close(fd);
        free(visitor);
        return;
    }
    pthread_detach(thread);
}

/* -- the program -- */

static int listen_on(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *address;
    const int one = 1;
    if (getaddrinfo(host, port, &hints, &address) != 0) {
        fprintf(stderr, "feed_server: %s port %s is not an address to listen on\n", host, port);
        return -1;
    }
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        fprintf(stderr, "feed_server: %s port %s: %s\n", host, port, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(address);
    return fd;
}

static void announce(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    char host[64], port[8];
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        fputs("feed_server: the socket does not tell its address\n", stderr);
        exit(1);
    }
    printf(address.ss_family == AF_INET6 ? "%s://[%s]:%s\n" : "%s://%s:%s\n", tls ? "wss" : "ws",
           host, port);
    fflush(stdout);
}

static int open_tls(const char *certificate, const char *key)
{
    tls = SSL_CTX_new(TLS_server_method());
    if (tls && SSL_CTX_use_certificate_chain_file(tls, certificate) == 1 &&
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1)
        return 0;
    fprintf(stderr, "feed_server: %s and %s are no certificate and its key\n", certificate, key);
    return -1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"host", required_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'},
        {"certificate", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    const char *host = "127.0.0.1", *port = "0", *certificate = NULL, *key = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'h': host = optarg; break;
        case 'p': port = optarg; break;
        case 'c': certificate = optarg; break;
        case 'k': key = optarg; break;
        default:
            fputs("usage: feed_server [--host ADDRESS] [--port N] [--certificate PEM --key PEM]\n",
                  stderr);
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    if (certificate && open_tls(certificate, key ? key : certificate) != 0)
        return 1;
    int fd = listen_on(host, port);
    if (fd < 0)
        return 1;
    announce(fd);
    struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    char byte;
    for (;;) {
        if (poll(waits, 2, -1) < 0)
            continue;
        if (waits[1].revents && read(STDIN_FILENO, &byte, 1) <= 0)
            _exit(0); /* its threads have nothing to lose */
        int visitor = waits[0].revents ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (visitor >= 0)
            welcome(visitor);
    }
}
