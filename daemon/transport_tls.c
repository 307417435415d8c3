/* SPDX-License-Identifier: MIT
 *
 * transport_tls: a transport over TLS; see transport_tls.h.
 * Neighbours: OpenSSL and the socket below, upstream above.
 * Invariant: what OpenSSL has called fatal is not tried again: every later read and write gives the same error. A socket
 * that takes no more bytes ends writing alone: what the server said before it hung up can still be read.
 *
 * OpenSSL may have to write in order to read (a key update) and the other way round, so what the owner wants and what
 * the socket is watched for are two things:
 *
 *  phase      | watched for              | when it is ready
 *  handshake  | what SSL_connect asked   | SSL_connect again; done
 *  open       | for READABLE: what the last SSL_read asked, else readable    | ready(READABLE)
 *             | for WRITABLE: what the last SSL_write asked, else writable   | ready(WRITABLE)
 *  open       | (bytes left in OpenSSL's own buffer after a full read)       | ready(READABLE) in the next turn
 *  failed     | the same, so that the owner comes to see the error
 */
#include "daemon/transport_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/local/errors.h"

/* Payload of a full TLS record. */
enum { RECORD_LEN = 16384 };

struct transport_tls {
    struct transport transport;
    struct loop *loop;
    struct watch watch;
    struct tls_session session;
    transport_tls_done_fn done;
    void *done_owner;
    /* TURN_NEXT: start the handshake, or announce what lies in OpenSSL's buffer. */
    struct task again;
    unsigned wanted;                  /* by the owner */
    unsigned read_needs, write_needs; /* bits of enum watch_event that the next try waits for */
    bool is_open;
    bool has_buffered; /* SSL_read was stopped by the reader's room, not by a lack of bytes */
    int error;         /* negative errno that ended it, 0 while it lives */
    int write_error;   /* the same, of writing alone */
    struct failure failure;
};

static struct transport_tls *tls_of(struct transport *transport)
{
    return (struct transport_tls *)(void *)transport;
}

static void transport_tls_watch(struct transport_tls *t)
{
    watch_want(&t->watch, (t->wanted & TRANSPORT_READABLE ? t->read_needs : 0) |
                              (t->wanted & TRANSPORT_WRITABLE ? t->write_needs : 0));
    if (t->has_buffered && t->wanted & TRANSPORT_READABLE)
        turn_schedule(loop_turn(t->loop), TURN_NEXT, &t->again);
    else
        task_cancel(&t->again);
}

static void transport_tls_lost(struct transport_tls *t, int error)
{
    failure_set(&t->failure, WSP_CAUSE_LOST, 0, "the connection failed: %s", strerror(-error));
}

/* What an SSL_read or SSL_write that did nothing wants: -EAGAIN with *needs, 0 at the end that the server has told, or
 * the end that is a failure. */
static ssize_t transport_tls_judge(struct transport_tls *t, int result, unsigned *needs)
{
    int saved_errno = errno;

    switch (SSL_get_error(t->session.ssl, result)) {
    case SSL_ERROR_WANT_READ: *needs = WATCH_READABLE; return -EAGAIN;
    case SSL_ERROR_WANT_WRITE: *needs = WATCH_WRITABLE; return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL:
        t->error = saved_errno != 0 ? -saved_errno : -EPROTO;
        transport_tls_lost(t, t->error);
        break;
    default:
        t->error = -EPROTO;
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            failure_set(&t->failure, WSP_CAUSE_LOST, 0,
                        "the TLS stream was cut off: it ended without close_notify");
        else if (!tls_session_describe_alert(&t->session, &t->failure))
            failure_set(&t->failure, WSP_CAUSE_LOST, 0, "the TLS stream broke: %s",
                        ERR_reason_error_string(ERR_peek_error()));
    }
    ERR_clear_error();
    return t->error;
}

