/* SPDX-License-Identifier: MIT
 *
 * listener: the Unix socket on which programs reach the daemon; systemd's, or one of its own
 * making.
 * Neighbours: server gets each accepted descriptor. Invariant: a socket that somebody answers on is
 * never removed, and two daemons never think that they own the same path.
 */
#ifndef WSPLEX_DAEMON_LISTENER_H
#define WSPLEX_DAEMON_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/clock.h"
#include "daemon/loop.h"

struct listener_options {
    const char *path;
    const char *directory; /* is made when it is missing; NULL: none */
    mode_t directory_mode, mode;
    gid_t group; /* (gid_t)-1: the process's own */
};

struct listener {
    struct watch watch;
    struct timer rest; /* after a shortage of descriptors */
    int fd;
    int lock_fd;   /* of an own socket: held while it is ours */
    char *path;    /* of an own socket, removed at the end; NULL: systemd's */
    bool is_short; /* trouble was told, and somebody has waited ever since */
    void (*accepted)(void *owner, int fd);
    void (*trouble)(void *owner, const char *text);
    void *owner;
};

enum { LISTENER_PROBLEM_LEN = 256 };

/* Takes the socket that systemd hands over, if it does, else makes one. accepted becomes owner of
 * each descriptor (non-blocking, close-on-exec); trouble is told in a line what keeps the listener
 * from accepting. 0; a negative errno, with ret_problem saying what was wrong and what would be
 * right. */
int listener_init(struct listener *listener, struct loop *loop,
                  const struct listener_options *options, void (*accepted)(void *owner, int fd),
                  void (*trouble)(void *owner, const char *text), void *owner,
                  char ret_problem[LISTENER_PROBLEM_LEN]);

/* A descriptor has become free: whoever rests for want of one tries again. */
void listener_resume(struct listener *listener);

/* Accepts no more and removes an own socket. Takes one that was never initialised if it is all
 * zero, and a second call. */
void listener_deinit(struct listener *listener);

#endif
