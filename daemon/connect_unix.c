/* SPDX-License-Identifier: MIT
 *
 * connect_unix: from the path of a Unix socket to a connected one; see connect_unix.h.
 * Neighbours: gate says whose turn it is, the kernel answers; dial above.
 * Invariant: there is a descriptor only while one turn tries to connect it.
 *
 * The kernel connects at once or not at all: a queue that is full is no wait but EAGAIN, and nothing
 * tells when there is room in it.
 */
#include "daemon/connect_unix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "daemon/shortage.h"
#include "proto/limits.h"
#include "proto/local/errors.h"

_Static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) == WSP_MAX_SOCKET_PATH + 1,
               "what proto/url lets through has room");

struct connect_unix {
    struct connect_request request;
    struct pass *pass;
    struct task try; /* TURN_NEXT: done is never called from within connect_unix_new */
    struct timer again;
};

/* What an errno means here, for people. */
static const char *error_text(int error)
{
    switch (error) {
    case ENOENT: return "there is no such socket";
    case ECONNREFUSED: return "nobody listens on this socket";
    case EACCES: return "this daemon's user may not use it";
    case EPROTOTYPE: return "it is not a stream socket";
    default: return strerror(error);
    }
}

static void connect_unix_failed(struct connect_unix *connect, int error)
{
    struct failure failure;

    pass_answered(connect->pass);
    failure_set(&failure, is_shortage(error) ? WSP_CAUSE_INTERNAL : WSP_CAUSE_CONNECT, 0,
                "cannot connect to %s: %s", connect->request.host, error_text(error));
    connect->request.done(connect->request.owner, -1, NULL, NULL, &failure);
}

/* A connected descriptor, or a negative errno. */
static int socket_connected(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    error = errno;
    close(fd);
    return -error;
}

static void connect_unix_try(void *owner)
{
    struct connect_unix *connect = owner;
    int fd = socket_connected(connect->request.host);
    struct pass *pass = connect->pass;

    if (fd == -EAGAIN || fd == -EINTR) {
        timer_start(&connect->again, CONNECT_UNIX_AGAIN_MS);
    } else if (fd < 0) {
        connect_unix_failed(connect, -fd);
    } else {
        connect->pass = NULL;
        connect->request.done(connect->request.owner, fd, NULL, pass, NULL);
    }
}

static void connect_unix_granted(void *owner)
{
    struct connect_unix *connect = owner;

    connect->request.rests(connect->request.owner, false);
    connect_unix_try(connect);
}

int connect_unix_new(struct loop *loop, const struct connect_request *request,
                     struct connect_unix **ret_connect)
{
    struct connect_unix *connect = calloc(1, sizeof(*connect));
    int r;

    if (connect == NULL)
        return -ENOMEM;
    connect->request = *request;
    task_init(&connect->try, connect_unix_try, connect);
    r = timer_init(&connect->again, loop_clock(loop), connect_unix_try, connect);
    if (r < 0)
        goto free_connect;
    r = gate_enter(request->gates, request->host, request->uid, connect_unix_granted, connect,
                   &connect->pass);
    if (r < 0)
        goto free_connect;
    if (pass_is_granted(connect->pass))
        turn_schedule(loop_turn(loop), TURN_NEXT, &connect->try);
    else
        request->rests(request->owner, true);
    *ret_connect = connect;
    return 0;

free_connect:
    connect_unix_free(connect);
    return r;
}

void connect_unix_describe(const struct connect_unix *connect, char *to, size_t len)
{
    snprintf(to, len,
             pass_is_granted(connect->pass)
                 ? "waiting until the server at %s accepts the connection"
                 : "waiting for another connection to %s to open",
             connect->request.host);
}

uint64_t connect_unix_waits_since_ms(const struct connect_unix *connect)
{
    return pass_waits_since_ms(connect->pass);
}

struct connect_unix *connect_unix_free(struct connect_unix *connect)
{
    if (connect == NULL)
        return NULL;
    task_cancel(&connect->try);
    timer_deinit(&connect->again);
    pass_free(connect->pass);
    free(connect);
    return NULL;
}
