/*
 * buffer: a queue of bytes with a hard cap, and a borrowed view of bytes.
 *
 * Between socket and codec, in both directions; see buffer.h for the contract.
 *
 * Invariant: start <= end <= capacity, and end - start <= max.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first allocation: two small frames fit, and malloc wastes nothing on it. */
#define SMALLEST_CAPACITY 256

void wsp_buffer_init(struct wsp_buffer *b, size_t max)
{
    *b = (struct wsp_buffer){.max = max > SIZE_MAX / 2 ? SIZE_MAX / 2 : max};
}

void wsp_buffer_keep_secret(struct wsp_buffer *b)
{
    b->is_secret = true;
}

/* The compiler must not see that nobody reads what is written. */
static void wipe(const struct wsp_buffer *b, size_t start, size_t end)
{
    if (b->is_secret && end > start)
        explicit_bzero(b->data + start, end - start);
}

/* All of the block: also what was reserved and not committed. */
static void free_block(struct wsp_buffer *b)
{
    wipe(b, 0, b->capacity);
    free(b->data);
}

void wsp_buffer_deinit(struct wsp_buffer *b)
{
    if (b == NULL)
        return;
    free_block(b);
    *b = (struct wsp_buffer){0};
}

size_t wsp_buffer_len(const struct wsp_buffer *b)
{
    return b->end - b->start;
}

const uint8_t *wsp_buffer_peek(const struct wsp_buffer *b)
{
    return b->data == NULL ? NULL : b->data + b->start;
}

/*
 * A block for need bytes: twice the old one, so that the copies add up to a constant per byte. A
 * queue that never loses bytes at its front stops at max. One that does needs the second half, or
 * it would be moved for every few bytes when it is nearly full.
 */
static size_t grown_capacity(const struct wsp_buffer *b, size_t need)
{
    size_t limit = b->capacity < b->max ? b->max : 2 * b->max;
    size_t capacity = b->capacity > limit / 2 ? limit : 2 * b->capacity;

    if (capacity < SMALLEST_CAPACITY)
        capacity = SMALLEST_CAPACITY < limit ? SMALLEST_CAPACITY : limit;
    return capacity < need ? need : capacity;
}

/* The bytes go to the front of a larger block; those before start are not copied. */
static int grow(struct wsp_buffer *b, size_t need)
{
    size_t len = wsp_buffer_len(b);
    size_t capacity = grown_capacity(b, need);
    uint8_t *data = malloc(capacity);

    if (data == NULL)
        return -ENOMEM;
    if (len > 0)
        memcpy(data, b->data + b->start, len);
    free_block(b);
    b->data = data;
    b->start = 0;
    b->end = len;
    b->capacity = capacity;
    return 0;
}

int wsp_buffer_reserve(struct wsp_buffer *b, size_t len, uint8_t **ret_room)
{
    size_t held = wsp_buffer_len(b);

    if (len > b->max - held)
        return -ENOBUFS;
    if (len > b->capacity - b->end) {
        /* Moving is paid for by the bytes consumed since the last move: there are as many. */
        if (b->start >= held && held + len <= b->capacity) {
            memmove(b->data, b->data + b->start, held);
            wipe(b, held, b->end);
            b->start = 0;
            b->end = held;
        } else {
            int r = grow(b, held + len);
            if (r < 0)
                return r;
        }
    }
    assert(len == 0 || b->data != NULL);
    *ret_room = b->data == NULL ? NULL : b->data + b->end;
    return 0;
}

void wsp_buffer_commit(struct wsp_buffer *b, size_t len)
{
    assert(len <= b->capacity - b->end);
    b->end += len;
}

int wsp_buffer_append(struct wsp_buffer *b, const void *data, size_t len)
{
    uint8_t *room;
    int r = wsp_buffer_reserve(b, len, &room);

    if (r < 0)
        return r;
    if (len > 0)
        memcpy(room, data, len);
    wsp_buffer_commit(b, len);
    return 0;
}

int wsp_buffer_append_u8(struct wsp_buffer *b, uint8_t value)
{
    return wsp_buffer_append(b, &value, 1);
}

/* An empty queue starts again at the front: nothing is left that would have to be moved. */
static void rewind_if_empty(struct wsp_buffer *b)
{
    if (b->start == b->end)
        b->start = b->end = 0;
}

void wsp_buffer_consume(struct wsp_buffer *b, size_t len)
{
    assert(len <= wsp_buffer_len(b));
    wipe(b, b->start, b->start + len);
    b->start += len;
    rewind_if_empty(b);
}

void wsp_buffer_truncate(struct wsp_buffer *b, size_t len)
{
    assert(len <= wsp_buffer_len(b));
    wipe(b, b->start + len, b->end);
    b->end = b->start + len;
    rewind_if_empty(b);
}

void wsp_buffer_trim(struct wsp_buffer *b)
{
    if (wsp_buffer_len(b) > 0)
        return;
    free_block(b);
    b->data = NULL;
    b->start = b->end = b->capacity = 0;
    b->is_secret = false;
}

struct wsp_view wsp_view_of_string(const char *string)
{
    if (string == NULL)
        return (struct wsp_view){0};
    return (struct wsp_view){(const uint8_t *)string, strlen(string)};
}

char *wsp_view_to_string(struct wsp_view view)
{
    char *string = malloc(view.len + 1);

    if (string == NULL)
        return NULL;
    if (view.len > 0)
        memcpy(string, view.data, view.len);
    string[view.len] = '\0';
    return string;
}

bool wsp_view_equals(struct wsp_view a, struct wsp_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool wsp_view_take(struct wsp_view *view, size_t len, struct wsp_view *ret_taken)
{
    struct wsp_view taken = {view->data, len};

    if (len > view->len)
        return false;
    if (len > 0) {
        view->data += len;
        view->len -= len;
    }
    *ret_taken = taken;
    return true;
}

static bool take_le(struct wsp_view *view, size_t len, uint64_t *ret_value)
{
    struct wsp_view bytes;
    uint64_t value = 0;

    if (!wsp_view_take(view, len, &bytes))
        return false;
    for (size_t i = len; i > 0; i--)
        value = value << 8 | bytes.data[i - 1];
    *ret_value = value;
    return true;
}

bool wsp_view_take_u8(struct wsp_view *view, uint8_t *ret_value)
{
    uint64_t value;

    if (!take_le(view, sizeof(*ret_value), &value))
        return false;
    *ret_value = (uint8_t)value;
    return true;
}

bool wsp_view_take_u16le(struct wsp_view *view, uint16_t *ret_value)
{
    uint64_t value;

    if (!take_le(view, sizeof(*ret_value), &value))
        return false;
    *ret_value = (uint16_t)value;
    return true;
}

bool wsp_view_take_u32le(struct wsp_view *view, uint32_t *ret_value)
{
    uint64_t value;

    if (!take_le(view, sizeof(*ret_value), &value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

bool wsp_view_take_u64le(struct wsp_view *view, uint64_t *ret_value)
{
    return take_le(view, sizeof(*ret_value), ret_value);
}

bool wsp_view_take_u16be(struct wsp_view *view, uint16_t *ret_value)
{
    struct wsp_view bytes;

    if (!wsp_view_take(view, sizeof(*ret_value), &bytes))
        return false;
    *ret_value = (uint16_t)(bytes.data[0] << 8 | bytes.data[1]);
    return true;
}
