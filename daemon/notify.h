/* SPDX-License-Identifier: MIT
 *
 * notify: what the service manager is told: ready, reloading, stopping, what the daemon holds, and
 * that it lives.
 * Neighbours: server says what happens; systemd, or any other owner of $NOTIFY_SOCKET, hears it.
 * Invariant: without such an owner nothing happens here, not even a timer.
 */
#ifndef WSPLEX_DAEMON_NOTIFY_H
#define WSPLEX_DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/clock.h"

struct notify {
    bool is_wanted;
    void (*format_status)(void *owner, char *ret_text, size_t len);
    void *owner;
    uint64_t watchdog_ms;  /* 0: none is expected */
    struct timer watchdog; /* at half of its time */
    struct timer status;   /* runs for a while after each telling */
    bool is_status_told_lately, is_status_due;
};

/* format_status writes one line that says what the daemon holds. 0, -ENOMEM. */
int notify_init(struct notify *notify, struct clock *clock,
                void (*format_status)(void *owner, char *ret_text, size_t len), void *owner);
void notify_deinit(struct notify *notify);

void notify_ready(struct notify *notify);
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);

/* The status may read differently now: it is told, at most once a second. */
void notify_changed(struct notify *notify);

#endif
