/* SPDX-License-Identifier: MIT
 *
 * ten_lines: prints every message that comes from a WebSocket, until it closes.
 *
 *     cc ten_lines.c $(pkg-config --cflags --libs wsplex) -o ten_lines
 *     ./ten_lines wss://feed.example/
 */
#include <stdio.h>
#include <wsplex.h>

static void on_message(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    puts(event->data);
}

int main(int argc, char **argv)
{
    struct wsplex *client;
    struct wsplex_websocket *websocket;

    if (argc != 2 || wsplex_new(NULL, &client) < 0 ||
        wsplex_websocket_new(client, argv[1], NULL, 0, NULL, &websocket) < 0)
        return 1;
    wsplex_websocket_set_on_message(websocket, on_message, NULL);
    return wsplex_run(client) < 0;
}
