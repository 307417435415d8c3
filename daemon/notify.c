/* SPDX-License-Identifier: MIT
 *
 * notify: sd_notify(3) with the daemon's timers.
 * Between server and the service manager. Invariant: the watchdog is told from the loop, so that a hung loop is not.
 */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

enum { STATUS_INTERVAL_MS = 1000 };

static void watchdog_fire(void *owner)
{
    struct notify *notify = owner;

    sd_notify(0, "WATCHDOG=1");
    timer_start(&notify->watchdog, notify->watchdog_ms / 2);
}

static void status_tell(struct notify *notify)
{
    char text[256];

    notify->format_status(notify->owner, text, sizeof(text));
    sd_notifyf(0, "STATUS=%s", text);
    notify->is_status_due = false;
    notify->is_status_told_lately = true;
    timer_start(&notify->status, STATUS_INTERVAL_MS);
}

static void status_fire(void *owner)
{
    struct notify *notify = owner;

    notify->is_status_told_lately = false;
    if (notify->is_status_due)
        status_tell(notify);
}

int notify_init(struct notify *notify, struct clock *clock,
                void (*format_status)(void *owner, char *ret_text, size_t len), void *owner)
{
    uint64_t watchdog_us = 0;
    int r;

    *notify = (struct notify){.format_status = format_status, .owner = owner};
    notify->is_wanted = getenv("NOTIFY_SOCKET") != NULL;
    if (!notify->is_wanted)
        return 0;
    r = timer_init(&notify->watchdog, clock, watchdog_fire, notify);
    if (r == 0)
        r = timer_init(&notify->status, clock, status_fire, notify);
    if (r < 0) {
        notify_deinit(notify);
        return r;
    }
    if (sd_watchdog_enabled(0, &watchdog_us) > 0 && watchdog_us >= 2000) {
        notify->watchdog_ms = watchdog_us / 1000;
        timer_start(&notify->watchdog, notify->watchdog_ms / 2);
    }
    return 0;
}

void notify_deinit(struct notify *notify)
{
    timer_deinit(&notify->watchdog);
    timer_deinit(&notify->status);
}

void notify_ready(struct notify *notify)
{
    if (!notify->is_wanted)
        return;
    sd_notify(0, "READY=1");
    status_tell(notify);
}

void notify_reloading(struct notify *notify)
{
    struct timespec now;

    if (!notify->is_wanted)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
               (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void notify_stopping(struct notify *notify)
{
    if (notify->is_wanted)
        sd_notify(0, "STOPPING=1");
}

void notify_changed(struct notify *notify)
{
    if (!notify->is_wanted)
        return;
    notify->is_status_due = true;
    if (!notify->is_status_told_lately)
        status_tell(notify);
}
