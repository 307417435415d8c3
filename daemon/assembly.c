/* SPDX-License-Identifier: MIT
 *
 * assembly: pieces to messages, and credit for more pieces.
 * Between client_requests, which feeds what a client sent, and channel, which takes the whole message.
 * Invariant: granted - cost_received is at most one window; the charge is what the payload's block takes, or while
 * the assembly has its turn what was reserved for the longest message, if that is more.
 */
#include "daemon/assembly.h"

#include <string.h>

#include "daemon/channel.h"
#include "proto/limits.h"
#include "proto/local/wire.h"

enum { WINDOW = WSP_INITIAL_CREDIT };

/* --- credit --- */

/* Cost of what has arrived before the message under way and is not done yet. */
static uint64_t cost_of_earlier(const struct assembly *assembly)
{
    return assembly->cost_received - (assembly->is_begun ? assembly->cost : 0) -
           assembly->cost_aborted - assembly->cost_done;
}

static uint64_t new_total(const struct assembly *assembly)
{
    if (assembly->waiter.has_turn)
        return assembly->cost_received + WINDOW;
    return assembly->cost_done + assembly->cost_aborted + WINDOW;
}

/* Little by little would be a frame for every message of a flood, so it waits until half of a window is gone, or until
 * all is done: then a client may have as much as it had at first, and one that cannot split a message does not stall. */
static void grant(struct assembly *assembly)
{
    uint64_t left = assembly->granted - assembly->cost_received;
    uint64_t total = new_total(assembly);
    bool is_all_done = assembly->cost_done + assembly->cost_aborted == assembly->cost_received;

    if (total > assembly->granted &&
        (is_all_done || total - assembly->granted >= WINDOW / 2 || left < WINDOW / 2)) {
        assembly->granted = total;
        assembly->granted_more(assembly);
    }
}

static void admitted(struct waiter *waiter)
{
    grant(LIST_ENTRY(waiter, struct assembly, waiter));
}

static void grant_or_wait(struct assembly *assembly)
{
    grant(assembly);
    if (assembly->is_begun && !assembly->waiter.has_turn && cost_of_earlier(assembly) <= WINDOW &&
        assembly->granted - assembly->cost_received < WINDOW / 2)
        waiter_wait(&assembly->waiter, assembly->user);
}

void assembly_regrant(struct assembly *assembly, uint64_t cost_done)
{
    assembly->cost_done = cost_done;
    grant_or_wait(assembly);
}

/* --- pieces --- */

void assembly_init(struct assembly *assembly, struct user *user, uint64_t max_message,
                   void (*granted_more)(struct assembly *assembly))
{
    *assembly = (struct assembly){
        .user = user_ref(user),
        .granted_more = granted_more,
        .max_message = max_message,
        .granted = WINDOW,
    };
    waiter_init(&assembly->waiter, &assembly->charge, QUOTA_SENDING_BYTES,
                max_message + outgoing_overhead(), admitted);
    wsp_buffer_init(&assembly->payload, max_message);
}

/* The message is over: what was reserved for its rest goes to others. */
static void end_turn(struct assembly *assembly, uint64_t still_held)
{
    waiter_leave(&assembly->waiter);
    if (assembly->charge.amount > still_held)
        charge_shrink(&assembly->charge, assembly->charge.amount - still_held);
}

void assembly_deinit(struct assembly *assembly)
{
    if (assembly->user == NULL)
        return;
    end_turn(assembly, 0);
    wsp_buffer_deinit(&assembly->payload);
    assembly->user = user_unref(assembly->user);
}

static void begin(struct assembly *assembly, bool is_binary)
{
    charge_release(&assembly->charge);
    wsp_buffer_truncate(&assembly->payload, 0);
    wsp_utf8_init(&assembly->utf8);
    assembly->cost = 0;
    assembly->is_begun = true;
    assembly->is_binary = is_binary;
}

static uint64_t held(const struct assembly *assembly)
{
    return assembly->payload.capacity + outgoing_overhead();
}

/* Keeps the piece. Whoever has the turn is never refused. */
static int keep(struct assembly *assembly, struct wsp_view piece)
{
    struct charge *charge = &assembly->charge;
    int r = wsp_buffer_append(&assembly->payload, piece.data, piece.len);

    if (r < 0)
        return r;
    if (charge->amount >= held(assembly))
        return 0;
    if (assembly->waiter.has_turn)
        charge_force(charge, assembly->user, QUOTA_SENDING_BYTES, held(assembly) - charge->amount);
    else if (charge_take(charge, assembly->user, QUOTA_SENDING_BYTES,
                         held(assembly) - charge->amount) == QUOTA_EXCEEDED)
        return ASSEMBLY_OVER_QUOTA;
    waiter_recount(&assembly->waiter);
    return 0;
}

int assembly_feed(struct assembly *assembly, bool is_binary, bool is_last, struct wsp_view piece)
{
    uint64_t cost = wsp_wire_cost(piece.len);
    int r;

    if (cost > assembly->granted - assembly->cost_received)
        return ASSEMBLY_OVER_CREDIT;
    if (assembly->is_begun && assembly->is_binary != is_binary)
        return ASSEMBLY_OUT_OF_TURN;
    if (!assembly->is_begun)
        begin(assembly, is_binary);
    if (piece.len > assembly->max_message - wsp_buffer_len(&assembly->payload))
        return ASSEMBLY_TOO_BIG;
    if (!is_binary && wsp_utf8_feed(&assembly->utf8, piece.data, piece.len) < piece.len)
        return ASSEMBLY_NOT_UTF8;
    if (!is_binary && is_last && !wsp_utf8_is_complete(&assembly->utf8))
        return ASSEMBLY_NOT_UTF8;
    r = keep(assembly, piece);
    if (r != 0)
        return r;
    assembly->cost += cost;
    assembly->cost_received += cost;
    if (!is_last) {
        grant_or_wait(assembly);
        return ASSEMBLY_MORE;
    }
    assembly->is_begun = false;
    end_turn(assembly, held(assembly));
    return 0;
}

int assembly_abort(struct assembly *assembly)
{
    if (!assembly->is_begun)
        return ASSEMBLY_OUT_OF_TURN;
    assembly->is_begun = false;
    assembly->cost_aborted += assembly->cost;
    assembly->cost = 0;
    wsp_buffer_truncate(&assembly->payload, 0);
    wsp_buffer_trim(&assembly->payload);
    end_turn(assembly, 0);
    grant_or_wait(assembly);
    return 0;
}
