/* SPDX-License-Identifier: MIT
 *
 * outflow: what an upstream has to write, as bytes; see outflow.h.
 * Neighbours: share gives messages, proto/websocket makes frames, upstream writes the bytes to its transport.
 * Invariant: every message in flight is the current one, or has a mark that says it is its last.
 */
#include "daemon/outflow.h"

#include <string.h>

#include "daemon/limits.h"
#include "daemon/sending.h"
#include "proto/websocket/frame.h"

/* A run of bytes that ends with payload of a message. */
struct mark {
    struct outgoing *outgoing;
    uint64_t end; /* in the count of n_taken */
    uint32_t payload_len;
    uint32_t
        message_len; /* bytes of the message that these stand for; more or fewer when they are packed or have another id */
    bool is_last;    /* the message ends here */
};

_Static_assert(MAX_WRITE_PER_TURN <= UINT32_MAX, "a piece's length fits its mark");

void outflow_init(struct outflow *outflow, void (*random)(void *to, size_t len))
{
    *outflow = (struct outflow){.random = random};
    wsp_buffer_init(&outflow->bytes, MAX_WRITE_PER_TURN);
    wsp_buffer_init(&outflow->marks, MAX_MESSAGES_PER_WRITE * sizeof(struct mark));
    wsp_buffer_init(&outflow->pongs, MAX_PONGS_LEN);
}

void outflow_deflate(struct outflow *outflow, struct wsp_deflate_mode mode)
{
    wsp_deflater_init(&outflow->deflater, mode);
}

static bool mark_first(const struct outflow *outflow, struct mark *ret_mark)
{
    if (wsp_buffer_len(&outflow->marks) == 0)
        return false;
    memcpy(ret_mark, wsp_buffer_peek(&outflow->marks), sizeof(*ret_mark));
    return true;
}

static void drop_packed(struct outflow *outflow)
{
    wsp_buffer_deinit(&outflow->packed);
    charge_release(&outflow->charge);
}

void outflow_deinit(struct outflow *outflow)
{
    struct mark mark;

    while (mark_first(outflow, &mark)) {
        wsp_buffer_consume(&outflow->marks, sizeof(mark));
        if (mark.is_last)
            outgoing_drop(mark.outgoing);
    }
    if (outflow->current != NULL)
        outgoing_drop(outflow->current);
    outflow->current = NULL;
    outflow->is_packing = false;
    drop_packed(outflow);
    wsp_deflater_deinit(&outflow->deflater);
    wsp_buffer_deinit(&outflow->marks);
    wsp_buffer_deinit(&outflow->pongs);
    wsp_buffer_deinit(&outflow->bytes);
}

/* False where there is no room, or no memory. */
static bool keep_pong(struct outflow *outflow, struct wsp_view payload)
{
    uint8_t *to;

    if (outflow->has_pong || wsp_buffer_reserve(&outflow->pongs, 1 + payload.len, &to) < 0)
        return false;
    to[0] = (uint8_t)payload.len;
    if (payload.len > 0)
        memcpy(to + 1, payload.data, payload.len);
    wsp_buffer_commit(&outflow->pongs, 1 + payload.len);
    return true;
}

void outflow_pong(struct outflow *outflow, struct wsp_view payload)
{
    if (keep_pong(outflow, payload))
        return;
    if (payload.len > 0)
        memcpy(outflow->pong, payload.data, payload.len);
    outflow->pong_len = (uint8_t)payload.len;
    outflow->has_pong = true;
}

void outflow_ping(struct outflow *outflow, struct wsp_view payload)
{
    memcpy(outflow->ping, payload.data, PULSE_PAYLOAD);
    outflow->has_ping = !outflow->has_close;
}

bool outflow_has_ping(const struct outflow *outflow)
{
    return outflow->has_ping || outflow->ping_end > outflow->n_taken;
}

void outflow_close(struct outflow *outflow, uint16_t code, struct wsp_view reason)
{
    if (outflow->has_close)
        return;
    outflow->has_close = true;
    outflow->has_ping = false;
    outflow->close_code = code;
    outflow->close_reason_len =
        (uint8_t)(reason.len < WSP_MAX_CLOSE_REASON ? reason.len : WSP_MAX_CLOSE_REASON);
    if (reason.len > 0)
        memcpy(outflow->close_reason, reason.data, outflow->close_reason_len);
}

/* --- putting --- */

static struct wsp_view view_of(const struct wsp_buffer *buffer)
{
    return (struct wsp_view){wsp_buffer_peek(buffer), wsp_buffer_len(buffer)};
}

static size_t outflow_room(const struct outflow *outflow)
{
    return MAX_WRITE_PER_TURN - wsp_buffer_len(&outflow->bytes);
}

