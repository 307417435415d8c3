/* SPDX-License-Identifier: MIT
 *
 * loop: the one event base, and the only file that knows libevent. It gives descriptors (struct
 * watch), timers (struct clock), signals, turns, and the scratch buffer into which everything is
 * read and from which everything small is written.
 * Invariant: callbacks run one after another in turns; after each turn turn_end has run.
 */
#ifndef WSPLEX_DAEMON_LOOP_H
#define WSPLEX_DAEMON_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/clock.h"
#include "daemon/turn.h"

struct loop;

enum watch_event { WATCH_READABLE = 1, WATCH_WRITABLE = 2 };

/* A descriptor that the loop watches; embedded in its owner, who closes the descriptor. */
struct watch {
    struct loop *loop;
    void (*ready)(void *owner, unsigned events);
    void *owner;
    void *impl;
    int fd;
    unsigned wanted;
};

/* 0, -ENOMEM. */
int loop_new(struct loop **ret_loop);
struct loop *loop_free(struct loop *loop);

struct clock *loop_clock(struct loop *loop);
struct turn *loop_turn(struct loop *loop);
uint8_t *loop_scratch(struct loop *loop, size_t *ret_len);

/* Calls back, in the loop, when the signal arrives. 0, -ENOMEM. */
int loop_on_signal(struct loop *loop, int signal, void (*fire)(void *owner, int signal),
                   void *owner);

/* Turns until loop_stop. 0, or a negative errno when the base fails. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Watches fd for nothing yet. 0, -ENOMEM. */
int watch_init(struct watch *watch, struct loop *loop, int fd,
               void (*ready)(void *owner, unsigned events), void *owner);
/* Bits of enum watch_event; level-triggered. 0 rests. */
void watch_want(struct watch *watch, unsigned events);
/* Takes a zeroed one. Must come before the descriptor is closed. */
void watch_deinit(struct watch *watch);

#endif
