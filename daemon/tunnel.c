/* SPDX-License-Identifier: MIT
 *
 * tunnel: moves the bytes of the exchange with a proxy; see tunnel.h.
 * Neighbours: proto/websocket/tunnel knows what is said, the kernel has the socket.
 * Invariant: a byte leaves the socket's queue only when it is known to be the proxy's.
 */
#include "daemon/tunnel.h"

#include <config.h> /* in quotes it would be daemon/config.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/credential.h"
#include "proto/local/errors.h"
#include "proto/websocket/tunnel.h"

/* An answer is some lines; what is longer comes in several turns. */
enum { PEEK_LEN = 4096 };

struct tunnel {
    struct wsp_tunnel exchange;
    struct watch watch;
    int fd; /* -1 once it was given back */
    const struct proxy *proxy;
    char address[ADDRESS_TEXT_LEN]; /* that was asked for; empty: a name was */
    tunnel_done_fn done;
    void *owner;
};

/* --- the end --- */

static void tunnel_failed(struct tunnel *tunnel, const struct failure *failure)
{
    watch_want(&tunnel->watch, 0);
    tunnel->done(tunnel->owner, -1, failure, wsp_tunnel_is_about_address(&tunnel->exchange));
}

/* n: 0, the proxy has hung up; or a negative errno of the socket. */
static void tunnel_lost(struct tunnel *tunnel, ssize_t n)
{
    struct failure failure;
    char name[PROXY_TEXT_LEN];

    failure_set(&failure, WSP_CAUSE_PROXY, 0, "the proxy %s %s%s",
                proxy_format(tunnel->proxy, name),
                n == 0 ? "hung up before it had answered" : "cannot be spoken to: ",
                n == 0 ? "" : strerror((int)-n));
    tunnel_failed(tunnel, &failure);
}

/* "the proxy 127.0.0.1:3128 answered 407: it wants credentials" */
static void describe_refusal(const struct tunnel *tunnel, struct failure *ret_failure)
{
    unsigned answer = wsp_tunnel_answer(&tunnel->exchange);
    const char *problem = wsp_tunnel_problem(&tunnel->exchange);
    bool is_http = tunnel->proxy->kind == PROXY_HTTP;
    bool has_address = tunnel->address[0] != '\0';
    char name[PROXY_TEXT_LEN];

    proxy_format(tunnel->proxy, name);
    if (answer == 0)
        failure_set(ret_failure, WSP_CAUSE_PROXY, 0, "the proxy %s cannot be used: %s", name,
                    problem);
    else
        failure_set(ret_failure, WSP_CAUSE_PROXY, is_http ? (uint16_t)answer : 0,
                    "the proxy %s answered %u%s%s: %s", name, answer, has_address ? " for " : "",
                    tunnel->address, problem);
}

static void tunnel_refused(struct tunnel *tunnel)
{
    struct failure failure;

    describe_refusal(tunnel, &failure);
    tunnel_failed(tunnel, &failure);
}

static void tunnel_stands(struct tunnel *tunnel)
{
    int fd = tunnel->fd;

    watch_deinit(&tunnel->watch);
    tunnel->fd = -1;
    tunnel->done(tunnel->owner, fd, NULL, false);
}

/* --- the exchange --- */

static ssize_t socket_result(ssize_t n)
{
    return n < 0 ? (errno == EWOULDBLOCK ? -EAGAIN : -errno) : n;
}

/* 0, or a negative errno; -EAGAIN when there is more to write. */
static ssize_t tunnel_write(struct tunnel *tunnel)
{
    struct wsp_view output;
    ssize_t n = 0;

    while ((output = wsp_tunnel_output(&tunnel->exchange)).len > 0) {
        n = socket_result(send(tunnel->fd, output.data, output.len, MSG_NOSIGNAL));
        if (n == -EINTR)
            continue;
        if (n < 0)
            return n;
        wsp_tunnel_written(&tunnel->exchange, (size_t)n);
    }
    return 0;
}

/* Looks at what has come, and takes of it what the exchange has understood. The result of
 * wsp_tunnel_next; ret_n is that of the socket, below 1 when nothing was understood. */
