/*
 * buffer: a queue of bytes with a hard cap, and a borrowed view of bytes.
 *
 * On the way of a message it stands between whoever reads a socket and the codec that takes frames
 * out (proto/local, proto/websocket), and between a codec and whoever writes the socket.
 *
 * Invariant: start <= end <= capacity, and end - start <= max.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_BUFFER_H
#define WSPLEX_PROTO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes in the queue are data[start .. end). data is NULL as long as nothing was reserved. */
struct wsp_buffer {
    uint8_t *data;
    size_t start;
    size_t end;
    size_t capacity;
    size_t max;
    bool is_secret;
};

/*
 * Makes an empty queue that never holds more than max bytes. Allocates nothing. A max above
 * SIZE_MAX / 2 is taken as SIZE_MAX / 2.
 *
 * The memory behind the queue is at most max bytes when it is filled and then emptied, and at most
 * 2 * max when bytes are taken from its front while others are added behind.
 */
void wsp_buffer_init(struct wsp_buffer *b, size_t max);

/* Frees the memory. The queue is then empty with max 0; NULL is allowed, and so is a second
 * call. */
void wsp_buffer_deinit(struct wsp_buffer *b);

/*
 * From now on nothing of the queue stays in memory that it no longer uses: what is consumed or cut, and
 * each block that it grows out of or gives back, is overwritten. It holds until the memory is given back,
 * by wsp_buffer_trim() or wsp_buffer_deinit().
 */
void wsp_buffer_keep_secret(struct wsp_buffer *b);

/* The number of bytes in the queue. */
size_t wsp_buffer_len(const struct wsp_buffer *b);

/*
 * The first byte of the queue; all wsp_buffer_len() bytes follow it. Borrowed until the next call
 * that takes a buffer which is not const. May be NULL when the queue is empty.
 */
const uint8_t *wsp_buffer_peek(const struct wsp_buffer *b);

/*
 * Makes room for len bytes behind the end and returns it in ret_room, to be written and then
 * committed. The room is lost with the next call other than wsp_buffer_commit(). Over a run of
 * appends and consumes, the bytes moved are proportional to the bytes appended.
 *
 * 0; -ENOBUFS when the queue would hold more than max; -ENOMEM. On failure nothing has changed.
 */
int wsp_buffer_reserve(struct wsp_buffer *b, size_t len, uint8_t **ret_room);

/* The first len bytes of the reserved room now belong to the queue. len is at most what was
 * reserved. */
void wsp_buffer_commit(struct wsp_buffer *b, size_t len);

/*
 * Copies len bytes to the end. data may be NULL when len is 0, and may not point into the queue.
 * Errors as wsp_buffer_reserve(): all or nothing.
 */
int wsp_buffer_append(struct wsp_buffer *b, const void *data, size_t len);

/* One byte to the end. Errors as wsp_buffer_reserve(). */
int wsp_buffer_append_u8(struct wsp_buffer *b, uint8_t value);

/* Forgets the first len bytes. len is at most wsp_buffer_len(). */
void wsp_buffer_consume(struct wsp_buffer *b, size_t len);

/*
 * Forgets all but the first len bytes: with the length from before, it undoes appends of which a
 * later one failed. len is at most wsp_buffer_len().
 */
void wsp_buffer_truncate(struct wsp_buffer *b, size_t len);

/* Gives the memory back if the queue is empty; otherwise does nothing. */
void wsp_buffer_trim(struct wsp_buffer *b);

/* Bytes that somebody else owns. data may be NULL when len is 0. */
struct wsp_view {
    const uint8_t *data;
    size_t len;
};

/* The view of a string literal, without its terminating zero. */
#define WSP_VIEW_LITERAL(text) ((struct wsp_view){(const uint8_t *)("" text), sizeof(text) - 1})

/* The view of a string, without its terminating zero; of NULL, the empty view. */
struct wsp_view wsp_view_of_string(const char *string);

/*
 * The bytes as a new string, to be freed by the caller; the empty view gives "". NULL when there is
 * no memory. Bytes behind a zero are in it but are seen by nobody who takes it for a string.
 */
char *wsp_view_to_string(struct wsp_view view);

/* Whether both have the same bytes. Not for secrets: the time taken tells where they differ. */
bool wsp_view_equals(struct wsp_view a, struct wsp_view b);

/*
 * Takes an integer from the front of the view, in the byte order that the name says. False when
 * the view is too short: then neither the view nor the return parameter has changed.
 */
bool wsp_view_take_u8(struct wsp_view *view, uint8_t *ret_value);
bool wsp_view_take_u16le(struct wsp_view *view, uint16_t *ret_value);
bool wsp_view_take_u32le(struct wsp_view *view, uint32_t *ret_value);
bool wsp_view_take_u64le(struct wsp_view *view, uint64_t *ret_value);
bool wsp_view_take_u16be(struct wsp_view *view, uint16_t *ret_value);

/* Takes len bytes from the front of the view as a view with the same owner. False as above. */
bool wsp_view_take(struct wsp_view *view, size_t len, struct wsp_view *ret_taken);

#endif
