/*
 * options: what a WebSocket is opened with beyond the standard's arguments.
 *
 * Filled by the program, applied by client-lib/websocket to the OPEN frame. Invariant: headers and
 * pairs are lists as the frame has them, and everything in headers may stand in a request.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_OPTIONS_H
#define WSP_CLIENT_LIB_OPTIONS_H

#include "client-lib/wsplex.h"
#include "proto/local/message.h"

/* Sets sharing, headers, options and the position of the frame; its views live as long as the options do. */
void wsp_options_apply(const struct wsplex_options *options, struct wsp_local_open *open);

#endif
