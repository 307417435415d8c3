/*
 * body: the body of an HTTP/1.1 answer; see body.h.
 *
 * Between head.c and verdict.c. Invariant: nothing is kept but a state and a number.
 *
 *     state        takes                          then
 *     UNTIL_CLOSE  everything                     -
 *     LENGTH       what is left of the length     OVER
 *     SIZE_BEGIN   the first digit                SIZE
 *     SIZE         digits; ';' or a blank; CR     -; EXTENSION; SIZE_END
 *     EXTENSION    everything up to CR            SIZE_END
 *     SIZE_END     LF                             CHUNK, or OVER when the size was 0
 *     CHUNK        what is left of the chunk      CHUNK_CR
 *     CHUNK_CR     CR                             CHUNK_END
 *     CHUNK_END    LF                             SIZE_BEGIN
 *
 * Anything else ends the body: OVER.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/body.h"

#include "proto/ascii.h"

enum state {
    OVER,
    UNTIL_CLOSE,
    LENGTH,
    SIZE_BEGIN,
    SIZE,
    EXTENSION,
    SIZE_END,
    CHUNK,
    CHUNK_CR,
    CHUNK_END,
};

/* -- how the body is framed -- */

/* Chunked and nothing else, in a version that knows it. */
static bool is_plainly_chunked(const struct wsp_head *head)
{
    struct wsp_head_list list = wsp_head_list(head, "Transfer-Encoding");
    struct wsp_view coding;

    return wsp_head_minor(head) >= 1 && wsp_head_list_next(&list, &coding) &&
           wsp_token_is(coding, "chunked") && !wsp_head_list_next(&list, &coding);
}

static bool is_encoded(const struct wsp_head *head)
{
    struct wsp_head_list list = wsp_head_list(head, "Content-Encoding");
    struct wsp_view coding;

    while (wsp_head_list_next(&list, &coding)) {
        if (!wsp_token_is(coding, "identity"))
            return true;
    }
    return false;
}

/* Several lengths are one when they agree (RFC 9110, section 8.6). */
static bool read_length(const struct wsp_head *head, uint64_t *ret_len)
{
    struct wsp_head_list list = wsp_head_list(head, "Content-Length");
    struct wsp_view element;
    uint64_t len, other;

    if (!wsp_head_list_next(&list, &element) || !wsp_view_read_number(element, &len))
        return false;
    while (wsp_head_list_next(&list, &element)) {
        if (!wsp_view_read_number(element, &other) || other != len)
            return false;
    }
    *ret_len = len;
    return true;
}

void wsp_body_init(struct wsp_body *body, const struct wsp_head *head)
{
    unsigned status = wsp_head_status(head);

    *body = (struct wsp_body){.state = OVER};
    if (status == 204 || status == 304 || is_encoded(head))
        return;
    if (wsp_head_count(head, "Transfer-Encoding") > 0) {
        if (is_plainly_chunked(head))
            body->state = SIZE_BEGIN;
    } else if (wsp_head_count(head, "Content-Length") == 0) {
        body->state = UNTIL_CLOSE;
    } else if (read_length(head, &body->left) && body->left > 0) {
        body->state = LENGTH;
    }
}

/* -- chunks (section 7.1) -- */

static int take_digit(struct wsp_body *body, uint8_t byte)
{
    unsigned digit = wsp_ascii_hex_value((char)byte);

    if (digit > 15 || __builtin_mul_overflow(body->left, 16, &body->left))
        return OVER;
    body->left += digit;
    return SIZE;
}

static int take_in_size(struct wsp_body *body, uint8_t byte)
{
    if (byte == '\r')
        return SIZE_END;
    return byte == ';' || wsp_byte_is_blank(byte) ? EXTENSION : take_digit(body, byte);
}

/* The state after a byte of what frames the chunks. */
static int take_framing(struct wsp_body *body, uint8_t byte)
{
    switch (body->state) {
    case SIZE_BEGIN: body->left = 0; return take_digit(body, byte);
    case SIZE: return take_in_size(body, byte);
    case EXTENSION: return byte == '\r' ? SIZE_END : byte == '\n' ? OVER : EXTENSION;
    case SIZE_END: return byte == '\n' && body->left > 0 ? CHUNK : OVER;
    case CHUNK_CR: return byte == '\r' ? CHUNK_END : OVER;
    case CHUNK_END: return byte == '\n' ? SIZE_BEGIN : OVER;
    default: return OVER;
    }
}

/* -- what it says -- */

static struct wsp_view take_announced(struct wsp_body *body, struct wsp_view *input)
{
    struct wsp_view piece = *input;

    if (piece.len > body->left)
        piece.len = (size_t)body->left;
    body->left -= piece.len;
    input->data += piece.len;
    input->len -= piece.len;
    if (body->left == 0)
        body->state = body->state == CHUNK ? CHUNK_CR : OVER;
    return piece;
}

bool wsp_body_next(struct wsp_body *body, struct wsp_view *input, struct wsp_view *ret_piece)
{
    while (input->len > 0 && body->state != OVER) {
        if (body->state == UNTIL_CLOSE) {
            *ret_piece = *input;
            *input = (struct wsp_view){0};
            return true;
        }
        if (body->state == LENGTH || body->state == CHUNK) {
            *ret_piece = take_announced(body, input);
            return true;
        }
        body->state = take_framing(body, input->data[0]);
        input->data++;
        input->len--;
    }
    return false;
}

bool wsp_body_is_over(const struct wsp_body *body)
{
    return body->state == OVER;
}
