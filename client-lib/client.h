/*
 * client: struct wsplex, the one struct that owns all the others, and what every public function
 * does first and last.
 *
 * Its neighbours are the public functions in loop.c, websocket.c and request.c, which enter and
 * leave it, and connection, which it embeds. Invariant: what a handler may still look at is freed
 * when the outermost public function leaves, never before.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_CLIENT_H
#define WSP_CLIENT_LIB_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/chain.h"
#include "client-lib/connection.h"
#include "client-lib/reconnect.h"
#include "client-lib/wsplex.h"

/* What a loop was last told to wait for. */
struct wsp_wait {
    int fd;
    short events;
    int64_t deadline_ms; /* on the monotonic clock; 0 at once, -1 none */
};

struct wsplex {
    volatile unsigned char *mark; /* a page that reads 0 in a child of fork() */
    char *socket_path;            /* as given, or NULL */
    struct wsp_connection connection;
    struct wsp_reconnect reconnect;
    struct wsp_chain websockets; /* all that are not freed */
    struct wsp_chain graveyard;  /* freed ones, until the outermost function leaves */
    /* WebSockets whose `error` and `close` are due, or with a channel `interrupted`: `failing_link` */
    struct wsp_chain failing;
    struct wsp_chain unanswered; /* requests whose failure is due */
    size_t n_open;               /* WebSockets that are neither CLOSED nor freed */
    size_t n_requests;           /* those without a reply */
    unsigned int depth;          /* public functions under way */
    bool is_running;             /* wsplex_run() is under way */
    bool is_stopped;             /* it is to return */
    bool is_freed;               /* wsplex_free() was called within a handler */
    wsplex_wait_handler wait_handler;
    void *wait_userdata;
    struct wsp_wait told;
    char error_text[768]; /* the longest one names three socket paths */
};

/* 0 and the client is entered; -ECHILD in a child of fork(), and there is nothing to leave. */
int wsp_client_enter(struct wsplex *client);

/*
 * Leaves what was entered. The outermost call frees the dead, the client itself among them, and
 * tells the loop what changed. Returns r, so that it can end a function.
 */
int wsp_client_leave(struct wsplex *client, int r);

/* This is a child of the process that made the client: its descriptor is not to be touched. */
bool wsp_client_is_forked(const struct wsplex *client);

/* No handler may be called any more: the client was freed, or a handler forked and this is the
 * child. */
bool wsp_client_is_over(const struct wsplex *client);

/* Sets the text of wsplex_error_text() and returns the error. */
int wsp_client_error(struct wsplex *client, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The monotonic clock. */
int64_t wsp_clock_ms(void);

/* Tells the loop if what it should wait for is not what it was last told. */
void wsp_client_tell_wait(struct wsplex *client);

/* What a loop should wait for now. */
void wsp_client_get_wait(const struct wsplex *client, struct wsp_wait *ret_wait);

#endif
