/* SPDX-License-Identifier: MIT
 *
 * in_libevent: joins a feed that other processes may share, within a libevent loop, and prints it
 * until the feed ends or somebody presses Ctrl-C; counts the messages of every ten seconds meanwhile.
 *
 *     cc in_libevent.c $(pkg-config --cflags --libs wsplex libevent_core) -o in_libevent
 *     ./in_libevent wss://feed.example/
 */
#include <signal.h>
#include <stdio.h>
#include <wsplex/libevent.h>

struct program {
    struct event_base *base;
    struct wsplex *client;
    struct wsplex_websocket *websocket;
    unsigned long n_messages;
};

static void on_message(const struct wsplex_event *event, void *userdata)
{
    struct program *program = userdata;

    program->n_messages++;
    fwrite(event->data, 1, event->length, stdout);
    putchar('\n');
}

static void on_error(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "in_libevent: %s\n", event->cause_text);
}

static void on_close(const struct wsplex_event *event, void *userdata)
{
    struct program *program = userdata;

    fprintf(stderr, "in_libevent: closed with %d %s\n", event->code, event->reason);
    event_base_loopbreak(program->base);
}

static void on_interrupt(evutil_socket_t fd, short what, void *userdata)
{
    struct program *program = userdata;

    (void)fd;
    (void)what;
    wsplex_websocket_close(program->websocket, 1000, NULL);
}

static void on_time(evutil_socket_t fd, short what, void *userdata)
{
    struct program *program = userdata;

    (void)fd;
    (void)what;
    fprintf(stderr, "in_libevent: %lu messages\n", program->n_messages);
    program->n_messages = 0;
}

static int join(struct program *program, const char *url)
{
    struct wsplex_options *options;
    int r = wsplex_options_new(&options);

    if (r < 0)
        return r;
    wsplex_options_set_sharing(options, WSPLEX_SHARING_SHARED);
    r = wsplex_websocket_new(program->client, url, NULL, 0, options, &program->websocket);
    wsplex_options_free(options);
    if (r < 0) {
        fprintf(stderr, "in_libevent: %s\n", wsplex_error_text(program->client));
        return r;
    }
    wsplex_websocket_set_on_message(program->websocket, on_message, program);
    wsplex_websocket_set_on_error(program->websocket, on_error, program);
    wsplex_websocket_set_on_close(program->websocket, on_close, program);
    return 0;
}

int main(int argc, char **argv)
{
    struct program program = {.base = event_base_new()};
    struct event *interrupt = evsignal_new(program.base, SIGINT, on_interrupt, &program);
    struct event *timer = event_new(program.base, -1, EV_PERSIST, on_time, &program);
    struct timeval ten_seconds = {10, 0};
    struct wsplex_libevent *adapter = NULL;
    int status = 1;

    if (argc == 2 && wsplex_new(NULL, &program.client) == 0 &&
        wsplex_libevent_attach(program.client, program.base, &adapter) == 0 &&
        join(&program, argv[1]) == 0) {
        event_add(interrupt, NULL);
        event_add(timer, &ten_seconds);
        status = event_base_dispatch(program.base) < 0;
    }
    wsplex_libevent_detach(adapter);
    wsplex_free(program.client);
    event_free(timer);
    event_free(interrupt);
    event_base_free(program.base);
    return status;
}
