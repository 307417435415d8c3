/* SPDX-License-Identifier: MIT
 *
 * opening: an upstream's way to its server; see the table in opening.h.
 * Neighbours: dial does what takes time, gate says whose turn it is, upstream upgrades.
 * Invariant: the deadline runs exactly while the opening is not over.
 */
#include "daemon/opening.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/local/errors.h"

/* Through a proxy the address is the proxy's. */
static void opening_describe_upgrade(const struct opening *opening, char *to, size_t len)
{
    const struct proxy *proxy = opening->target->proxy;
    char name[PROXY_TEXT_LEN];

    if (proxy == NULL)
        snprintf(to, len, "%s has not answered the upgrade request", opening->address);
    else
        snprintf(to, len, "%.100s has not answered the upgrade request through the proxy %s",
                 opening->target->url.host_header, proxy_format(proxy, name));
}

void opening_describe(const struct opening *opening, char *to, size_t len)
{
    if (opening->dial != NULL)
        opening->dialer->describe(opening->dial, to, len);
    else if (opening->deadline.clock != NULL)
        opening_describe_upgrade(opening, to, len);
    else
        snprintf(to, len, "%s", "");
}

static void opening_too_late(struct opening *opening, uint64_t after_ms)
{
    struct failure failure;
    char progress[sizeof(failure.text)];

    opening_describe(opening, progress, sizeof(progress));
    failure_set(&failure, WSP_CAUSE_TIMEOUT, 0, "not open after %" PRIu64 " ms: %.200s", after_ms,
                progress);
    opening->failed(opening->owner, &failure);
}

static void opening_deadline(void *owner)
{
    struct opening *opening = owner;
    uint64_t timeout_ms = opening->target->connect_timeout_ms;
    uint64_t now_ms = clock_now_ms(opening->clock);
    uint64_t waits_ms;

    if (!opening->is_resting) {
        opening_too_late(opening, timeout_ms);
        return;
    }
    waits_ms = now_ms - opening->dialer->waits_since_ms(opening->dial);
    if (waits_ms < timeout_ms)
        timer_start(&opening->deadline, timeout_ms - waits_ms);
    else
        opening_too_late(opening, now_ms - opening->started_ms);
}

static void opening_rests(void *owner, bool is_resting)
{
    struct opening *opening = owner;
    uint64_t now_ms = clock_now_ms(opening->clock);

    opening->is_resting = is_resting;
    if (is_resting) {
        /* A turn may take longer than what is left. */
        opening->left_ms = opening->due_ms > now_ms ? opening->due_ms - now_ms : 0;
        timer_start(&opening->deadline, opening->target->connect_timeout_ms);
    } else {
        opening->due_ms = now_ms + opening->left_ms;
        timer_start(&opening->deadline, opening->left_ms);
    }
}

static void opening_dialed(void *owner, struct dial_result *result)
{
    struct opening *opening = owner;

    opening->dial = NULL;
    memcpy(opening->address, result->address, sizeof(opening->address));
    memcpy(opening->tls, result->tls, sizeof(opening->tls));
    if (result->transport == NULL) {
        opening->failed(opening->owner, &result->failure);
        return;
    }
    opening->pass = result->pass;
    opening->dialed(opening->owner, result->transport);
}

int opening_init(struct opening *opening, struct clock *clock, struct dialer *dialer,
                 const struct target *target,
                 void (*dialed)(void *owner, struct transport *transport),
                 void (*failed)(void *owner, const struct failure *failure), void *owner)
{
    *opening = (struct opening){
        .clock = clock,
        .dialer = dialer,
        .target = target,
        .dialed = dialed,
        .failed = failed,
        .owner = owner,
    };
    return timer_init(&opening->deadline, clock, opening_deadline, opening);
}

void opening_deinit(struct opening *opening)
{
    timer_deinit(&opening->deadline);
    if (opening->dial != NULL)
        opening->dialer->cancel(opening->dial);
    opening->dial = NULL;
    opening->pass = pass_free(opening->pass);
}

int opening_start(struct opening *opening)
{
    opening->started_ms = clock_now_ms(opening->clock);
    opening->due_ms = opening->started_ms + opening->target->connect_timeout_ms;
    /* First, because a dial may rest from the beginning. */
    timer_start(&opening->deadline, opening->target->connect_timeout_ms);
    return opening->dialer->dial(opening->dialer, opening->target, opening_dialed, opening_rests,
                                 opening, &opening->dial);
}

void opening_answered(struct opening *opening)
{
    pass_answered(opening->pass);
    opening->pass = pass_free(opening->pass);
    timer_deinit(&opening->deadline);
}

void opening_lost(struct opening *opening, const struct failure *why)
{
    struct failure failure;

    opening_answered(opening);
    failure_set(&failure, WSP_CAUSE_HANDSHAKE, 0, "no answer to the upgrade request: %.200s",
                why == NULL ? "the server ended the connection" : why->text);
    /* A server that does not like our certificate says so only now (TLS 1.3). */
    opening->failed(opening->owner, why != NULL && why->cause == WSP_CAUSE_TLS ? why : &failure);
}
