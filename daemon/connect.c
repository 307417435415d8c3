/* SPDX-License-Identifier: MIT
 *
 * connect: from a host name to a connected TCP socket; see connect.h.
 * Neighbours: resolver gives addresses, race says when to try which, gate who may; the kernel answers, dial gets the
 * socket. Invariant: an attempt has a descriptor exactly while it runs, and a pass exactly while it runs or waits.
 *
 * For race an attempt that waits at a gate is one under way: after its 250 ms the next address has its turn. Where a
 * server has several addresses, those who find the first one taken so come to the next.
 */
#include "daemon/connect.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/race.h"
#include "daemon/shortage.h"
#include "proto/local/errors.h"

enum { MAX_ATTEMPTS = RACE_N_FAMILIES * MAX_ADDRESSES_PER_FAMILY };

struct attempt {
    struct connect *connect;
    struct watch watch;
    const union address *address;
    struct pass *pass; /* of the address; NULL once it has failed, or without gates */
    int fd;            /* -1 while it waits, and once it has failed */
    int error;         /* errno */
};

struct connect {
    struct loop *loop;
    struct connect_request request;
    struct lookup *lookup;
    struct race race;
    struct task failed; /* TURN_NEXT: attempts that failed before race could be told */
    unsigned n_untold;
    unsigned n_forbidden; /* addresses */
    struct {
        union address addresses[MAX_ADDRESSES_PER_FAMILY];
        const char *why; /* there are none */
    } sides[RACE_N_FAMILIES];
    struct attempt attempts[MAX_ATTEMPTS];
    unsigned n_attempts;
    bool is_short; /* of descriptors, of memory: nothing that the server could help */
    bool is_resting;
};

static bool attempt_is_waiting(const struct attempt *attempt)
{
    return attempt->pass != NULL && !pass_is_granted(attempt->pass);
}

/* --- resting --- */

/* The first attempt that waits; NULL when there is none, or another one runs. */
static const struct attempt *connect_resting(const struct connect *connect)
{
    const struct attempt *first = NULL;

    for (unsigned i = connect->n_attempts; i-- > 0;) {
        const struct attempt *attempt = &connect->attempts[i];

        if (attempt->fd >= 0)
            return NULL;
        if (attempt_is_waiting(attempt))
            first = attempt;
    }
    return first;
}

/* After any change of an attempt. */
static void connect_tell_rest(struct connect *connect)
{
    bool is_resting = connect_resting(connect) != NULL;

    if (connect->is_resting == is_resting)
        return;
    connect->is_resting = is_resting;
    if (connect->request.rests != NULL)
        connect->request.rests(connect->request.owner, is_resting);
}

uint64_t connect_waits_since_ms(const struct connect *connect)
{
    uint64_t latest = 0;

    for (unsigned i = 0; i < connect->n_attempts; i++) {
        const struct attempt *attempt = &connect->attempts[i];
        uint64_t since = attempt_is_waiting(attempt) ? pass_waits_since_ms(attempt->pass) : 0;

        if (since > latest)
            latest = since;
    }
    return latest;
}

/* --- texts --- */

static size_t text_add(char *to, size_t len, size_t used, const char *separator, const char *text)
{
    int n = used < len ? snprintf(to + used, len - used, "%s%s", separator, text) : 0;

    return used + (size_t)(n > 0 ? n : 0);
}

static const char *attempt_state(const struct attempt *attempt)
{
    if (attempt->fd >= 0)
        return "no answer yet";
    return attempt_is_waiting(attempt) ? "waiting for another connection to open"
                                       : strerror(attempt->error);
}

/* "; 192.0.2.1:443: Connection refused; [2001:db8::1]:443: no answer yet", of all but one. */
static void attempts_to_text(const struct connect *connect, const struct attempt *except, char *to,
                             size_t len, size_t used)
{
    for (unsigned i = 0; i < connect->n_attempts; i++) {
        const struct attempt *attempt = &connect->attempts[i];
        char address[ADDRESS_TEXT_LEN];

        if (attempt == except)
            continue;
        address_format(attempt->address, address);
        used = text_add(to, len, used, "; ", address);
        used = text_add(to, len, used, ": ", attempt_state(attempt));
    }
}

