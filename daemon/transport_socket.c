/* SPDX-License-Identifier: MIT
 *
 * transport_socket: a transport over a stream socket as it is; see transport_socket.h.
 * Neighbours: the kernel's socket below, upstream or client above.
 * Invariant: the descriptor lives exactly as long as the transport.
 */
#include "daemon/transport_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/local/errors.h"

_Static_assert(TRANSPORT_READABLE == (int)WATCH_READABLE, "the bits pass through as they are");
_Static_assert(TRANSPORT_WRITABLE == (int)WATCH_WRITABLE, "the bits pass through as they are");

struct transport_socket {
    struct transport transport;
    struct watch watch;
    int error; /* the errno that ended it, 0 while it lives */
};

static struct transport_socket *socket_of(struct transport *transport)
{
    return (struct transport_socket *)(void *)transport;
}

/* -1 of a system call as the contract tells it. */
static ssize_t socket_failed(struct transport_socket *s)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return -EAGAIN;
    s->error = errno;
    return -errno;
}

static ssize_t socket_read(struct transport *transport, void *to, size_t len)
{
    struct transport_socket *s = socket_of(transport);
    ssize_t n;

    do {
        n = recv(s->watch.fd, to, len, 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? socket_failed(s) : n;
}

static ssize_t socket_write(struct transport *transport, const struct iovec *parts, int n_parts)
{
    struct transport_socket *s = socket_of(transport);
    struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)parts,
        .msg_iovlen = (size_t)n_parts,
    };
    ssize_t n;

    do {
        n = sendmsg(s->watch.fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? socket_failed(s) : n;
}

static void socket_want(struct transport *transport, unsigned events)
{
    watch_want(&socket_of(transport)->watch, events);
}

static void socket_shutdown(struct transport *transport)
{
    shutdown(socket_of(transport)->watch.fd, SHUT_WR);
}

static void socket_describe(const struct transport *transport, struct failure *ret_failure)
{
    const struct transport_socket *s = (const struct transport_socket *)(const void *)transport;

    failure_set(ret_failure, WSP_CAUSE_LOST, 0, "the connection failed: %s", strerror(s->error));
}

static void socket_free(struct transport *transport)
{
    struct transport_socket *s = socket_of(transport);
    int fd = s->watch.fd;

    watch_deinit(&s->watch);
    close(fd);
    free(s);
}

static const struct transport_ops socket_ops = {
    .read = socket_read,
    .write = socket_write,
    .want = socket_want,
    .shutdown = socket_shutdown,
    .describe = socket_describe,
    .free = socket_free,
};

static void socket_ready(void *owner, unsigned events)
{
    struct transport_socket *s = owner;

    s->transport.ready(s->transport.owner, events);
}

int transport_socket_new(struct loop *loop, int fd, struct transport **ret_transport)
{
    struct transport_socket *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL)
        return -ENOMEM;
    r = watch_init(&s->watch, loop, fd, socket_ready, s);
    if (r < 0) {
        free(s);
        return r;
    }
    s->transport.ops = &socket_ops;
    *ret_transport = &s->transport;
    return 0;
}
