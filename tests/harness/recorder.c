/*
 * recorder: see recorder.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/recorder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void recorder_note(struct recorder *recorder, const char *format, ...)
{
    size_t room = sizeof(recorder->text) - recorder->len;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(recorder->text + recorder->len, room, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n + 1 >= room) {
        strcpy(recorder->text, "the recorder is full");
        return;
    }
    recorder->len += (size_t)n;
    recorder->text[recorder->len++] = '\n';
    recorder->text[recorder->len] = '\0';
}

void recorder_handle(const struct wsplex_event *event, void *userdata)
{
    struct recorder *recorder = userdata;

    if (strcmp(event->type, "open") == 0)
        recorder_note(recorder, "open %s", wsplex_websocket_protocol(event->target));
    else if (strcmp(event->type, "message") == 0 && event->is_binary)
        recorder_note(recorder, "binary %zu", event->length);
    else if (strcmp(event->type, "message") == 0)
        recorder_note(recorder, "%s %s", event->is_replayed ? "replayed" : "text",
                      event->length < 100 ? (const char *)event->data : "...");
    else if (strcmp(event->type, "error") == 0)
        recorder_note(recorder, "error %d", event->cause);
    else if (strcmp(event->type, "close") == 0)
        recorder_note(recorder, "close %s %d %s", event->was_clean ? "clean" : "unclean",
                      event->code, event->reason);
    else if (strcmp(event->type, "interrupted") == 0)
        recorder_note(recorder, "interrupted %d", event->cause);
    else if (strcmp(event->type, "resumed") == 0)
        recorder_note(recorder, "resumed %s", wsplex_websocket_extensions(event->target));
    else if (strcmp(event->type, "gap") == 0 && event->is_counted)
        recorder_note(recorder, "gap %d %llu", event->gap, (unsigned long long)event->count);
    else if (strcmp(event->type, "gap") == 0)
        recorder_note(recorder, "gap %d unknown", event->gap);
    else if (strcmp(event->type, "unsent") == 0)
        recorder_note(recorder, "unsent %llu %llu%s", (unsigned long long)event->count,
                      (unsigned long long)event->bytes, event->is_in_doubt ? " in doubt" : "");
    else
        recorder_note(recorder, "%s", event->type);
}

int recorder_attach_extensions(struct recorder *recorder, struct wsplex_websocket *websocket)
{
    static const char *const types[] = {"interrupted", "resumed", "gap", "unsent"};
    int r = 0;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && r == 0; i++)
        r = wsplex_websocket_add_event_listener(websocket, types[i], recorder_handle, recorder, 0);
    return r;
}

int recorder_attach(struct recorder *recorder, struct wsplex_websocket *websocket)
{
    int r = wsplex_websocket_set_on_open(websocket, recorder_handle, recorder);

    if (r == 0)
        r = wsplex_websocket_set_on_message(websocket, recorder_handle, recorder);
    if (r == 0)
        r = wsplex_websocket_set_on_error(websocket, recorder_handle, recorder);
    if (r == 0)
        r = wsplex_websocket_set_on_close(websocket, recorder_handle, recorder);
    return r;
}

const char *recorder_take(struct recorder *recorder)
{
    recorder->text[recorder->len] = '\0';
    recorder->len = 0;
    return recorder->text;
}