static int tunnel_read(struct tunnel *tunnel, ssize_t *ret_n)
{
    uint8_t bytes[PEEK_LEN];
    size_t n_understood;
    int r;

    *ret_n = socket_result(recv(tunnel->fd, bytes, sizeof(bytes), MSG_PEEK));
    if (*ret_n <= 0)
        return WSP_MORE;
    wsp_tunnel_feed(&tunnel->exchange, (struct wsp_view){bytes, (size_t)*ret_n});
    r = wsp_tunnel_next(&tunnel->exchange);
    if (r == 0 || r == WSP_MORE) {
        n_understood = (size_t)*ret_n - wsp_tunnel_rest(&tunnel->exchange).len;
        *ret_n = socket_result(recv(tunnel->fd, bytes, n_understood, 0));
        if (*ret_n >= 0 && (size_t)*ret_n != n_understood)
            *ret_n = -EIO;
    }
    explicit_bzero(bytes, sizeof(bytes)); /* it may tell back what was asked */
    return r;
}

static bool is_transient(ssize_t n)
{
    return n == -EAGAIN || n == -EINTR;
}

static void tunnel_ready(void *owner, unsigned events)
{
    struct tunnel *tunnel = owner;
    ssize_t n = 1, written;
    int r = WSP_MORE;

    if (events & WATCH_READABLE)
        r = tunnel_read(tunnel, &n);
    if (n <= 0 && !is_transient(n)) {
        tunnel_lost(tunnel, n);
    } else if (r == WSP_BROKEN) {
        tunnel_refused(tunnel);
    } else if (r == 0) {
        tunnel_stands(tunnel);
    } else if (r < 0) {
        tunnel_lost(tunnel, r);
    } else {
        written = tunnel_write(tunnel);
        if (written < 0 && !is_transient(written))
            tunnel_lost(tunnel, written);
        else
            watch_want(&tunnel->watch, WATCH_READABLE | (written < 0 ? WATCH_WRITABLE : 0));
    }
}

/* --- the beginning --- */

/* 0, -ENOMEM; 1 with the failure: the password cannot be read, or the proxy not be asked. */
static int exchange_init(struct tunnel *tunnel, const struct wsp_url *url,
                         const union address *address, struct failure *ret_failure)
{
    const struct proxy *proxy = tunnel->proxy;
    struct wsp_tunnel_asked asked = {
        .kind = proxy->kind == PROXY_HTTP ? WSP_TUNNEL_HTTP : WSP_TUNNEL_SOCKS5,
        .host = wsp_view_of_string(url->host),
        .port = url->port,
        .has_credentials = proxy->has_credentials,
        .username = proxy->username,
        .user_agent = WSP_VIEW_LITERAL(PACKAGE "/" VERSION),
    };

    struct wsp_buffer password;
    int r;

    if (address != NULL) {
        address_format(address, tunnel->address);
        asked.address = address_bytes(address);
    }
    wsp_buffer_init(&password, SIZE_MAX);
    wsp_buffer_keep_secret(&password);
    r = credential_expand(proxy->credentials_dir, proxy->password, CREDENTIAL_PLAIN, &password,
                          NULL, ret_failure);
    if (r == 0) {
        asked.password = (struct wsp_view){wsp_buffer_peek(&password), wsp_buffer_len(&password)};
        r = wsp_tunnel_init(&tunnel->exchange, &asked);
        if (r == WSP_BROKEN) {
            describe_refusal(tunnel, ret_failure);
            r = 1;
        }
    }
    wsp_buffer_deinit(&password);
    return r;
}

int tunnel_new(struct loop *loop, int fd, const struct proxy *proxy, const struct wsp_url *url,
               const union address *address, tunnel_done_fn done, void *owner,
               struct tunnel **ret_tunnel, struct failure *ret_failure)
{
    struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
    int r;

    if (tunnel == NULL)
        return -ENOMEM;
    tunnel->fd = -1;
    tunnel->proxy = proxy;
    tunnel->done = done;
    tunnel->owner = owner;
    r = exchange_init(tunnel, url, address, ret_failure);
    if (r != 0)
        goto free_tunnel;
    r = watch_init(&tunnel->watch, loop, fd, tunnel_ready, tunnel);
    if (r < 0)
        goto free_tunnel;
    tunnel->fd = fd;
    watch_want(&tunnel->watch, WATCH_READABLE | WATCH_WRITABLE);
    *ret_tunnel = tunnel;
    return 0;

free_tunnel:
    tunnel_free(tunnel);
    return r;
}

struct tunnel *tunnel_free(struct tunnel *tunnel)
{
    if (tunnel == NULL)
        return NULL;
    if (tunnel->fd >= 0) {
        watch_deinit(&tunnel->watch);
        close(tunnel->fd);
    }
    wsp_tunnel_deinit(&tunnel->exchange);
    free(tunnel);
    return NULL;
}
