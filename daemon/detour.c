/* SPDX-License-Identifier: MIT
 *
 * detour: from a target to a socket that leads there through its proxy; see detour.h.
 * Neighbours: resolver, gate, connect and tunnel do the steps; dial above.
 * Invariant: at most one of lookup, connect and tunnel is there; the pass is, from the gate on.
 *
 *  step    | ends with                        | next
 *  lookup  | the target's addresses (socks5)  | gate, for the first of them
 *  gate    | the turn at the target           | connect
 *  connect | a socket at the proxy            | tunnel
 *  tunnel  | a socket at the target           | done
 *          | no way from there to the address | gate, for the next address; done, if there is none
 *  any     | another failure                  | done, with the failure
 */
#include "daemon/detour.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/tunnel.h"
#include "proto/local/errors.h"

struct detour {
    struct loop *loop;
    struct resolver *resolver;
    struct connect_request request;
    const struct target *target;
    struct lookup *lookup;
    struct {
        union address addresses[MAX_ADDRESSES_PER_FAMILY];
        unsigned n;
        bool has_answered;
        const char *why; /* there are none */
    } sides[RACE_N_FAMILIES];
    bool has_forbidden;          /* addresses that the rules keep */
    unsigned n_tried;            /* of the addresses; families take turns */
    bool has_address;            /* one of the target's is asked for, not its name */
    union address address;       /* that one */
    struct pass *pass;           /* at the target's gate */
    struct connect *connect;     /* to the proxy */
    union address proxy_address; /* that was reached */
    struct tunnel *tunnel;
};

/* --- the end --- */

static void detour_failed(struct detour *detour, const struct failure *failure)
{
    pass_answered(detour->pass);
    detour->request.done(detour->request.owner, -1, NULL, NULL, failure);
}

static void detour_in_trouble(struct detour *detour, int error)
{
    struct failure failure;

    failure_set(&failure, WSP_CAUSE_INTERNAL, 0, "the daemon cannot connect: %s", strerror(-error));
    detour_failed(detour, &failure);
}

/* --- addresses, for a proxy that is not to resolve names --- */

/* The next one in *ret_address: IPv6 and IPv4 in turn, each in the resolver's order. */
static bool detour_next_address(struct detour *detour, union address *ret_address)
{
    while (detour->n_tried < RACE_N_FAMILIES * MAX_ADDRESSES_PER_FAMILY) {
        unsigned index = detour->n_tried / RACE_N_FAMILIES;
        unsigned family = detour->n_tried % RACE_N_FAMILIES;

        detour->n_tried++;
        if (index < detour->sides[family].n) {
            *ret_address = detour->sides[family].addresses[index];
            return true;
        }
    }
    return false;
}

/* --- tunnel --- */

static int detour_enter(struct detour *detour);

static void detour_tunnelled(void *owner, int fd, const struct failure *failure,
                             bool is_about_address)
{
    struct detour *detour = owner;
    struct failure copy;
    struct pass *pass = detour->pass;
    int r;

    if (failure == NULL) {
        detour->tunnel = tunnel_free(detour->tunnel);
        detour->pass = NULL;
        detour->request.done(detour->request.owner, fd, &detour->proxy_address, pass, NULL);
        return;
    }
    copy = *failure;
    detour->tunnel = tunnel_free(detour->tunnel);
    if (!is_about_address || !detour_next_address(detour, &detour->address)) {
        detour_failed(detour, &copy);
        return;
    }
    pass_answered(detour->pass);
    detour->pass = pass_free(detour->pass);
    r = detour_enter(detour);
    if (r < 0)
        detour_in_trouble(detour, r);
}

/* --- connect --- */

static void proxy_unreachable(struct detour *detour, const struct failure *failure)
{
    struct failure told;
    char name[PROXY_TEXT_LEN];

    failure_set(&told, failure->cause, 0, "the proxy %s cannot be reached: %s",
                proxy_format(detour->target->proxy, name), failure->text);
    detour_failed(detour, &told);
}

static void detour_connected(void *owner, int fd, const union address *address, struct pass *pass,
                             const struct failure *failure)
{
    struct detour *detour = owner;
    struct failure trouble;
    int r;

    (void)pass;
    if (failure != NULL) {
        proxy_unreachable(detour, failure);
        return;
    }
    detour->proxy_address = *address;
    detour->connect = connect_free(detour->connect);
    r = tunnel_new(detour->loop, fd, detour->target->proxy, &detour->target->url,
                   detour->has_address ? &detour->address : NULL, detour_tunnelled, detour,
                   &detour->tunnel, &trouble);
    if (r == 0)
        return;
    close(fd);
    if (r > 0)
        detour_failed(detour, &trouble);
    else
        detour_in_trouble(detour, r);
}

