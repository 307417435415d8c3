/* SPDX-License-Identifier: MIT
 *
 * resilient_feed: follows a feed for as long as it lasts. It survives the daemon, goes on after the last
 * message that it has dealt with when it is started again, and knows when something is missing.
 *
 *     cc resilient_feed.c $(pkg-config --cflags --libs wsplex) -o resilient_feed
 *     ./resilient_feed wsplex-endpoint:feed position '{"subscribe":"news"}' '{"unsubscribe":"news"}'
 *
 * The endpoint should have replay = 1000 or so, and persist = yes; see wsplexd.conf(5).
 */
#include <stdio.h>
#include <string.h>
#include <wsplex.h>

static const char *position_file;

/* Written beside it and moved into its place, so that a crash leaves the old one or the new one. */
static void keep(const struct wsplex_position *position)
{
    char text[WSPLEX_POSITION_SIZE], path[4096];
    FILE *file;

    wsplex_position_to_string(position, text);
    snprintf(path, sizeof(path), "%s.new", position_file);
    file = fopen(path, "w");
    if (!file || fprintf(file, "%s\n", text) < 0 || fclose(file) != 0 ||
        rename(path, position_file) != 0)
        perror(path);
}

static void resume(struct wsplex_options *options)
{
    struct wsplex_position position;
    char text[WSPLEX_POSITION_SIZE + 1] = "";
    FILE *file = fopen(position_file, "r");

    if (!file)
        return;
    if (fgets(text, sizeof(text), file)) {
        text[strcspn(text, "\n")] = '\0';
        if (wsplex_position_from_string(text, &position) == 0)
            wsplex_options_set_resume(options, &position);
    }
    fclose(file);
}

/* First the work, then the position: after a crash the last message may come again, but none is lost. */
static void on_message(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    puts(event->data);
    fflush(stdout);
    keep(&event->position);
}

/* Here a program would ask the server for the whole picture again, as it does at its first start. */
static void on_gap(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    if (event->is_counted)
        fprintf(stderr, "%llu messages are missing: %s\n", (unsigned long long)event->count,
                event->cause_text);
    else
        fprintf(stderr, "messages may be missing: %s\n", event->cause_text);
}

/* `interrupted`, `resumed` and, when it is over, `error`. */
static void on_change(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "%s %s\n", event->type, event->cause_text);
}

int main(int argc, char **argv)
{
    struct wsplex *client;
    struct wsplex_websocket *websocket;
    struct wsplex_options *options;

    if (argc < 3 || wsplex_new(NULL, &client) < 0 || wsplex_options_new(&options) < 0)
        return 1;
    position_file = argv[2];
    resume(options);
    wsplex_set_reconnect(client, -1, 0);
    if (wsplex_websocket_new(client, argv[1], NULL, 0, options, &websocket) < 0) {
        fprintf(stderr, "%s\n", wsplex_error_text(client));
        return 1;
    }
    wsplex_options_free(options);
    if (argc > 3)
        wsplex_websocket_subscribe(websocket, argv[3], argv[4]);
    wsplex_websocket_set_on_message(websocket, on_message, NULL);
    wsplex_websocket_set_on_error(websocket, on_change, NULL);
    wsplex_websocket_add_event_listener(websocket, "interrupted", on_change, NULL, 0);
    wsplex_websocket_add_event_listener(websocket, "resumed", on_change, NULL, 0);
    wsplex_websocket_add_event_listener(websocket, "gap", on_gap, NULL, 0);
    wsplex_run(client);
    wsplex_free(client);
    return 0;
}
