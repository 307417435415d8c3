/* SPDX-License-Identifier: MIT
 *
 * hello: says hello to an echo server, prints what comes back, and leaves.
 *
 *     cc hello.c $(pkg-config --cflags --libs wsplex) -o hello && ./hello ws://127.0.0.1:8080/
 */
#include <stdio.h>
#include <wsplex.h>

static void on_open(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    wsplex_websocket_send_text(event->target, "Hello", 5);
}

static void on_message(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    printf("%s\n", (const char *)event->data);
    wsplex_websocket_close(event->target, 1000, "done");
}

static void on_error(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "hello: %s\n", event->cause_text);
}

static void on_close(const struct wsplex_event *event, void *userdata)
{
    *(bool *)userdata = event->was_clean;
}

int main(int argc, char **argv)
{
    struct wsplex *client;
    struct wsplex_websocket *websocket;
    bool was_clean = false;

    if (argc != 2 || wsplex_new(NULL, &client) < 0)
        return 2;
    if (wsplex_websocket_new(client, argv[1], NULL, 0, NULL, &websocket) < 0) {
        fprintf(stderr, "hello: %s\n", wsplex_error_text(client));
        wsplex_free(client);
        return 2;
    }
    wsplex_websocket_set_on_open(websocket, on_open, NULL);
    wsplex_websocket_set_on_message(websocket, on_message, NULL);
    wsplex_websocket_set_on_error(websocket, on_error, NULL);
    wsplex_websocket_set_on_close(websocket, on_close, &was_clean);
    wsplex_run(client);
    wsplex_free(client);
    return was_clean ? 0 : 1;
}
