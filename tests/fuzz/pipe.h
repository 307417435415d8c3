/*
 * pipe: a transport of memory whose far end is a target's script.
 *
 * Between a daemon object, which reads and writes it as daemon/transport.h says, and a target, which puts bytes
 * in, gives room, looks at what was read and written, and hangs up.
 *
 * Invariant: readiness is level-triggered, and a short read or write is always one that the script asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_FUZZ_PIPE_H
#define WSP_TESTS_FUZZ_PIPE_H

#include "daemon/transport.h"
#include "proto/buffer.h"

struct pipe {
    struct transport transport;
    struct wsp_buffer in; /* to the daemon */
    int end;              /* of it: 0: not yet, 1: in order, or a negative errno */
    int refusal;          /* negative errno that writes meet, or 0 */
    size_t max_read;      /* what one read gives at most */
    size_t room;          /* what writes still take; SIZE_MAX: everything */
    unsigned wanted;
    unsigned n_writes; /* calls, since pipe_run */
    bool is_freed, is_shut;
    bool is_end_read; /* the daemon knows that the far end has gone */
    /* What has just been read or taken; may be NULL. */
    void (*was_read)(void *owner, struct wsp_view bytes);
    void (*was_taken)(void *owner, struct wsp_view bytes);
    void (*was_freed)(void *owner);
    void *owner;
};

void pipe_init(struct pipe *pipe, void *owner);
void pipe_deinit(struct pipe *pipe);

/* Bytes for the daemon. Aborts without memory. */
void pipe_put(struct pipe *pipe, struct wsp_view bytes);

/* The far end goes: 1: in order, or a negative errno, which writes meet too. */
void pipe_hang_up(struct pipe *pipe, int end);

/* Writes take so many bytes more. */
void pipe_give_room(struct pipe *pipe, size_t len);

/* Tells the daemon's object what is ready, within a turn. */
void pipe_run(struct pipe *pipe);

/* There is something that pipe_run would tell. */
bool pipe_is_ready(const struct pipe *pipe);

#endif
