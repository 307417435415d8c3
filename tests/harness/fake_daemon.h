/*
 * fake_daemon: a daemon for the tests of client-lib, in the test's own process: either told what to
 * do frame by frame, or serving by itself as a small echo server would.
 *
 * Between proto/local, in the daemon's role, and the library under test, over a real Unix socket in
 * a temporary folder. Invariant: after fake_daemon_init() it allocates nothing for messages of
 * ordinary size, so that a test may make the library's allocations fail.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_FAKE_DAEMON_H
#define WSPLEX_TESTS_HARNESS_FAKE_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client-lib/wsplex.h"
#include "proto/buffer.h"
#include "proto/local/message.h"
#include "proto/local/wire.h"

struct fake_daemon {
    char folder[32];
    char path[64];
    int listener;
    int fd; /* -1: nobody is connected */
    struct wsp_wire_reader reader;
    bool has_window;
    struct wsp_buffer out;
    uint8_t in[128 * 1024];
    size_t chunk;     /* bytes written in each round; SIZE_MAX from the start */
    size_t die_after; /* hangs up when so many bytes are written; SIZE_MAX from the start */
    size_t n_written;
    size_t n_connections;
    uint64_t max_message; /* that OPENED tells; 16 MiB from the start */
    /* of fake_daemon_serve() */
    uint64_t n_sent[16]; /* by channel */
    uint64_t n_cost[16];
};

/* Listens. Fails the test if that cannot be. */
void fake_daemon_init(struct fake_daemon *daemon);

/* Hangs up, stops listening, and removes the folder. */
void fake_daemon_deinit(struct fake_daemon *daemon);

/* Closes the connection; a next one may come. */
void fake_daemon_hang_up(struct fake_daemon *daemon);

/* Listens no more, as when the daemon has ended. */
void fake_daemon_stop_listening(struct fake_daemon *daemon);

/* Takes a connection that waits, writes what it may; one round, never waits. */
void fake_daemon_turn(struct fake_daemon *daemon);

/* The next frame that has come from the client, or false. Its views live until the next call. */
bool fake_daemon_receive(struct fake_daemon *daemon, struct wsp_message *ret_message);

/* Has turns of client and daemon until a frame comes, which must be of the type. */
struct wsp_message fake_daemon_expect(struct fake_daemon *daemon, struct wsplex *client,
                                      uint8_t type);

/* Has turns of client and daemon until nothing moves; no frame may come. */
void fake_daemon_settle(struct fake_daemon *daemon, struct wsplex *client);

/* Puts a frame, or any bytes, into what is to be written. */
void fake_daemon_send(struct fake_daemon *daemon, const struct wsp_message *message);
void fake_daemon_send_bytes(struct fake_daemon *daemon, const void *data, size_t len);

/* Frames in one call. */
void fake_daemon_send_hello(struct fake_daemon *daemon, uint32_t max_channels);
/* Messages of as many bytes as fake_daemon.max_message says. */
void fake_daemon_send_opened(struct fake_daemon *daemon, uint32_t channel, const char *protocol,
                             const char *extensions);
void fake_daemon_send_data(struct fake_daemon *daemon, uint32_t channel, uint8_t type,
                           const void *data, size_t len, bool has_more);
void fake_daemon_send_text(struct fake_daemon *daemon, uint32_t channel, const char *text);
void fake_daemon_send_credit(struct fake_daemon *daemon, uint32_t channel, uint64_t total);
void fake_daemon_send_sent(struct fake_daemon *daemon, uint32_t channel, uint64_t total);
void fake_daemon_send_failed(struct fake_daemon *daemon, uint32_t channel, uint16_t cause,
                             uint16_t http_status, const char *text);
void fake_daemon_send_refused(struct fake_daemon *daemon, uint32_t channel, uint16_t http_status,
                              uint32_t retry_after, struct wsp_view excerpt);
void fake_daemon_send_closed(struct fake_daemon *daemon, uint32_t channel, bool was_clean,
                             uint16_t code, const char *reason);
void fake_daemon_send_simple(struct fake_daemon *daemon, uint32_t channel, uint8_t type);

/* Greets the client: takes its HELLO, answers with one that allows 64 channels. */
void fake_daemon_greet(struct fake_daemon *daemon, struct wsplex *client);

/*
 * One round of serving: greets, opens every channel with the protocol "echo", acknowledges and sends
 * back what comes, answers every request with {} in two pieces, closes what is to be closed.
 */
void fake_daemon_serve(struct fake_daemon *daemon);

/* Serves in a process of its own, until it is stopped or this one ends; for who blocks, as wsplex_run() does. */
pid_t fake_daemon_serve_apart(struct fake_daemon *daemon);
void fake_daemon_stop_apart(pid_t pid);

#endif