static bool pong_waits(const struct outflow *outflow)
{
    return outflow->has_pong || wsp_buffer_len(&outflow->pongs) > 0;
}

static int put_control(struct outflow *outflow, enum wsp_opcode opcode, struct wsp_view payload)
{
    uint8_t key[WSP_FRAME_KEY];

    outflow->random(key, sizeof(key));
    return wsp_ws_write_control(&outflow->bytes, WSP_ROLE_CLIENT, opcode, payload, key);
}

static int put_pong(struct outflow *outflow)
{
    struct wsp_view kept = view_of(&outflow->pongs);
    struct wsp_view pong = {outflow->pong, outflow->pong_len};
    int r;

    if (kept.len > 0)
        pong = (struct wsp_view){kept.data + 1, kept.data[0]};
    r = put_control(outflow, WSP_OPCODE_PONG, pong);
    if (r < 0)
        return r;
    if (kept.len == 0) {
        outflow->has_pong = false;
        return 0;
    }
    wsp_buffer_consume(&outflow->pongs, 1 + pong.len);
    wsp_buffer_trim(&outflow->pongs);
    return 0;
}

static int put_ping(struct outflow *outflow)
{
    int r = put_control(outflow, WSP_OPCODE_PING, (struct wsp_view){outflow->ping, PULSE_PAYLOAD});

    if (r < 0)
        return r;
    outflow->has_ping = false;
    outflow->ping_end = outflow->n_taken + wsp_buffer_len(&outflow->bytes);
    return 0;
}

static int put_close(struct outflow *outflow)
{
    uint8_t key[WSP_FRAME_KEY];
    int r;

    outflow->random(key, sizeof(key));
    r = wsp_ws_write_close(&outflow->bytes, WSP_ROLE_CLIENT, outflow->close_code,
                           (struct wsp_view){outflow->close_reason, outflow->close_reason_len},
                           key);
    if (r < 0)
        return r;
    outflow->is_closed = true;
    return 0;
}

static void begin_frame(struct outflow *outflow, bool is_packed)
{
    const struct outgoing *outgoing = outflow->current;
    uint8_t key[WSP_FRAME_KEY];

    outflow->random(key, sizeof(key));
    if (is_packed)
        wsp_ws_outgoing_begin_packed(&outflow->frame, WSP_ROLE_CLIENT, outgoing->is_binary,
                                     view_of(&outflow->packed), key);
    else
        wsp_ws_outgoing_begin(&outflow->frame, WSP_ROLE_CLIENT, outgoing->is_binary,
                              view_of(&outgoing->payload), key);
}

static void begin_message(struct outflow *outflow, struct outgoing *outgoing)
{
    outflow->current = outgoing;
    outflow->n_told = 0;
    /* The deflater would remember a secret for as long as messages may refer to it. */
    outflow->is_packing = !outgoing->payload.is_secret;
    if (outflow->is_packing)
        wsp_deflater_begin(&outflow->deflater, view_of(&outgoing->payload));
    else
        begin_frame(outflow, false);
}

static void charge_packed(struct outflow *outflow)
{
    charge_force(&outflow->charge, outflow->current->share->owner, QUOTA_SENDING_BYTES,
                 outflow->packed.capacity - outflow->charge.amount);
}

/* Goes on packing the current message, and begins its frame when it is known how long that is. 1: the turn's share is
 * used up. */
static int pack(struct outflow *outflow, size_t *n_left)
{
    size_t len = outflow->deflater.message.len;
    int r;

    if (*n_left == 0)
        return 1;
    r = wsp_deflater_step(&outflow->deflater, *n_left, &outflow->packed);
    if (r < 0)
        return r;
    *n_left -= len - outflow->deflater.message.len;
    if (r == WSP_DEFLATE_PLAIN)
        drop_packed(outflow);
    else
        charge_packed(outflow);
    if (r == WSP_MORE)
        return 1;
    outflow->is_packing = false;
    begin_frame(outflow, r == 0);
    return 0;
}

/* How far the current message, as its program gave it, has got with what is written of its frame: to its end with the last byte of that. */
static uint64_t message_at(const struct outflow *outflow)
{
    const struct outgoing *outgoing = outflow->current;
    uint64_t packed_len = wsp_buffer_len(&outflow->packed);
    uint64_t len = packed_len > 0 ? packed_len : wsp_buffer_len(&outgoing->payload);
    uint64_t at = outflow->frame.payload_at;

    return len == outgoing->given_len ? at : at * outgoing->given_len / len;
}

