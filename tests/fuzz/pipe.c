/*
 * pipe: a transport of memory whose far end is a target's script; see pipe.h.
 *
 * Between a daemon object and a target.
 *
 * Invariant: readiness is level-triggered, and a short read or write is always one that the script asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/pipe.h"

#include <errno.h>
#include <string.h>

#include "proto/local/errors.h"
#include "tests/fuzz/chunks.h"

static struct pipe *pipe_of(struct transport *transport)
{
    return (struct pipe *)(void *)transport;
}

static ssize_t pipe_read(struct transport *transport, void *to, size_t len)
{
    struct pipe *pipe = pipe_of(transport);
    size_t there = wsp_buffer_len(&pipe->in);

    require(!pipe->is_freed);
    pipe->is_end_read = there == 0 && pipe->end != 0;
    if (there == 0)
        return pipe->end == 0 ? -EAGAIN : pipe->end == 1 ? 0 : pipe->end;
    len = there < len ? there : len;
    len = pipe->max_read < len ? pipe->max_read : len;
    memcpy(to, wsp_buffer_peek(&pipe->in), len);
    wsp_buffer_consume(&pipe->in, len);
    if (pipe->was_read)
        pipe->was_read(pipe->owner, (struct wsp_view){to, len});
    return (ssize_t)len;
}

static ssize_t pipe_write(struct transport *transport, const struct iovec *parts, int n_parts)
{
    struct pipe *pipe = pipe_of(transport);
    size_t taken = 0;

    require(!pipe->is_freed && !pipe->is_shut && n_parts > 0);
    pipe->n_writes++;
    if (pipe->refusal < 0)
        return pipe->refusal;
    for (int i = 0; i < n_parts && pipe->room > 0; i++) {
        size_t len = parts[i].iov_len < pipe->room ? parts[i].iov_len : pipe->room;

        require(parts[i].iov_len > 0);
        if (pipe->was_taken)
            pipe->was_taken(pipe->owner, (struct wsp_view){parts[i].iov_base, len});
        if (pipe->room != SIZE_MAX)
            pipe->room -= len;
        taken += len;
    }
    return taken > 0 ? (ssize_t)taken : -EAGAIN;
}

static void pipe_want(struct transport *transport, unsigned events)
{
    require(!pipe_of(transport)->is_freed);
    pipe_of(transport)->wanted = events;
}

static void pipe_shutdown(struct transport *transport)
{
    require(!pipe_of(transport)->is_freed);
    pipe_of(transport)->is_shut = true;
}

static void pipe_describe(const struct transport *transport, struct failure *ret_failure)
{
    (void)transport;
    failure_set(ret_failure, WSP_CAUSE_LOST, 0, "the connection failed: scripted");
}

static void pipe_free(struct transport *transport)
{
    struct pipe *pipe = pipe_of(transport);

    require(!pipe->is_freed);
    pipe->is_freed = true;
    if (pipe->was_freed)
        pipe->was_freed(pipe->owner);
}

static const struct transport_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .want = pipe_want,
    .shutdown = pipe_shutdown,
    .describe = pipe_describe,
    .free = pipe_free,
};

void pipe_init(struct pipe *pipe, void *owner)
{
    *pipe = (struct pipe){.transport.ops = &pipe_ops, .max_read = SIZE_MAX, .owner = owner};
    wsp_buffer_init(&pipe->in, SIZE_MAX);
}

void pipe_deinit(struct pipe *pipe)
{
    require(pipe->is_freed || !pipe->transport.owner);
    wsp_buffer_deinit(&pipe->in);
}

void pipe_put(struct pipe *pipe, struct wsp_view bytes)
{
    require(wsp_buffer_append(&pipe->in, bytes.data, bytes.len) == 0);
}

void pipe_hang_up(struct pipe *pipe, int end)
{
    pipe->end = end;
    pipe->refusal = end < 0 ? end : 0;
}

void pipe_give_room(struct pipe *pipe, size_t len)
{
    pipe->room = len < SIZE_MAX - pipe->room ? pipe->room + len : SIZE_MAX;
}

static unsigned pipe_events(const struct pipe *pipe)
{
    unsigned events = 0;

    if (wsp_buffer_len(&pipe->in) > 0 || pipe->end != 0)
        events |= TRANSPORT_READABLE;
    if (pipe->room > 0 || pipe->refusal < 0)
        events |= TRANSPORT_WRITABLE;
    return events & pipe->wanted;
}

bool pipe_is_ready(const struct pipe *pipe)
{
    return !pipe->is_freed && pipe_events(pipe) != 0;
}

void pipe_run(struct pipe *pipe)
{
    pipe->n_writes = 0;
    if (pipe_is_ready(pipe))
        pipe->transport.ready(pipe->transport.owner, pipe_events(pipe));
}
