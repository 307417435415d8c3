/* SPDX-License-Identifier: MIT
 *
 * dial: from a target to a transport, step by step; see dial.h.
 * Neighbours: connect, transport_socket and transport_tls do the steps; upstream asked.
 * Invariant: a dial has a connect, then a transport in its handshake, never both; the pass of the address that was
 * reached is with the one who goes on with it.
 *
 *  step       | ends with         | next
 *  connect    | a socket          | ws: done; wss: handshake
 *  handshake  | a verified server | done
 *  any        | a failure         | done, with the failure
 */
#include "daemon/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/connect.h"
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
    struct connect *connect;
    struct transport *transport;
    struct dial_result result;
};

static void dial_free(struct dial *dial)
{
    if (dial == NULL)
        return;
    connect_free(dial->connect);
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
    dial->connect = connect_free(dial->connect);
    dial->result.pass = pass;
    address_format(address, dial->result.address);
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

static int remote_dial(struct dialer *dialer, const struct target *target, dial_done_fn done,
                       dial_rests_fn rests, void *owner, struct dial **ret_dial)
{
    struct remote_dialer *remote = (struct remote_dialer *)(void *)dialer;
    struct dial *dial = calloc(1, sizeof(*dial));
    struct connect_request request = {
        .host = target->url.hostname,
        .port = target->url.port,
        .gates = &remote->gates,
        .uid = target->scope,
        .done = dial_connected,
        .rests = dial_rests,
        .owner = dial,
    };
    int r;

    if (dial == NULL)
        return -ENOMEM;
    dial->dialer = remote;
    dial->target = target;
    dial->done = done;
    dial->rests = rests;
    dial->owner = owner;
    r = connect_new(remote->loop, remote->resolver, &request, &dial->connect);
    if (r < 0) {
        dial_free(dial);
        return r;
    }
    *ret_dial = dial;
    return 0;
}

static void remote_describe(const struct dial *dial, char *to, size_t len)
{
    if (dial->connect != NULL)
        connect_describe(dial->connect, to, len);
    else
        snprintf(to, len, "in the TLS handshake with %s", dial->result.address);
}

static uint64_t remote_waits_since(const struct dial *dial)
{
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
