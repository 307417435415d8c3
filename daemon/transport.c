/* SPDX-License-Identifier: MIT
 *
 * transport: a byte stream, whatever carries it; see transport.h for the contract.
 * Neighbours: upstream and client above; transport_socket and transport_tls below.
 * Invariant: ready is called only from the loop, never from within read, write or want.
 */
#include "daemon/transport.h"

ssize_t transport_read(struct transport *transport, void *to, size_t len)
{
    return transport->ops->read(transport, to, len);
}

ssize_t transport_write(struct transport *transport, const struct iovec *parts, int n_parts)
{
    return transport->ops->write(transport, parts, n_parts);
}

void transport_want(struct transport *transport, unsigned events)
{
    transport->ops->want(transport, events);
}

void transport_shutdown(struct transport *transport)
{
    transport->ops->shutdown(transport);
}

void transport_describe(const struct transport *transport, struct failure *ret_failure)
{
    transport->ops->describe(transport, ret_failure);
}

struct transport *transport_free(struct transport *transport)
{
    if (transport != NULL)
        transport->ops->free(transport);
    return NULL;
}
