/*
 * ws_echo: a program on libwsplex that sends back whatever it gets. For each URL, a line of stdin, it opens a WebSocket
 * of its own; when that has closed it tells on stdout, a JSON object a line: the URL, how many messages came, whether
 * there was an error event and what it said, and the members of the close event.
 *
 * Neighbours: libwsplex below, a scripted server beyond it. Invariant: a message goes back within the handler that got
 * it, in its own type, and nothing else is ever sent.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client-lib/wsplex.h"

struct echo {
    char *url;
    char *error; /* what the error event said */
    unsigned n_messages;
};

static void tell_text(const char *member, const char *text, size_t len)
{
    printf("\"%s\": \"", member);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    printf("\", ");
}

static void on_message(const struct wsplex_event *event, void *userdata)
{
    struct echo *echo = userdata;
    int r;

    echo->n_messages++;
    if (event->is_binary)
        r = wsplex_websocket_send_binary(event->target, event->data, event->length);
    else
        r = wsplex_websocket_send_text(event->target, event->data, event->length);
    if (r < 0)
        abort();
}

static void on_error(const struct wsplex_event *event, void *userdata)
{
    struct echo *echo = userdata;

    if (echo->error)
        abort();
    echo->error = strdup(event->cause_text);
}

static void on_close(const struct wsplex_event *event, void *userdata)
{
    struct echo *echo = userdata;

    printf("{");
    tell_text("url", echo->url, strlen(echo->url));
    if (echo->error)
        tell_text("error", echo->error, strlen(echo->error));
    tell_text("reason", event->reason, event->reason_length);
    printf("\"messages\": %u, \"clean\": %s, \"code\": %u}\n", echo->n_messages,
           event->was_clean ? "true" : "false", event->code);
    free(echo->error);
    free(echo->url);
    free(echo);
    wsplex_websocket_free(event->target);
}

static void echo_open(struct wsplex *client, const char *url)
{
    struct echo *echo = calloc(1, sizeof(*echo));
    struct wsplex_websocket *websocket;

    if (!echo || !(echo->url = strdup(url)) ||
        wsplex_websocket_new(client, url, NULL, 0, NULL, &websocket) < 0) {
        fprintf(stderr, "ws_echo: %s: %s\n", url, wsplex_error_text(client));
        exit(2);
    }
    if (wsplex_websocket_set_on_message(websocket, on_message, echo) < 0 ||
        wsplex_websocket_set_on_error(websocket, on_error, echo) < 0 ||
        wsplex_websocket_set_on_close(websocket, on_close, echo) < 0)
        exit(2);
}

/* False at the end of stdin. */
static bool read_urls(struct wsplex *client)
{
    static char input[65536];
    static size_t input_len;
    ssize_t n = read(STDIN_FILENO, input + input_len, sizeof(input) - input_len);
    char *line = input, *end;

    if (n <= 0)
        return false;
    input_len += (size_t)n;
    while ((end = memchr(line, '\n', input_len - (size_t)(line - input)))) {
        *end = '\0';
        echo_open(client, line);
        line = end + 1;
    }
    input_len -= (size_t)(line - input);
    memmove(input, line, input_len);
    return input_len < sizeof(input);
}

int main(int argc, char **argv)
{
    struct wsplex *client;
    bool is_over = false;

    if (argc != 2 || wsplex_new(argv[1], &client) < 0)
        return 2;
    while (!is_over) {
        struct pollfd waits[] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = wsplex_get_fd(client), .events = wsplex_get_events(client)},
        };

        fflush(stdout);
        if (poll(waits, 2, wsplex_get_timeout_ms(client)) < 0 && errno != EINTR)
            return 2;
        if (waits[0].revents)
            is_over = !read_urls(client);
        if (wsplex_dispatch(client) < 0)
            return 2;
    }
    wsplex_free(client);
    return 0;
}
