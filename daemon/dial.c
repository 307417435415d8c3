/* SPDX-License-Identifier: MIT
 *
 * dial: from a target to a transport, step by step; see dial.h.
 * Neighbours: connect, detour, connect_unix and the transports do the steps; opening asked.
 * Invariant: a dial has one way to a socket, then a transport in its handshake, never both; the pass of the place that
 * was reached is with the one who goes on with it.
 *
 *  step      | ends with                                      | next
 *  way       | a socket; see connect, detour and connect_unix | ws: done; wss: handshake
 *  handshake | a verified server                              | done
 *  any       | a failure                                      | done, with the failure
 */
#include "daemon/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/connect.h"
#include "daemon/connect_unix.h"
#include "daemon/detour.h"
#include "daemon/loop.h"
#include "daemon/resolver.h"
#include "daemon/tls.h"
#include "daemon/transport_socket.h"
#include "daemon/transport_tls.h"
#include "proto/local/errors.h"

struct remote_dialer {
    struct dialer dialer;
    struct loop *loop;
    struct resolver *resolver;
    struct tls *tls;
    struct gates gates;
};

struct dial {
    struct remote_dialer *dialer;
    const struct target *target;
    dial_done_fn done;
    dial_rests_fn rests;
    void *owner;
    /* One of these is the way. */
    struct connect *connect;
    struct detour *detour;
    struct connect_unix *local;
    struct transport *transport;
    struct dial_result result;
};

static void dial_end_way(struct dial *dial)
{
    dial->connect = connect_free(dial->connect);
    dial->detour = detour_free(dial->detour);
    dial->local = connect_unix_free(dial->local);
}

static void dial_free(struct dial *dial)
{
    if (dial == NULL)
        return;
    dial_end_way(dial);
    transport_free(dial->transport);
    pass_free(dial->result.pass);
    free(dial);
}

/* The dial is gone when its asker hears of it. */
static void dial_done(struct dial *dial)
{
    struct dial_result result = dial->result;
    dial_done_fn done = dial->done;
    void *owner = dial->owner;

    result.transport = dial->transport;
    dial->transport = NULL;
    dial->result.pass = NULL;
    dial_free(dial);
    done(owner, &result);
}

static void dial_failed(struct dial *dial, const struct failure *failure)
{
    dial->result.failure = *failure;
    dial->transport = transport_free(dial->transport);
    dial->result.pass = pass_free(dial->result.pass);
    dial_done(dial);
}

static void dial_has_handshaken(void *owner, const struct failure *failure)
{
    struct dial *dial = owner;

    if (failure != NULL) {
        pass_answered(dial->result.pass);
        dial_failed(dial, failure);
        return;
    }
    transport_tls_format(dial->transport, dial->result.tls, sizeof(dial->result.tls));
    dial_done(dial);
}

/* The descriptor is ours until a transport has it. */
static int dial_transport(struct dial *dial, int fd, struct failure *ret_failure)
{
    const struct wsp_url *url = &dial->target->url;
    struct remote_dialer *dialer = dial->dialer;

    if (!url->is_secure)
        return transport_socket_new(dialer->loop, fd, &dial->transport);
    return transport_tls_new(dialer->loop, dialer->tls, dial->target, fd, dial_has_handshaken, dial,
                             &dial->transport, ret_failure);
}

static void dial_rests(void *owner, bool is_resting)
{
    struct dial *dial = owner;

    dial->rests(dial->owner, is_resting);
}

static void dial_connected(void *owner, int fd, const union address *address, struct pass *pass,
                           const struct failure *failure)
{
    struct dial *dial = owner;
    struct failure trouble;
    int r;

    if (failure != NULL) {
        dial_failed(dial, failure);
        return;
    }
    dial->result.pass = pass;
    if (address != NULL)
        address_format(address, dial->result.address);
    else
        target_socket_format(&dial->target->url, dial->result.address,
                             sizeof(dial->result.address));
    dial_end_way(dial); /* and with it the address */
    r = dial_transport(dial, fd, &trouble);
    if (r < 0)
        failure_set(&trouble, WSP_CAUSE_INTERNAL, 0, "the daemon cannot connect: %s", strerror(-r));
    if (r != 0) {
        close(fd);
        dial_failed(dial, &trouble);
    } else if (!dial->target->url.is_secure) {
        dial_done(dial);
    }
}

