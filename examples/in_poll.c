/* SPDX-License-Identifier: MIT
 *
 * in_poll: lines of standard input become messages, messages become lines of standard output, in a
 * loop of poll(). It reads no more input while what it has sent still waits for the network, which is
 * what bufferedAmount is for.
 *
 *     cc in_poll.c $(pkg-config --cflags --libs wsplex) -o in_poll && ./in_poll ws://127.0.0.1:8080/
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wsplex.h>

enum {
    MAX_WAITING = 1024 * 1024,
};

static void on_message(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    fwrite(event->data, 1, event->length, stdout);
    putchar('\n');
    fflush(stdout);
}

static void on_error(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "in_poll: %s\n", event->cause_text);
}

/* Sends the lines that are whole and returns how many bytes are left of the last one. */
static size_t send_lines(struct wsplex_websocket *websocket, char *text, size_t len)
{
    char *begin = text;
    char *end;

    while ((end = memchr(begin, '\n', len)) != NULL) {
        if (wsplex_websocket_send_text(websocket, begin, (size_t)(end - begin)) < 0)
            fprintf(stderr, "in_poll: %s\n", wsplex_error_text(wsplex_websocket_client(websocket)));
        len -= (size_t)(end + 1 - begin);
        begin = end + 1;
    }
    memmove(text, begin, len);
    return len;
}

static void loop(struct wsplex *client, struct wsplex_websocket *websocket)
{
    static char text[65536];
    size_t len = 0;

    while (wsplex_get_n_pending(client) > 0) {
        bool wants_input = wsplex_websocket_ready_state(websocket) == WSPLEX_OPEN &&
                           wsplex_websocket_buffered_amount(websocket) < MAX_WAITING;
        struct pollfd pollfds[2] = {
            {.fd = wsplex_get_fd(client), .events = wsplex_get_events(client)},
            {.fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN},
        };

        if (poll(pollfds, 2, wsplex_get_timeout_ms(client)) < 0)
            return;
        if (pollfds[1].revents) {
            ssize_t n = read(STDIN_FILENO, text + len, sizeof(text) - len);

            if (n > 0)
                len = send_lines(websocket, text, len + (size_t)n);
            if (n <= 0 || len == sizeof(text))
                wsplex_websocket_close(websocket, 1000, NULL);
        }
        wsplex_dispatch(client);
    }
}

int main(int argc, char **argv)
{
    struct wsplex_websocket *websocket;
    struct wsplex *client;

    if (argc != 2 || wsplex_new(NULL, &client) < 0)
        return 2;
    if (wsplex_websocket_new(client, argv[1], NULL, 0, NULL, &websocket) == 0) {
        wsplex_websocket_set_on_message(websocket, on_message, NULL);
        wsplex_websocket_set_on_error(websocket, on_error, NULL);
        loop(client, websocket);
    } else {
        fprintf(stderr, "in_poll: %s\n", wsplex_error_text(client));
    }
    wsplex_free(client);
    return 0;
}
