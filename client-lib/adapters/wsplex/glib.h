/*
 * wsplex/glib.h: drives a wsplex client from a GLib main loop. Header only: link with glib-2.0.
 *
 * Between wsplex_get_fd() and its kin on one side, a GMainContext on the other. Invariant: before
 * each wait the source asks the client what to wait for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_ADAPTER_GLIB_H
#define WSPLEX_ADAPTER_GLIB_H

#include <glib-unix.h>
#include <poll.h>
#include <wsplex.h>

typedef struct {
    GSource source;
    struct wsplex *client;
    gpointer tag; /* of the descriptor; NULL when there is none */
    int fd;
} WsplexGSource;

static inline gboolean wsplex_g_source_prepare(GSource *source, gint *timeout_ms)
{
    WsplexGSource *self = (WsplexGSource *)source;
    int fd = wsplex_get_fd(self->client);
    short wanted = wsplex_get_events(self->client);
    int condition = (wanted & POLLIN ? G_IO_IN : 0) | (wanted & POLLOUT ? G_IO_OUT : 0);

    if (self->tag && self->fd != fd) {
        g_source_remove_unix_fd(source, self->tag);
        self->tag = NULL;
    }
    if (self->tag)
        g_source_modify_unix_fd(source, self->tag, (GIOCondition)condition);
    else if (fd >= 0)
        self->tag = g_source_add_unix_fd(source, fd, (GIOCondition)condition);
    self->fd = fd;
    *timeout_ms = wsplex_get_timeout_ms(self->client);
    return *timeout_ms == 0;
}

static inline gboolean wsplex_g_source_check(GSource *source)
{
    WsplexGSource *self = (WsplexGSource *)source;

    return (self->tag && g_source_query_unix_fd(source, self->tag) != 0) ||
           wsplex_get_timeout_ms(self->client) == 0;
}

static inline gboolean wsplex_g_source_dispatch(GSource *source, GSourceFunc callback,
                                                gpointer userdata)
{
    WsplexGSource *self = (WsplexGSource *)source;

    (void)callback;
    (void)userdata;
    wsplex_dispatch(self->client);
    return G_SOURCE_CONTINUE;
}

/*
 * A source for g_source_attach(), with one reference that is the caller's. g_source_destroy() it
 * before the client is freed, also when that happens in a handler.
 */
static inline GSource *wsplex_g_source_new(struct wsplex *client)
{
    static GSourceFuncs functions = {
        wsplex_g_source_prepare, wsplex_g_source_check, wsplex_g_source_dispatch, NULL, NULL, NULL,
    };
    GSource *source = g_source_new(&functions, sizeof(WsplexGSource));
    WsplexGSource *self = (WsplexGSource *)source;

    self->client = client;
    self->tag = NULL;
    self->fd = -1;
    g_source_set_name(source, "wsplex");
    return source;
}

#endif
