/*
 * remote: see remote.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/remote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/websocket/handshake.h"

void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, errno ? strerror(errno) : "failed");
    exit(1);
}

/* ADDRESS:PORT of IPv4 is all that feed_server's default needs. */
static int connect_to(const char *host, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int one = 1;
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("the URL has no IPv4 address");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void upgrade(struct remote *remote, const char *host, const char *path)
{
    struct wsp_request request = {.target = wsp_view_of_string(path),
                                  .host = wsp_view_of_string(host)};
    unsigned long n_calls = 0;
    uint8_t answer[4096];
    size_t len = 0;
    struct wsp_buffer out;
    wsp_buffer_init(&out, 4096);
    if (wsp_handshake_write_request(&out, &request) != 0 ||
        remote_write(remote, wsp_buffer_peek(&out), wsp_buffer_len(&out), &n_calls) != 0)
        die("the upgrade request");
    wsp_buffer_deinit(&out);
    /* Byte by byte at the end of the head: what follows belongs to the caller. */
    while (len < sizeof(answer) && (len < 4 || memcmp(answer + len - 4, "\r\n\r\n", 4) != 0)) {
        if (remote_read(remote, answer + len, 1, &n_calls) != 1)
            die("the server's answer");
        len++;
    }
    if (len < 12 || memcmp(answer, "HTTP/1.1 101", 12) != 0)
        die("the server did not upgrade");
}

void remote_open(struct remote *remote, const char *url)
{
    char scheme[8], host[64], path[256] = "/";
    unsigned port;
    if (sscanf(url, "%7[a-z]://%63[0-9.]:%u%255s", scheme, host, &port, path) < 3)
        die("the URL is not ws://ADDRESS:PORT/PATH");
    remote->fd = connect_to(host, port);
    remote->ssl = NULL;
    if (strcmp(scheme, "wss") == 0) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        remote->ssl = context ? SSL_new(context) : NULL;
        if (!remote->ssl || SSL_set_fd(remote->ssl, remote->fd) != 1 ||
            SSL_connect(remote->ssl) != 1)
            die("TLS");
        SSL_set_read_ahead(remote->ssl, 1);
        SSL_CTX_free(context);
    }
    upgrade(remote, host, path);
}

void remote_close(struct remote *remote)
{
    SSL_free(remote->ssl);
    close(remote->fd);
}

ssize_t remote_read(struct remote *remote, uint8_t *to, size_t len, unsigned long *n_calls)
{
    if (!remote->ssl) {
        ++*n_calls;
        return recv(remote->fd, to, len, 0);
    }
    /* One record at least, then all that OpenSSL has read with it: nothing may stay where poll does not see it. */
    size_t got = 0;
    do {
        if (SSL_pending(remote->ssl) == 0)
            ++*n_calls;
        int n = SSL_read(remote->ssl, to + got, (int)(len - got));
        if (n <= 0)
            return got > 0 ? (ssize_t)got : n == 0 ? 0 : -1;
        got += (size_t)n;
    } while (got < len && SSL_has_pending(remote->ssl));
    return (ssize_t)got;
}

int remote_write(struct remote *remote, const uint8_t *data, size_t len, unsigned long *n_calls)
{
    while (len > 0) {
        ssize_t n;
        ++*n_calls;
        if (remote->ssl)
            n = SSL_write(remote->ssl, data, (int)len);
        else
            n = send(remote->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}