static ssize_t transport_tls_read(struct transport *transport, void *to, size_t len)
{
    struct transport_tls *t = tls_of(transport);
    size_t n_read = 0;
    ssize_t end = 1;

    if (t->error != 0)
        return t->error;
    ERR_clear_error();
    t->read_needs = WATCH_READABLE;
    /* What OpenSSL has taken from the socket is read to its end; whether there is more, the loop's poll says at less
     * cost than a read that finds nothing. */
    do {
        size_t n;
        int r = SSL_read_ex(t->session.ssl, (char *)to + n_read, len - n_read, &n);

        if (r != 1) {
            end = transport_tls_judge(t, r, &t->read_needs);
            break;
        }
        n_read += n;
    } while (n_read < len && SSL_has_pending(t->session.ssl));
    t->has_buffered = n_read == len && SSL_has_pending(t->session.ssl);
    /* The end is told by the read after this one, and needs no further byte of the socket to be told. */
    if (n_read > 0 && end != 1 && end != -EAGAIN)
        t->has_buffered = true;
    transport_tls_watch(t);
    return n_read > 0 ? (ssize_t)n_read : end;
}

/* The same for an SSL_write, whose end is always a failure. OpenSSL gives a socket's error as the end that the server
 * has told, when it has. */
static ssize_t transport_tls_judge_write(struct transport_tls *t, int result)
{
    int saved_errno = errno;
    int reason = SSL_get_error(t->session.ssl, result);

    if (reason != SSL_ERROR_SYSCALL && reason != SSL_ERROR_ZERO_RETURN) {
        errno = saved_errno;
        return transport_tls_judge(t, result, &t->write_needs);
    }
    ERR_clear_error();
    t->write_error = saved_errno != 0 ? -saved_errno : -EPIPE;
    transport_tls_lost(t, t->write_error);
    return t->write_error;
}

/* As much of the bytes as OpenSSL takes, a record for each round. 1, or the reason why it stopped. */
static ssize_t transport_tls_write_run(struct transport_tls *t, const uint8_t *bytes, size_t len,
                                       size_t *n_written)
{
    while (len > 0) {
        size_t n;
        int r = SSL_write_ex(t->session.ssl, bytes, len, &n);

        if (r != 1)
            return transport_tls_judge_write(t, r);
        bytes += n;
        len -= n;
        *n_written += n;
    }
    return 1;
}

/* Several parts are gathered into full records, so that many small ones do not become as many records. */
static ssize_t transport_tls_write_parts(struct transport_tls *t, const struct iovec *parts,
                                         int n_parts, size_t *n_written)
{
    uint8_t record[RECORD_LEN];
    size_t len = 0;
    ssize_t end = 1;

    for (int i = 0; i < n_parts; i++) {
        const uint8_t *from = parts[i].iov_base;
        size_t left = parts[i].iov_len;

        while (left > 0) {
            size_t n = left < RECORD_LEN - len ? left : RECORD_LEN - len;

            memcpy(record + len, from, n);
            len += n;
            from += n;
            left -= n;
            if (len < RECORD_LEN)
                continue;
            end = transport_tls_write_run(t, record, len, n_written);
            if (end != 1)
                return end;
            len = 0;
        }
    }
    return transport_tls_write_run(t, record, len, n_written);
}

static ssize_t transport_tls_write(struct transport *transport, const struct iovec *parts,
                                   int n_parts)
{
    struct transport_tls *t = tls_of(transport);
    size_t n_written = 0;
    ssize_t end;

    if (t->error != 0)
        return t->error;
    if (t->write_error != 0)
        return t->write_error;
    ERR_clear_error();
    errno = 0;
    t->write_needs = WATCH_WRITABLE;
    if (n_parts == 1)
        end = transport_tls_write_run(t, parts[0].iov_base, parts[0].iov_len, &n_written);
    else
        end = transport_tls_write_parts(t, parts, n_parts, &n_written);
    transport_tls_watch(t);
    return n_written > 0 || end == 1 ? (ssize_t)n_written : end;
}

static void transport_tls_want(struct transport *transport, unsigned events)
{
    struct transport_tls *t = tls_of(transport);

    t->wanted = events;
    transport_tls_watch(t);
}

static void transport_tls_shutdown(struct transport *transport)
{
    struct transport_tls *t = tls_of(transport);

    if (!t->is_open || t->error != 0 || t->write_error != 0)
        return;
    ERR_clear_error();
    SSL_shutdown(t->session.ssl);
    ERR_clear_error();
}

static void transport_tls_describe(const struct transport *transport, struct failure *ret_failure)
{
    *ret_failure = ((const struct transport_tls *)(const void *)transport)->failure;
}

