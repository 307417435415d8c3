/*
 * memory_transport: a transport of memory; see memory_transport.h.
 *
 * Between the daemon's client and a test. Invariant: what was taken stands in out, in its order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/memory_transport.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "proto/local/errors.h"

static struct memory_transport *memory_of(struct transport *transport)
{
    return (struct memory_transport *)(void *)transport;
}

static ssize_t memory_read(struct transport *transport, void *to, size_t len)
{
    struct memory_transport *memory = memory_of(transport);
    size_t there = wsp_buffer_len(&memory->in);

    if (there == 0)
        return memory->is_broken ? 0 : -EAGAIN;
    len = there < len ? there : len;
    memcpy(to, wsp_buffer_peek(&memory->in), len);
    wsp_buffer_consume(&memory->in, len);
    return (ssize_t)len;
}

static ssize_t memory_write(struct transport *transport, const struct iovec *parts, int n_parts)
{
    struct memory_transport *memory = memory_of(transport);
    size_t taken = 0;

    memory->n_writes++;
    if (memory->is_broken)
        return -EPIPE;
    for (int i = 0; i < n_parts && memory->room > 0; i++) {
        size_t len = parts[i].iov_len < memory->room ? parts[i].iov_len : memory->room;

        if (parts[i].iov_len == 0 || wsp_buffer_append(&memory->out, parts[i].iov_base, len) < 0)
            ck_abort();
        memory->room -= len;
        taken += len;
    }
    return taken > 0 ? (ssize_t)taken : -EAGAIN;
}

static void memory_want(struct transport *transport, unsigned events)
{
    memory_of(transport)->wanted = events;
}

static void memory_shutdown(struct transport *transport)
{
    (void)transport;
}

static void memory_describe(const struct transport *transport, struct failure *ret_failure)
{
    (void)transport;
    failure_set(ret_failure, WSP_CAUSE_LOST, 0, "gone");
}

static void memory_free(struct transport *transport)
{
    memory_of(transport)->is_freed = true;
}

static const struct transport_ops memory_ops = {
    .read = memory_read,
    .write = memory_write,
    .want = memory_want,
    .shutdown = memory_shutdown,
    .describe = memory_describe,
    .free = memory_free,
};

void memory_transport_init(struct memory_transport *memory)
{
    *memory = (struct memory_transport){.transport.ops = &memory_ops};
    wsp_buffer_init(&memory->in, SIZE_MAX);
    wsp_buffer_init(&memory->out, SIZE_MAX);
}

void memory_transport_deinit(struct memory_transport *memory)
{
    wsp_buffer_deinit(&memory->in);
    wsp_buffer_deinit(&memory->out);
}
