/* SPDX-License-Identifier: MIT
 *
 * inflow: what an upstream has read, as messages and control frames; see inflow.h.
 * Neighbours: upstream above, proto/websocket's reader within, share below.
 * Invariant: while tail has bytes, the reader's window is the end of them.
 */
#include "daemon/inflow.h"

#include <inttypes.h>

#include "daemon/limits.h"
#include "daemon/shares.h"
#include "proto/local/errors.h"

void inflow_init(struct inflow *inflow, struct share *share, size_t max_fed,
                 void (*go_on)(void *owner), void *owner)
{
    struct wsp_ws_limits limits = {
        .max_message = share->target->max_message,
        .max_fragments = WSP_DEFAULT_MAX_FRAGMENTS,
    };

    *inflow = (struct inflow){.share = share};
    wsp_ws_reader_init(&inflow->reader, WSP_ROLE_CLIENT, &limits);
    wsp_buffer_init(&inflow->tail, max_fed);
    slice_waiter_init(&inflow->its_turn, go_on, owner);
}

void inflow_deinit(struct inflow *inflow)
{
    wsp_ws_reader_deinit(&inflow->reader);
    wsp_buffer_deinit(&inflow->tail);
    slice_waiter_leave(&inflow->its_turn);
}

void inflow_inflate(struct inflow *inflow, struct wsp_deflate_mode mode)
{
    wsp_ws_reader_inflate(&inflow->reader, mode);
}

void inflow_allow(struct inflow *inflow, size_t len)
{
    inflow->allowed = len;
    wsp_ws_reader_allow(&inflow->reader, len);
}

static void inflow_spend(const struct inflow *inflow, uint64_t work)
{
    slice_spend(&inflow->share->owner->slice, inflow->share->shares->turn, work);
}

bool inflow_has_turn(struct inflow *inflow)
{
    return slice_enter(&inflow->share->owner->slice, inflow->share->shares->turn,
                       &inflow->its_turn);
}

void inflow_feed(struct inflow *inflow, struct wsp_view bytes)
{
    inflow_spend(inflow, bytes.len);
    wsp_ws_reader_feed(&inflow->reader, bytes);
}

int inflow_next(struct inflow *inflow, struct wsp_ws_event *ret_event)
{
    int r = wsp_ws_reader_next(&inflow->reader, ret_event);

    inflow_spend(inflow, WORK_PER_FRAME + inflow->share->n_channels * WORK_PER_HEARER);
    inflow->is_spent = r == WSP_WS_SPENT;
    return r;
}

uint16_t inflow_describe(const struct inflow *inflow, struct failure *ret_failure)
{
    uint16_t code = wsp_ws_reader_broken_code(&inflow->reader);
    const char *why = wsp_ws_reader_broken_why(&inflow->reader);

    if (code == 1009)
        failure_set(ret_failure, WSP_CAUSE_TOO_BIG, 0,
                    "the server sent too much: %s (max-message is %" PRIu64
                    " bytes; closed with 1009)",
                    why, inflow->share->target->max_message);
    else
        failure_set(ret_failure, WSP_CAUSE_PROTOCOL, 0,
                    "the server broke the WebSocket protocol: %s (closed with %u)", why, code);
    return code;
}

int inflow_deliver(struct inflow *inflow, const struct wsp_ws_event *event)
{
    struct wsp_buffer payload;
    int r;

    /* A short one would take along a block made for longer ones. */
    if (event->is_borrowed || event->payload.len < MIN_TAKEN_LEN)
        return share_received(inflow->share, event->is_binary, event->payload);
    r = wsp_ws_reader_take(&inflow->reader, &payload);
    if (r < 0)
        return r;
    return share_received_take(inflow->share, event->is_binary, &payload);
}

/* A window in the scratch moves to tail; one in tail stays where it is. */
static int inflow_keep(struct inflow *inflow)
{
    struct wsp_view rest = wsp_ws_reader_rest(&inflow->reader);
    int r;

    if (rest.len == 0) {
        wsp_buffer_consume(&inflow->tail, wsp_buffer_len(&inflow->tail));
        wsp_buffer_trim(&inflow->tail);
        return 0;
    }
    if (wsp_buffer_len(&inflow->tail) > 0)
        return 0;
    r = wsp_buffer_append(&inflow->tail, rest.data, rest.len);
    if (r < 0)
        return r;
    rest.data = wsp_buffer_peek(&inflow->tail);
    wsp_ws_reader_feed(&inflow->reader, rest);
    return 0;
}

int inflow_settle(struct inflow *inflow)
{
    int r = inflow_keep(inflow);

    inflow_spend(inflow, inflow->allowed - wsp_ws_reader_allowed(&inflow->reader));
    inflow->allowed = wsp_ws_reader_allowed(&inflow->reader);

    reception_holds(inflow->share, wsp_ws_reader_held(&inflow->reader),
                    wsp_ws_reader_may_hold(&inflow->reader), inflow->tail.capacity);
    return r;
}

bool inflow_has_waiting(const struct inflow *inflow)
{
    return inflow->is_spent || wsp_buffer_len(&inflow->tail) > 0;
}

void inflow_discard(struct inflow *inflow)
{
    inflow->is_spent = false;
    wsp_ws_reader_feed(&inflow->reader, (struct wsp_view){0});
    wsp_buffer_consume(&inflow->tail, wsp_buffer_len(&inflow->tail));
    wsp_buffer_trim(&inflow->tail);
}
