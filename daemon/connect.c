/* SPDX-License-Identifier: MIT
 *
 * connect: from a host name to a connected TCP socket; see connect.h.
 * Neighbours: resolver gives addresses, race says when to try which, the kernel answers; dial gets the socket.
 * Invariant: an attempt has a descriptor exactly while it runs.
 */
#include "daemon/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/race.h"
#include "proto/local/errors.h"

enum { MAX_ATTEMPTS = RACE_N_FAMILIES * MAX_ADDRESSES_PER_FAMILY };

struct attempt {
    struct connect *connect;
    struct watch watch;
    const union address *address;
    int fd;    /* -1 once it has failed */
    int error; /* errno */
};

struct connect {
    struct loop *loop;
    const char *host;
    connect_done_fn done;
    void *owner;
    struct lookup *lookup;
    struct race race;
    struct task failed; /* TURN_NEXT: attempts that failed before race could be told */
    unsigned n_untold;
    struct {
        union address addresses[MAX_ADDRESSES_PER_FAMILY];
        const char *why; /* there are none */
    } sides[RACE_N_FAMILIES];
    struct attempt attempts[MAX_ATTEMPTS];
    unsigned n_attempts;
    bool is_own_fault; /* no descriptor, no memory: nothing that the server could help */
};

/* --- texts --- */

static size_t text_add(char *to, size_t len, size_t used, const char *separator, const char *text)
{
    int n = used < len ? snprintf(to + used, len - used, "%s%s", separator, text) : 0;

    return used + (size_t)(n > 0 ? n : 0);
}

/* "; 192.0.2.1:443: Connection refused; [2001:db8::1]:443: no answer yet" */
static void attempts_to_text(const struct connect *connect, char *to, size_t len, size_t used)
{
    for (unsigned i = 0; i < connect->n_attempts; i++) {
        const struct attempt *attempt = &connect->attempts[i];
        char address[ADDRESS_TEXT_LEN];

        address_format(attempt->address, address);
        used = text_add(to, len, used, "; ", address);
        used = text_add(to, len, used, ": ",
                        attempt->fd >= 0 ? "no answer yet" : strerror(attempt->error));
    }
}

void connect_describe(const struct connect *connect, char *to, size_t len)
{
    if (connect->n_attempts == 0) {
        snprintf(to, len, "asking for the addresses of %s", connect->host);
        return;
    }
    attempts_to_text(connect, to, len, text_add(to, len, 0, "", "connecting"));
}

/* --- attempts --- */

static void attempt_stop(struct attempt *attempt)
{
    if (attempt->fd < 0)
        return;
    watch_deinit(&attempt->watch);
    close(attempt->fd);
    attempt->fd = -1;
}

static void connect_won(struct connect *connect, struct attempt *attempt)
{
    union address address = *attempt->address;
    int fd = attempt->fd;

    watch_deinit(&attempt->watch);
    attempt->fd = -1;
    for (unsigned i = 0; i < connect->n_attempts; i++)
        attempt_stop(&connect->attempts[i]);
    race_deinit(&connect->race);
    connect->lookup = lookup_free(connect->lookup);
    task_cancel(&connect->failed);
    connect->done(connect->owner, fd, &address, NULL);
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
    attempt_stop(attempt);
    race_failed(&connect->race);
}

/* 0, or the errno that ended the attempt before it began. */
static int attempt_start(struct attempt *attempt)
{
    const union address *address = attempt->address;
    int on = 1;
    int r;

    attempt->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0)
        return errno;
    /* Messages are gathered here already; a kernel that waits for more would only make each of them late. */
    setsockopt(attempt->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(attempt->fd, &address->any, address_len(address)) < 0 && errno != EINPROGRESS)
        return errno;
    r = watch_init(&attempt->watch, attempt->connect->loop, attempt->fd, attempt_ready, attempt);
    if (r < 0)
        return -r;
    watch_want(&attempt->watch, WATCH_WRITABLE);
    return 0;
}

static bool is_own_fault(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static void connect_attempt(void *owner, enum race_family family, unsigned index)
{
    struct connect *connect = owner;
    struct attempt *attempt = &connect->attempts[connect->n_attempts++];

    attempt->connect = connect;
    attempt->address = &connect->sides[family].addresses[index];
    attempt->error = attempt_start(attempt);
    if (attempt->error == 0)
        return;
    connect->is_own_fault |= is_own_fault(attempt->error);
    attempt_stop(attempt);
    connect->n_untold++;
    turn_schedule(loop_turn(connect->loop), TURN_NEXT, &connect->failed);
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

    if (connect->n_attempts == 0) {
        /* Of two reasons the one for IPv4 says more: a name without IPv6 addresses is nothing special. */
        failure_set(&failure, WSP_CAUSE_RESOLVE, 0, "%s cannot be resolved: %s", connect->host,
                    connect->sides[RACE_IPV4].why);
    } else {
        text[0] = '\0';
        attempts_to_text(connect, text, sizeof(text), 0);
        failure_set(&failure, connect->is_own_fault ? WSP_CAUSE_INTERNAL : WSP_CAUSE_CONNECT, 0,
                    "cannot connect to %s%s", connect->host, text);
    }
    connect->done(connect->owner, -1, NULL, &failure);
}

static void connect_answered(void *owner, enum race_family family, const union address *addresses,
                             unsigned n, const char *why)
{
    struct connect *connect = owner;

    memcpy(connect->sides[family].addresses, addresses, n * sizeof(*addresses));
    connect->sides[family].why = why;
    race_answer(&connect->race, family, n);
}

int connect_new(struct loop *loop, struct resolver *resolver, const char *host, uint16_t port,
                connect_done_fn done, void *owner, struct connect **ret_connect)
{
    struct connect *connect = calloc(1, sizeof(*connect));
    int r;

    if (connect == NULL)
        return -ENOMEM;
    connect->loop = loop;
    connect->host = host;
    connect->done = done;
    connect->owner = owner;
    task_init(&connect->failed, connect_tell_failed, connect);
    r = race_init(&connect->race, loop_clock(loop), connect_attempt, connect_over, connect);
    if (r < 0)
        goto free_connect;
    r = resolver_lookup(resolver, host, port, connect_answered, connect, &connect->lookup);
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