void connect_describe(const struct connect *connect, char *to, size_t len)
{
    const struct attempt *waiting = connect_resting(connect);
    char lead[ADDRESS_TEXT_LEN + 48] = "connecting";

    if (connect->n_attempts == 0) {
        snprintf(to, len, "asking for the addresses of %s", connect->request.host);
        return;
    }
    if (waiting != NULL)
        snprintf(lead, sizeof(lead), "waiting for another connection to %s to open",
                 pass_place(waiting->pass));
    attempts_to_text(connect, waiting, to, len, text_add(to, len, 0, "", lead));
}

/* --- attempts --- */

static void attempt_stop(struct attempt *attempt)
{
    if (attempt->fd >= 0) {
        watch_deinit(&attempt->watch);
        close(attempt->fd);
    }
    attempt->fd = -1;
    attempt->pass = pass_free(attempt->pass);
}

static void set_option(int fd, int level, int name, uint64_t value)
{
    int number = value < INT_MAX ? (int)value : INT_MAX;

    /* What a kernel does not know it does not do: nothing that a connection must fail for. */
    setsockopt(fd, level, name, &number, sizeof(number));
}

/* How the kernel finds out that the other end is gone. Not before the connection stands: then the time for it is the
 * connect timeout's. */
static void watch_over(int fd, const struct connect_request *request)
{
    if (request->tcp_keepalive_ms > 0) {
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (request->tcp_keepalive_ms + 999) / 1000);
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, TCP_KEEPALIVE_INTERVAL_S);
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, TCP_KEEPALIVE_N_PROBES);
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    }
    if (request->tcp_user_timeout_ms > 0)
        set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, request->tcp_user_timeout_ms);
}

static void connect_won(struct connect *connect, struct attempt *attempt)
{
    union address address = *attempt->address;
    struct pass *pass = attempt->pass;
    int fd = attempt->fd;

    watch_deinit(&attempt->watch);
    attempt->fd = -1;
    attempt->pass = NULL;
    for (unsigned i = 0; i < connect->n_attempts; i++)
        attempt_stop(&connect->attempts[i]);
    race_deinit(&connect->race);
    connect->lookup = lookup_free(connect->lookup);
    task_cancel(&connect->failed);
    watch_over(fd, &connect->request);
    connect->request.done(connect->request.owner, fd, &address, pass, NULL);
}

static void attempt_ready(void *owner, unsigned events)
{
    struct attempt *attempt = owner;
    struct connect *connect = attempt->connect;
    socklen_t len = sizeof(attempt->error);

    (void)events;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &attempt->error, &len) < 0)
        attempt->error = errno;
    if (attempt->error == 0) {
        connect_won(connect, attempt);
        return;
    }
    /* Any other error means that nobody was there to say anything. */
    if (attempt->error == ECONNREFUSED)
        pass_answered(attempt->pass);
    attempt_stop(attempt);
    connect_tell_rest(connect);
    race_failed(&connect->race);
}

/* 0, or the errno that ended the attempt before it began. */
static int attempt_open(struct attempt *attempt)
{
    const union address *address = attempt->address;
    int r;

    attempt->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0)
        return errno;
    /* Messages are gathered here already; a kernel that waits for more would only make each of them late. */
    set_option(attempt->fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (connect(attempt->fd, &address->any, address_len(address)) < 0 && errno != EINPROGRESS)
        return errno;
    r = watch_init(&attempt->watch, attempt->connect->loop, attempt->fd, attempt_ready, attempt);
    if (r < 0)
        return -r;
    watch_want(&attempt->watch, WATCH_WRITABLE);
    return 0;
}

/* error: why it has not even begun, or 0. */
static void attempt_began(struct attempt *attempt, int error)
{
    struct connect *connect = attempt->connect;

    if (error != 0) {
        attempt->error = error;
        connect->is_short |= is_shortage(error);
        attempt_stop(attempt);
        connect->n_untold++;
        turn_schedule(loop_turn(connect->loop), TURN_NEXT, &connect->failed);
    }
    connect_tell_rest(connect);
}

static void attempt_granted(void *owner)
{
    attempt_began(owner, attempt_open(owner));
}

