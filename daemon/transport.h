/* SPDX-License-Identifier: MIT
 *
 * transport: a byte stream, whatever carries it: tcp, tls, a Unix socket, in tests plain memory,
 * later a stream of an HTTP/2 connection. Who owns one is told when it is ready and then reads and
 * writes as far as its budget goes.
 * Invariant: ready is called only from the loop, never from within read, write or want.
 */
#ifndef WSPLEX_DAEMON_TRANSPORT_H
#define WSPLEX_DAEMON_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "daemon/failure.h"

enum transport_event { TRANSPORT_READABLE = 1, TRANSPORT_WRITABLE = 2 };

struct transport;

struct transport_ops {
    ssize_t (*read)(struct transport *transport, void *to, size_t len);
    ssize_t (*write)(struct transport *transport, const struct iovec *parts, int n_parts);
    void (*want)(struct transport *transport, unsigned events);
    void (*shutdown)(struct transport *transport);
    void (*describe)(const struct transport *transport, struct failure *ret_failure);
    void (*free)(struct transport *transport);
};

struct transport {
    const struct transport_ops *ops;
    void (*ready)(void *owner, unsigned events); /* bits of enum transport_event */
    void *owner;
};

/* Bytes read; 0: the peer ended the stream in order (TLS: with close_notify); -EAGAIN; any other
 * negative errno: the stream has failed (TLS: also an end without close_notify, -EPROTO) and
 * transport_describe says why. Reads in large pieces, up to len; after a shorter one more may be
 * there all the same, and ready tells. */
ssize_t transport_read(struct transport *transport, void *to, size_t len);

/* Bytes taken, possibly fewer than given; -EAGAIN; any other negative errno as above. After a short
 * write of a tls transport the same bytes must come first again (they need not lie at the same
 * address). Never SIGPIPE. */
ssize_t transport_write(struct transport *transport, const struct iovec *parts, int n_parts);

/* The events that ready shall be called for from now on. Level-triggered: also for bytes that lie
 * in the transport's own buffers. */
void transport_want(struct transport *transport, unsigned events);

/* Tells the peer that nothing more comes (FIN; TLS: close_notify). Reading goes on. Best effort. */
void transport_shutdown(struct transport *transport);

/* Why the stream failed: cause and text (http_status 0). */
void transport_describe(const struct transport *transport, struct failure *ret_failure);

/* Closes at once. Takes NULL; returns NULL. */
struct transport *transport_free(struct transport *transport);

#endif
