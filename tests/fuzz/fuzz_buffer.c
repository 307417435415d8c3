/*
 * fuzz_buffer: runs of operations on a buffer, compared with a plain array.
 *
 * The first byte of the input is the cap divided by 4. Then each operation is a byte for what is
 * done and a byte for how much.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MODEL 1024

struct model {
    uint8_t bytes[MAX_MODEL];
    size_t len;
    size_t max;
    uint8_t next; /* bytes are counted through, so that a misplaced one is seen */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
    if (!holds)
        abort();
}

static void append(struct wsp_buffer *b, struct model *model, size_t len)
{
    uint8_t bytes[UINT8_MAX];
    int r;

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(model->next + i);
    r = wsp_buffer_append(b, len == 0 ? NULL : bytes, len);
    if (len > model->max - model->len) {
        require(r == -ENOBUFS);
        return;
    }
    require(r == 0);
    memcpy(model->bytes + model->len, bytes, len);
    model->len += len;
    model->next = (uint8_t)(model->next + len);
}

static void reserve(struct wsp_buffer *b, struct model *model, size_t len)
{
    uint8_t *room;
    int r = wsp_buffer_reserve(b, len, &room);

    require(r == (len > model->max - model->len ? -ENOBUFS : 0));
    if (r == 0 && len > 0)
        memset(room, 0xee, len);
}

static void consume(struct wsp_buffer *b, struct model *model, size_t len)
{
    if (len > model->len)
        len = model->len;
    wsp_buffer_consume(b, len);
    model->len -= len;
    memmove(model->bytes, model->bytes + len, model->len);
}

static void truncate_to(struct wsp_buffer *b, struct model *model, size_t len)
{
    if (len > model->len)
        len = model->len;
    wsp_buffer_truncate(b, len);
    model->len = len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct wsp_view input = {data, len};
    struct model model = {0};
    struct wsp_buffer b;
    uint8_t what;
    uint8_t how_much;

    if (!wsp_view_take_u8(&input, &how_much))
        return 0;
    model.max = (size_t)how_much * 4;
    wsp_buffer_init(&b, model.max);
    while (wsp_view_take_u8(&input, &what) && wsp_view_take_u8(&input, &how_much)) {
        switch (what % 5) {
        case 0: append(&b, &model, how_much); break;
        case 1: reserve(&b, &model, how_much); break;
        case 2: consume(&b, &model, how_much); break;
        case 3: truncate_to(&b, &model, how_much); break;
        case 4: wsp_buffer_trim(&b); break;
        }
        require(b.start <= b.end && b.end <= b.capacity && b.capacity <= 2 * model.max);
        require(wsp_buffer_len(&b) == model.len);
        require(model.len == 0 || memcmp(wsp_buffer_peek(&b), model.bytes, model.len) == 0);
    }
    wsp_buffer_deinit(&b);
    return 0;
}
