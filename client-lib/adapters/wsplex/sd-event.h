/*
 * wsplex/sd-event.h: drives a wsplex client from an sd-event loop. Header only: link with
 * libsystemd.
 *
 * Between wsplex_get_fd() and its kin on one side, an sd_event on the other. Invariant: what the
 * loop waits for is what the client last told.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_ADAPTER_SD_EVENT_H
#define WSPLEX_ADAPTER_SD_EVENT_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <wsplex.h>

struct wsplex_sd_event {
    struct wsplex *client;
    sd_event *event;
    sd_event_source *io; /* NULL while there is no descriptor */
    sd_event_source *timer;
    int fd;
    bool is_dispatching;
    bool is_detached;
};

static inline int wsplex_sd_event_ready(struct wsplex_sd_event *adapter);

static inline int wsplex_sd_event_on_io(sd_event_source *source, int fd, uint32_t revents,
                                        void *userdata)
{
    (void)source;
    (void)fd;
    (void)revents;
    return wsplex_sd_event_ready((struct wsplex_sd_event *)userdata);
}

static inline int wsplex_sd_event_on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    return wsplex_sd_event_ready((struct wsplex_sd_event *)userdata);
}

static inline int wsplex_sd_event_update_io(struct wsplex_sd_event *adapter)
{
    int fd = wsplex_get_fd(adapter->client);
    short wanted = wsplex_get_events(adapter->client);
    uint32_t events = 0;

    if (wanted & POLLIN)
        events |= EPOLLIN;
    if (wanted & POLLOUT)
        events |= EPOLLOUT;
    if (adapter->io && adapter->fd != fd)
        adapter->io = sd_event_source_disable_unref(adapter->io);
    adapter->fd = fd;
    if (adapter->io)
        return sd_event_source_set_io_events(adapter->io, events);
    if (fd < 0)
        return 0;
    return sd_event_add_io(adapter->event, &adapter->io, fd, events, wsplex_sd_event_on_io,
                           adapter);
}

/* Waits for what the client wants now. Without memory it looks again in a second. */
static inline void wsplex_sd_event_update(struct wsplex *client, void *userdata)
{
    struct wsplex_sd_event *adapter = (struct wsplex_sd_event *)userdata;
    int timeout_ms = wsplex_get_timeout_ms(client);

    if (wsplex_sd_event_update_io(adapter) < 0)
        timeout_ms = 1000;
    if (timeout_ms >= 0)
        sd_event_source_set_time_relative(adapter->timer, (uint64_t)timeout_ms * 1000);
    sd_event_source_set_enabled(adapter->timer, timeout_ms >= 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static inline int wsplex_sd_event_ready(struct wsplex_sd_event *adapter)
{
    adapter->is_dispatching = true;
    wsplex_dispatch(adapter->client);
    adapter->is_dispatching = false;
    if (adapter->is_detached)
        free(adapter);
    else
        wsplex_sd_event_update(adapter->client, adapter);
    return 0;
}

/*
 * Lets go of both. To be called before the client is freed, also when that happens in a handler.
 * adapter may be NULL. Returns NULL.
 */
static inline struct wsplex_sd_event *wsplex_sd_event_detach(struct wsplex_sd_event *adapter)
{
    if (!adapter)
        return NULL;
    wsplex_set_on_wait_change(adapter->client, NULL, NULL);
    adapter->io = sd_event_source_disable_unref(adapter->io);
    adapter->timer = sd_event_source_disable_unref(adapter->timer);
    adapter->event = sd_event_unref(adapter->event);
    adapter->is_detached = true;
    if (!adapter->is_dispatching)
        free(adapter);
    return NULL;
}

/*
 * From now on the event loop drives the client; wsplex_set_on_wait_change() is the adapter's. The
 * client must stay until wsplex_sd_event_detach(). 0 or what sd_event_add_time(3) gives.
 */
static inline int wsplex_sd_event_attach(struct wsplex *client, sd_event *event,
                                         struct wsplex_sd_event **ret_adapter)
{
    struct wsplex_sd_event *adapter =
        (struct wsplex_sd_event *)calloc(1, sizeof(struct wsplex_sd_event));
    int r;

    if (!adapter)
        return -ENOMEM;
    adapter->client = client;
    adapter->event = sd_event_ref(event);
    adapter->fd = -1;
    r = sd_event_add_time(event, &adapter->timer, CLOCK_MONOTONIC, 0, 0, wsplex_sd_event_on_time,
                          adapter);
    if (r < 0) {
        sd_event_unref(adapter->event);
        free(adapter);
        return r;
    }
    wsplex_set_on_wait_change(client, wsplex_sd_event_update, adapter);
    wsplex_sd_event_update(client, adapter);
    *ret_adapter = adapter;
    return 0;
}

#endif