static void transport_tls_free(struct transport *transport)
{
    struct transport_tls *t = tls_of(transport);
    int fd = t->watch.fd;

    /* RFC 8446, section 6.1: we may go only after a close_notify, unless something is broken anyway. */
    transport_tls_shutdown(transport);
    task_cancel(&t->again);
    watch_deinit(&t->watch);
    tls_session_deinit(&t->session);
    close(fd);
    free(t);
}

static const struct transport_ops transport_tls_ops = {
    .read = transport_tls_read,
    .write = transport_tls_write,
    .want = transport_tls_want,
    .shutdown = transport_tls_shutdown,
    .describe = transport_tls_describe,
    .free = transport_tls_free,
};

static void transport_tls_handshake(struct transport_tls *t)
{
    const struct failure *failure = NULL;
    int saved_errno, r;

    ERR_clear_error();
    errno = 0;
    r = SSL_do_handshake(t->session.ssl);
    saved_errno = errno;
    if (r != 1) {
        switch (SSL_get_error(t->session.ssl, r)) {
        case SSL_ERROR_WANT_READ: watch_want(&t->watch, WATCH_READABLE); return;
        case SSL_ERROR_WANT_WRITE: watch_want(&t->watch, WATCH_WRITABLE); return;
        default: break;
        }
        tls_session_describe_handshake(&t->session, saved_errno);
        failure = &t->session.failure;
    } else if (tls_session_judge(&t->session) != 0) {
        failure = &t->session.failure;
    }
    if (failure != NULL)
        t->error = -EPROTO;
    watch_want(&t->watch, 0);
    t->is_open = failure == NULL;
    t->done(t->done_owner, failure);
}

static void transport_tls_again(void *owner)
{
    struct transport_tls *t = owner;

    if (t->is_open)
        t->transport.ready(t->transport.owner, TRANSPORT_READABLE);
    else
        transport_tls_handshake(t);
}

static void transport_tls_ready(void *owner, unsigned events)
{
    struct transport_tls *t = owner;
    unsigned told = 0;

    if (!t->is_open) {
        transport_tls_handshake(t);
        return;
    }
    if (t->wanted & TRANSPORT_READABLE && events & t->read_needs)
        told |= TRANSPORT_READABLE;
    if (t->wanted & TRANSPORT_WRITABLE && events & t->write_needs)
        told |= TRANSPORT_WRITABLE;
    if (told != 0)
        t->transport.ready(t->transport.owner, told);
}

int transport_tls_new(struct loop *loop, struct tls *tls, const struct target *target, int fd,
                      transport_tls_done_fn done, void *owner, struct transport **ret_transport,
                      struct failure *ret_failure)
{
    struct transport_tls *t = calloc(1, sizeof(*t));
    int r;

    if (t == NULL)
        return -ENOMEM;
    r = tls_session_init(&t->session, tls, target);
    if (r > 0)
        *ret_failure = t->session.failure;
    if (r != 0)
        goto free_transport;
    r = watch_init(&t->watch, loop, fd, transport_tls_ready, t);
    if (r < 0)
        goto free_transport;
    if (SSL_set_fd(t->session.ssl, fd) != 1) {
        r = -ENOMEM;
        goto free_transport;
    }
    t->transport.ops = &transport_tls_ops;
    t->loop = loop;
    t->done = done;
    t->done_owner = owner;
    t->read_needs = WATCH_READABLE;
    t->write_needs = WATCH_WRITABLE;
    task_init(&t->again, transport_tls_again, t);
    turn_schedule(loop_turn(loop), TURN_NEXT, &t->again);
    *ret_transport = &t->transport;
    return 0;

free_transport:
    watch_deinit(&t->watch);
    tls_session_deinit(&t->session);
    free(t);
    return r;
}

void transport_tls_format(const struct transport *transport, char *to, size_t len)
{
    const struct transport_tls *t = (const struct transport_tls *)(const void *)transport;

    snprintf(to, len, "%s %s%s", SSL_get_version(t->session.ssl),
             SSL_get_cipher_name(t->session.ssl),
             SSL_session_reused(t->session.ssl) ? ", resumed" : "");
}