static int dial_begin(struct dial *dial)
{
    struct remote_dialer *remote = dial->dialer;
    const struct target *target = dial->target;
    struct connect_request request = {
        .host = target->url.hostname,
        .port = target->url.port,
        .destination = target->destination,
        .url = &target->url,
        .gates = &remote->gates,
        .uid = target->scope,
        .tcp_keepalive_ms = target->tcp_keepalive_ms,
        .tcp_user_timeout_ms = target->tcp_user_timeout_ms,
        .done = dial_connected,
        .rests = dial_rests,
        .owner = dial,
    };

    if (target->url.socket_path[0] != '\0') {
        request.host = target->url.socket_path;
        return connect_unix_new(remote->loop, &request, &dial->local);
    }
    if (target->proxy != NULL)
        return detour_new(remote->loop, remote->resolver, &request, target, &dial->detour);
    return connect_new(remote->loop, remote->resolver, &request, &dial->connect);
}

static int remote_dial(struct dialer *dialer, const struct target *target, dial_done_fn done,
                       dial_rests_fn rests, void *owner, struct dial **ret_dial)
{
    struct dial *dial = calloc(1, sizeof(*dial));
    int r;

    if (dial == NULL)
        return -ENOMEM;
    dial->dialer = (struct remote_dialer *)(void *)dialer;
    dial->target = target;
    dial->done = done;
    dial->rests = rests;
    dial->owner = owner;
    r = dial_begin(dial);
    if (r < 0) {
        dial_free(dial);
        return r;
    }
    *ret_dial = dial;
    return 0;
}

static void remote_describe(const struct dial *dial, char *to, size_t len)
{
    char proxy[PROXY_TEXT_LEN];

    if (dial->connect != NULL)
        connect_describe(dial->connect, to, len);
    else if (dial->detour != NULL)
        detour_describe(dial->detour, to, len);
    else if (dial->local != NULL)
        connect_unix_describe(dial->local, to, len);
    else if (dial->target->proxy != NULL)
        snprintf(to, len, "in the TLS handshake with %.100s through the proxy %s",
                 dial->target->url.host_header, proxy_format(dial->target->proxy, proxy));
    else
        snprintf(to, len, "in the TLS handshake with %s", dial->result.address);
}

static uint64_t remote_waits_since(const struct dial *dial)
{
    if (dial->detour != NULL)
        return detour_waits_since_ms(dial->detour);
    if (dial->local != NULL)
        return connect_unix_waits_since_ms(dial->local);
    return connect_waits_since_ms(dial->connect);
}

int dialer_new(struct loop *loop, struct dialer **ret_dialer)
{
    struct remote_dialer *remote = calloc(1, sizeof(*remote));
    int r;

    if (remote == NULL)
        return -ENOMEM;
    remote->dialer = (struct dialer){
        .dial = remote_dial,
        .describe = remote_describe,
        .waits_since_ms = remote_waits_since,
        .cancel = dial_free,
    };
    remote->loop = loop;
    gates_init(&remote->gates, loop_clock(loop), loop_turn(loop));
    r = resolver_new(loop, &remote->resolver);
    if (r < 0)
        goto free_dialer;
    r = tls_new(&remote->tls);
    if (r < 0)
        goto free_dialer;
    *ret_dialer = &remote->dialer;
    return 0;

free_dialer:
    dialer_free(&remote->dialer);
    return r;
}

void dialer_forget(struct dialer *dialer)
{
    tls_forget(((struct remote_dialer *)(void *)dialer)->tls);
}

struct dialer *dialer_free(struct dialer *dialer)
{
    struct remote_dialer *remote = (struct remote_dialer *)(void *)dialer;

    if (dialer == NULL)
        return NULL;
    resolver_free(remote->resolver);
    tls_free(remote->tls);
    gates_deinit(&remote->gates);
    free(remote);
    return NULL;
}
