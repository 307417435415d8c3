/*
 * position: where a WebSocket is among its messages, as a program keeps it and as text.
 *
 * Between the object, which counts, and the options of another object, which goes on there.
 * Invariant: what one function writes, the other reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/client.h"
#include "client-lib/websocket.h"

enum {
    EPOCH_DIGITS = 2 * sizeof(((struct wsplex_position *)0)->epoch),
};

int wsplex_websocket_get_position(const struct wsplex_websocket *websocket,
                                  struct wsplex_position *ret_position)
{
    if (!websocket->has_position)
        return wsp_client_error(websocket->client, WSPLEX_ERROR_INVALID_STATE,
                                "no position before the connection is open");
    memcpy(ret_position->epoch, websocket->epoch.bytes, sizeof(ret_position->epoch));
    ret_position->number = websocket->next_number - 1;
    return 0;
}

void wsplex_position_to_string(const struct wsplex_position *position,
                               char ret_text[WSPLEX_POSITION_SIZE])
{
    for (size_t i = 0; i < sizeof(position->epoch); i++)
        snprintf(ret_text + 2 * i, 3, "%02x", position->epoch[i]);
    snprintf(ret_text + EPOCH_DIGITS, WSPLEX_POSITION_SIZE - EPOCH_DIGITS, ":%" PRIu64,
             position->number);
}

/* sscanf() alone would take signs, spaces and too large a number. */
int wsplex_position_from_string(const char *text, struct wsplex_position *ret_position)
{
    struct wsplex_position position;
    char again[WSPLEX_POSITION_SIZE];
    char byte[3] = "";

    if (strnlen(text, EPOCH_DIGITS + 1) <= EPOCH_DIGITS || text[EPOCH_DIGITS] != ':')
        return -EINVAL;
    for (size_t i = 0; i < sizeof(position.epoch); i++) {
        memcpy(byte, text + 2 * i, 2);
        position.epoch[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    position.number = strtoull(text + EPOCH_DIGITS + 1, NULL, 10);
    wsplex_position_to_string(&position, again);
    if (strcmp(again, text) != 0)
        return -EINVAL;
    *ret_position = position;
    return 0;
}
