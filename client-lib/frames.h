/*
 * frames: what each frame from the daemon means to the library.
 *
 * On the way of a message it stands between connection, which finds frames in the stream, and the
 * object that a frame is for. Invariant: a frame that cannot come in the state of its channel is
 * found here, before any object sees it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_FRAMES_H
#define WSP_CLIENT_LIB_FRAMES_H

#include "client-lib/wsplex.h"
#include "proto/local/wire.h"

/*
 * Handles one frame; handlers of the program may be called. 0; an enum wsp_fatal that names what is
 * wrong with the frame; -ENOMEM. The connection may be LOST after 0, when the frame says so.
 */
int wsp_frame_handle(struct wsplex *client, const struct wsp_wire_frame *frame);

#endif