/* 0, also when the attempt has to wait; or an errno. */
static int attempt_enter(struct attempt *attempt)
{
    const struct connect_request *request = &attempt->connect->request;
    union address address = *attempt->address;
    char place[ADDRESS_TEXT_LEN];
    int r;

    if (request->gates == NULL)
        return attempt_open(attempt);
    address_unmap(&address);
    address_format(&address, place);
    r = gate_enter(request->gates, place, request->uid, attempt_granted, attempt, &attempt->pass);
    if (r < 0)
        return -r;
    return pass_is_granted(attempt->pass) ? attempt_open(attempt) : 0;
}

static void connect_attempt(void *owner, enum race_family family, unsigned index)
{
    struct connect *connect = owner;
    struct attempt *attempt = &connect->attempts[connect->n_attempts++];

    attempt->connect = connect;
    attempt->address = &connect->sides[family].addresses[index];
    attempt->fd = -1;
    attempt_began(attempt, attempt_enter(attempt));
}

static void connect_tell_failed(void *owner)
{
    struct connect *connect = owner;

    /* Each may begin another that fails at once, for the next turn; the last one of all may end everything. */
    for (unsigned n = connect->n_untold; n > 0; n--) {
        connect->n_untold--;
        race_failed(&connect->race);
    }
}

/* --- what race and resolver say --- */

static void connect_over(void *owner)
{
    struct connect *connect = owner;
    struct failure failure;
    char text[sizeof(failure.text)];

    if (connect->n_attempts == 0 && connect->n_forbidden > 0) {
        destination_fail(connect->request.destination, connect->request.url, &failure);
    } else if (connect->n_attempts == 0) {
        /* Of two reasons the one for IPv4 says more: a name without IPv6 addresses is nothing special. */
        failure_set(&failure, WSP_CAUSE_RESOLVE, 0, "%s cannot be resolved: %s",
                    connect->request.host, connect->sides[RACE_IPV4].why);
    } else {
        text[0] = '\0';
        attempts_to_text(connect, NULL, text, sizeof(text), 0);
        failure_set(&failure, connect->is_short ? WSP_CAUSE_INTERNAL : WSP_CAUSE_CONNECT, 0,
                    "cannot connect to %s%s", connect->request.host, text);
    }
    connect->request.done(connect->request.owner, -1, NULL, NULL, &failure);
}

static void connect_answered(void *owner, enum race_family family, const union address *addresses,
                             unsigned n, const char *why)
{
    struct connect *connect = owner;
    unsigned n_allowed = 0;

    for (unsigned i = 0; i < n; i++)
        if (connect_may_reach(&connect->request, &addresses[i]))
            connect->sides[family].addresses[n_allowed++] = addresses[i];
    connect->n_forbidden += n - n_allowed;
    connect->sides[family].why = why;
    race_answer(&connect->race, family, n_allowed);
}

bool connect_may_reach(const struct connect_request *request, const union address *address)
{
    struct wsp_view bytes = address_bytes(address);

    return request->is_proxy ? destination_has_proxy(request->destination, request->url, bytes)
                             : destination_has_address(request->destination, request->url, bytes);
}

int connect_new(struct loop *loop, struct resolver *resolver, const struct connect_request *request,
                struct connect **ret_connect)
{
    struct connect *connect = calloc(1, sizeof(*connect));
    int r;

    if (connect == NULL)
        return -ENOMEM;
    connect->loop = loop;
    connect->request = *request;
    task_init(&connect->failed, connect_tell_failed, connect);
    r = race_init(&connect->race, loop_clock(loop), connect_attempt, connect_over, connect);
    if (r < 0)
        goto free_connect;
    r = resolver_lookup(resolver, request->host, request->port, connect_answered, connect,
                        &connect->lookup);
    if (r < 0)
        goto free_connect;
    *ret_connect = connect;
    return 0;

free_connect:
    connect_free(connect);
    return r;
}

struct connect *connect_free(struct connect *connect)
{
    if (connect == NULL)
        return NULL;
    for (unsigned i = 0; i < connect->n_attempts; i++)
        attempt_stop(&connect->attempts[i]);
    race_deinit(&connect->race);
    lookup_free(connect->lookup);
    task_cancel(&connect->failed);
    free(connect);
    return NULL;
}
