/*
 * memory_transport: a transport of memory that takes so many bytes and no more, and keeps them.
 *
 * Between the daemon's client, which reads and writes it, and a test, which puts bytes in, gives room and looks at what
 * has come out.
 *
 * Invariant: nothing becomes ready by itself: the test calls transport.ready.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_MEMORY_TRANSPORT_H
#define WSP_TESTS_HARNESS_MEMORY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/transport.h"
#include "proto/buffer.h"

struct memory_transport {
    struct transport transport;
    struct wsp_buffer in, out;
    size_t room; /* what it takes before it answers -EAGAIN */
    unsigned wanted;
    unsigned n_writes; /* in this turn */
    bool is_freed;
    bool is_broken; /* the program has gone: writes fail, and what it said before can be read */
};

/* Empty, without room. It is the test's: transport_free only marks it. */
void memory_transport_init(struct memory_transport *memory);
void memory_transport_deinit(struct memory_transport *memory);

#endif
