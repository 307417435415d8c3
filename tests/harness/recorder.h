/*
 * recorder: writes down the events of a WebSocket, for tests that compare the whole story.
 *
 * Between client-lib/events and a test. An event is a line:
 *   open PROTOCOL; text DATA; replayed DATA; binary LENGTH; error CAUSE;
 *   close clean|unclean CODE REASON; interrupted CAUSE; resumed EXTENSIONS; gap REASON COUNT|unknown;
 *   unsent COUNT BYTES [in doubt]
 * Invariant: allocates nothing, and what no longer fits is a failure that the test sees.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_RECORDER_H
#define WSPLEX_TESTS_HARNESS_RECORDER_H

#include <stddef.h>

#include "client-lib/wsplex.h"

struct recorder {
    char text[4096];
    size_t len;
};

/* Sets the four handlers. 0 or the first error. */
int recorder_attach(struct recorder *recorder, struct wsplex_websocket *websocket);

/* Adds listeners for the events that the standard does not have. 0 or the first error. */
int recorder_attach_extensions(struct recorder *recorder, struct wsplex_websocket *websocket);

/* The handler itself, for listeners; userdata is a struct recorder. */
void recorder_handle(const struct wsplex_event *event, void *userdata);

/* Adds a line of the test's own. */
void recorder_note(struct recorder *recorder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What was written, each line ended by a line feed; and begins anew. */
const char *recorder_take(struct recorder *recorder);

#endif
