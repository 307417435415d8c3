/*
 * basic: user name and password as HTTP's Basic authentication writes them (RFC 7617), and the
 * base64 for it.
 *
 * Under handshake.h, which puts them into the upgrade request, and tunnel.h, which shows them to a
 * proxy.
 *
 * Invariant: nothing is kept, and no copy of the credentials is made but the encoded one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_BASIC_H
#define WSPLEX_PROTO_WEBSOCKET_BASIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"

/* Writes the (len + 2) / 3 * 4 characters that len bytes become (RFC 4648, section 4), without a
 * zero at the end. */
void wsp_base64_encode(const uint8_t *bytes, size_t len, char *ret_text);

/* Whether they can be said: no control characters in either, no colon in the user name (RFC 7617,
 * section 2). */
bool wsp_basic_is_valid(struct wsp_view username, struct wsp_view password);

/* Appends "Basic dXNlcjpwYXNz". They are valid. 0, or the error of wsp_buffer_append(); the buffer
 * then holds a part of it. */
int wsp_basic_append(struct wsp_buffer *to, struct wsp_view username, struct wsp_view password);

#endif
