/*
 * wsplex/libevent.h: drives a wsplex client from a libevent loop. Header only: link with
 * libevent_core.
 *
 * Between wsplex_get_fd() and its kin on one side, an event_base on the other. Invariant: what the
 * base waits for is what the client last told.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_ADAPTER_LIBEVENT_H
#define WSPLEX_ADAPTER_LIBEVENT_H

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <wsplex.h>

struct wsplex_libevent {
    struct wsplex *client;
    struct event_base *base;
    struct event *io; /* NULL while there is nothing to wait for */
    struct event *timer;
    bool is_dispatching;
    bool is_detached;
};

static inline void wsplex_libevent_ready(evutil_socket_t fd, short what, void *userdata);

/* Waits for what the client wants now. Without memory it looks again in a second. */
static inline void wsplex_libevent_update(struct wsplex *client, void *userdata)
{
    struct wsplex_libevent *adapter = (struct wsplex_libevent *)userdata;
    int timeout_ms = wsplex_get_timeout_ms(client);
    int fd = wsplex_get_fd(client);
    short wanted = wsplex_get_events(client);
    short events = EV_PERSIST;

    if (wanted & POLLIN)
        events |= EV_READ;
    if (wanted & POLLOUT)
        events |= EV_WRITE;
    if (adapter->io &&
        (event_get_fd(adapter->io) != fd || event_get_events(adapter->io) != events)) {
        event_free(adapter->io);
        adapter->io = NULL;
    }
    if (fd >= 0 && !adapter->io) {
        adapter->io = event_new(adapter->base, fd, events, wsplex_libevent_ready, adapter);
        if (adapter->io && event_add(adapter->io, NULL) < 0) {
            event_free(adapter->io);
            adapter->io = NULL;
        }
        if (!adapter->io)
            timeout_ms = 1000;
    }
    if (timeout_ms >= 0) {
        struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

        event_add(adapter->timer, &timeout);
    } else {
        event_del(adapter->timer);
    }
}

static inline void wsplex_libevent_ready(evutil_socket_t fd, short what, void *userdata)
{
    struct wsplex_libevent *adapter = (struct wsplex_libevent *)userdata;

    (void)fd;
    (void)what;
    adapter->is_dispatching = true;
    wsplex_dispatch(adapter->client);
    adapter->is_dispatching = false;
    if (adapter->is_detached)
        free(adapter);
    else
        wsplex_libevent_update(adapter->client, adapter);
}

/*
 * From now on the base drives the client; wsplex_set_on_wait_change() is the adapter's. Both must
 * stay until wsplex_libevent_detach(). 0 or -ENOMEM.
 */
static inline int wsplex_libevent_attach(struct wsplex *client, struct event_base *base,
                                         struct wsplex_libevent **ret_adapter)
{
    struct wsplex_libevent *adapter =
        (struct wsplex_libevent *)calloc(1, sizeof(struct wsplex_libevent));

    if (!adapter)
        return -ENOMEM;
    adapter->client = client;
    adapter->base = base;
    adapter->timer = evtimer_new(base, wsplex_libevent_ready, adapter);
    if (!adapter->timer) {
        free(adapter);
        return -ENOMEM;
    }
    wsplex_set_on_wait_change(client, wsplex_libevent_update, adapter);
    wsplex_libevent_update(client, adapter);
    *ret_adapter = adapter;
    return 0;
}

/*
 * Lets go of both. To be called before the client is freed, also when that happens in a handler.
 * adapter may be NULL. Returns NULL.
 */
static inline struct wsplex_libevent *wsplex_libevent_detach(struct wsplex_libevent *adapter)
{
    if (!adapter)
        return NULL;
    wsplex_set_on_wait_change(adapter->client, NULL, NULL);
    if (adapter->io)
        event_free(adapter->io);
    event_free(adapter->timer);
    adapter->is_detached = true;
    if (!adapter->is_dispatching)
        free(adapter);
    return NULL;
}

#endif