static int detour_connect(struct detour *detour)
{
    const struct wsp_url *url = &detour->target->proxy->url;
    struct connect_request request = detour->request;

    request.host = url->hostname;
    request.port = url->port;
    request.url = url;
    request.is_proxy = true;
    request.gates = NULL;
    request.done = detour_connected;
    request.rests = NULL;
    request.owner = detour;
    return connect_new(detour->loop, detour->resolver, &request, &detour->connect);
}

/* --- gate --- */

static void detour_granted(void *owner)
{
    struct detour *detour = owner;
    int r;

    detour->request.rests(detour->request.owner, false);
    r = detour_connect(detour);
    if (r < 0)
        detour_in_trouble(detour, r);
}

/* The place at whose gate the detour waits; NULL: no memory. The caller frees it. */
static char *detour_place(const struct detour *detour)
{
    union address address = detour->address;
    char text[ADDRESS_TEXT_LEN];
    char *place;

    if (detour->has_address) {
        address_unmap(&address);
        address_format(&address, text);
        return strdup(text);
    }
    return asprintf(&place, "%s:%u", detour->target->url.host, (unsigned)detour->target->url.port) <
                   0
               ? NULL
               : place;
}

static int detour_enter(struct detour *detour)
{
    char *place = detour_place(detour);
    int r;

    if (place == NULL)
        return -ENOMEM;
    r = gate_enter(detour->request.gates, place, detour->request.uid, detour_granted, detour,
                   &detour->pass);
    free(place);
    if (r < 0)
        return r;
    if (pass_is_granted(detour->pass))
        return detour_connect(detour);
    detour->request.rests(detour->request.owner, true);
    return 0;
}

/* --- lookup --- */

static void detour_answered(void *owner, enum race_family family, const union address *addresses,
                            unsigned n, const char *why)
{
    struct detour *detour = owner;
    struct failure failure;
    int r;

    for (unsigned i = 0; i < n; i++)
        if (connect_may_reach(&detour->request, &addresses[i]))
            detour->sides[family].addresses[detour->sides[family].n++] = addresses[i];
        else
            detour->has_forbidden = true;
    detour->sides[family].why = why;
    detour->sides[family].has_answered = true;
    if (!detour->sides[RACE_IPV6].has_answered || !detour->sides[RACE_IPV4].has_answered)
        return;
    if (!detour_next_address(detour, &detour->address)) {
        if (detour->has_forbidden)
            destination_fail(detour->request.destination, detour->request.url, &failure);
        else
            failure_set(&failure, WSP_CAUSE_RESOLVE, 0, "%s cannot be resolved: %s",
                        detour->request.host, detour->sides[RACE_IPV4].why);
        detour_failed(detour, &failure);
        return;
    }
    detour->has_address = true;
    detour->lookup = lookup_free(detour->lookup);
    r = detour_enter(detour);
    if (r < 0)
        detour_in_trouble(detour, r);
}

/* A proxy gets a name only where there is one. */
static int detour_begin(struct detour *detour)
{
    const struct wsp_url *url = &detour->target->url;

    if (detour->target->proxy->kind == PROXY_SOCKS5)
        return resolver_lookup(detour->resolver, url->hostname, url->port, detour_answered, detour,
                               &detour->lookup);
    if (detour->target->proxy->kind == PROXY_SOCKS5H && url->host_kind != WSP_HOST_DOMAIN)
        detour->has_address = address_parse(&detour->address, url->hostname, url->port) == 0;
    return detour_enter(detour);
}

int detour_new(struct loop *loop, struct resolver *resolver, const struct connect_request *request,
               const struct target *target, struct detour **ret_detour)
{
    struct detour *detour = calloc(1, sizeof(*detour));
    int r;

    if (detour == NULL)
        return -ENOMEM;
    detour->loop = loop;
    detour->resolver = resolver;
    detour->request = *request;
    detour->target = target;
    r = detour_begin(detour);
    if (r < 0) {
        detour_free(detour);
        return r;
    }
    *ret_detour = detour;
    return 0;
}

/* --- what it is asked --- */

void detour_describe(const struct detour *detour, char *to, size_t len)
{
    char name[PROXY_TEXT_LEN], progress[240];

    proxy_format(detour->target->proxy, name);
    if (detour->pass == NULL) {
        snprintf(to, len, "asking for the addresses of %s", detour->request.host);
    } else if (!pass_is_granted(detour->pass)) {
        snprintf(to, len, "waiting for another connection to %s to open", pass_place(detour->pass));
    } else if (detour->connect != NULL) {
        connect_describe(detour->connect, progress, sizeof(progress));
        snprintf(to, len, "on the way to the proxy %s: %s", name, progress);
    } else {
        snprintf(to, len, "the proxy %s has not answered", name);
    }
}

uint64_t detour_waits_since_ms(const struct detour *detour)
{
    return pass_waits_since_ms(detour->pass);
}

struct detour *detour_free(struct detour *detour)
{
    if (detour == NULL)
        return NULL;
    lookup_free(detour->lookup);
    connect_free(detour->connect);
    tunnel_free(detour->tunnel);
    pass_free(detour->pass);
    free(detour);
    return NULL;
}