/* As much of the current message as there is room for. */
static int put_piece(struct outflow *outflow)
{
    size_t left = wsp_ws_outgoing_left(&outflow->frame), room = outflow_room(outflow);
    size_t len = left < room ? left : room;
    size_t payload_before = outflow->frame.payload.len;
    struct mark mark = {.outgoing = outflow->current};
    uint8_t *to, *to_mark;
    int r;

    r = wsp_buffer_reserve(&outflow->marks, sizeof(mark), &to_mark);
    if (r < 0)
        return r;
    /* Its key stands before what it masks. */
    if (outflow->current->payload.is_secret)
        wsp_buffer_keep_secret(&outflow->bytes);
    r = wsp_buffer_reserve(&outflow->bytes, len, &to);
    if (r < 0)
        return r;
    wsp_buffer_commit(&outflow->bytes, wsp_ws_outgoing_fill(&outflow->frame, to, len));
    mark.end = outflow->n_taken + wsp_buffer_len(&outflow->bytes);
    mark.payload_len = (uint32_t)(payload_before - outflow->frame.payload.len);
    mark.message_len = (uint32_t)(message_at(outflow) - outflow->n_told);
    outflow->n_told += mark.message_len;
    mark.is_last = wsp_ws_outgoing_left(&outflow->frame) == 0;
    memcpy(to_mark, &mark, sizeof(mark));
    wsp_buffer_commit(&outflow->marks, sizeof(mark));
    if (mark.is_last) {
        outflow->current = NULL;
        drop_packed(outflow);
    }
    return 0;
}

/* The longest control frame fits: a masked header and 125 bytes. */
static bool is_full(const struct outflow *outflow)
{
    return outflow_room(outflow) < WSP_FRAME_MAX_HEADER + WSP_MAX_CONTROL_PAYLOAD ||
           wsp_buffer_len(&outflow->marks) >= MAX_MESSAGES_PER_WRITE * sizeof(struct mark);
}

static int put_own(struct outflow *outflow, struct share *share,
                   int (*put)(struct outflow *outflow))
{
    int r = put(outflow);

    if (r == 0)
        sending_control(share);
    return r;
}

int outflow_fill(struct outflow *outflow, struct share *share)
{
    size_t n_left = MAX_PACKED_PER_TURN;
    int r = 0;

    while (r == 0 && !outflow->is_closed) {
        struct outgoing *next = NULL;

        if (is_full(outflow))
            return 1;
        if (outflow->current != NULL && !outflow->is_packing)
            r = put_piece(outflow);
        else if (pong_waits(outflow))
            r = put_own(outflow, share, put_pong);
        else if (outflow->has_ping)
            r = put_own(outflow, share, put_ping);
        else if (outflow->is_packing)
            r = pack(outflow, &n_left);
        else if (outflow->has_close && !outflow->is_close_held)
            r = put_own(outflow, share, put_close);
        else if ((next = share_next_outgoing(share)) != NULL)
            begin_message(outflow, next);
        else
            return 0;
    }
    return r;
}

/* --- taking --- */

struct wsp_view outflow_peek(const struct outflow *outflow)
{
    return view_of(&outflow->bytes);
}

/* How much of a mark's payload lies in the bytes that were taken up to now but not before. */
static size_t newly_taken(const struct mark *mark, uint64_t taken_before, uint64_t taken)
{
    uint64_t begin = mark->end - mark->payload_len;
    uint64_t from = taken_before > begin ? taken_before : begin;
    uint64_t to = taken < mark->end ? taken : mark->end;

    return to > from ? (size_t)(to - from) : 0;
}

void outflow_taken(struct outflow *outflow, size_t len)
{
    uint64_t before = outflow->n_taken;
    struct mark mark;

    wsp_buffer_consume(&outflow->bytes, len);
    outflow->n_taken += len;
    while (mark_first(outflow, &mark) && mark.end - mark.payload_len <= outflow->n_taken) {
        bool is_taken = mark.end <= outflow->n_taken;
        size_t n = is_taken ? mark.message_len : 0;

        /* Half a piece of a packed message is no message's half. */
        if (mark.message_len == mark.payload_len)
            n = newly_taken(&mark, before, outflow->n_taken);

        if (is_taken)
            wsp_buffer_consume(&outflow->marks, sizeof(mark));
        if (n > 0)
            outgoing_written(mark.outgoing, n);
        if (is_taken && mark.is_last)
            outgoing_done(mark.outgoing);
        if (!is_taken)
            break;
    }
    wsp_buffer_trim(&outflow->bytes);
    wsp_buffer_trim(&outflow->marks);
}

bool outflow_is_over(const struct outflow *outflow)
{
    return outflow->is_closed && wsp_buffer_len(&outflow->bytes) == 0;
}
