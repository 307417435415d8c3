/*
 * remote: the remote side as the benches need it: a blocking connection to a WebSocket server,
 * upgraded, with or without TLS. Nothing is verified, for it only ever meets feed_server on
 * loopback.
 *
 * Neighbours: bare.c and load.c use it; proto/websocket is beside it.
 * Invariant: after remote_open the next byte read is the first of a frame.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_BENCH_REMOTE_H
#define WSPLEX_BENCH_REMOTE_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct remote {
    int fd;
    SSL *ssl; /* NULL: plain */
};

/* Connects to ws://ADDRESS:PORT/PATH or wss://. Ends the program with a message when it cannot. */
void remote_open(struct remote *remote, const char *url);
void remote_close(struct remote *remote);

/* Reads what is there, at least a byte, at most len; waits for it. 0 at the end, -1 on failure.
 * Each system call it makes is counted in *n_calls. */
ssize_t remote_read(struct remote *remote, uint8_t *to, size_t len, unsigned long *n_calls);

/* Writes all of it. 0, -1. */
int remote_write(struct remote *remote, const uint8_t *data, size_t len, unsigned long *n_calls);

/* Prints a message and ends the program. */
void die(const char *what) __attribute__((noreturn));

#endif
