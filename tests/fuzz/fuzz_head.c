/*
 * fuzz_head: an HTTP head cut as the input says, compared with the same in one piece.
 *
 * See chunks.h for the input; flag 1 makes it a request.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/head.h"

#include "tests/fuzz/chunks.h"

#define MAX_BYTES  2048
#define MAX_FIELDS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void tell_params(struct wsp_buffer *story, struct wsp_view element)
{
    struct wsp_param param;
    int r;

    while ((r = wsp_param_next(&element, &param)) == 0) {
        uint8_t plain[32];
        size_t plain_len;

        require(param.name.len > 0);
        story_tell_bytes(story, param.name);
        if (!param.has_value)
            continue;
        story_tell_bytes(story, param.value);
        plain_len = wsp_unquote(param.value, plain, sizeof(plain));
        require(plain_len <= param.value.len);
        require(param.is_quoted || plain_len == param.value.len);
    }
    story_tell(story, " %d\n", r);
}

static void tell_fields(struct wsp_buffer *story, const struct wsp_head *head)
{
    for (size_t i = 0; i < wsp_head_n_fields(head); i++) {
        struct wsp_field field = wsp_head_field(head, i);
        struct wsp_view list = field.value;
        struct wsp_view element;
        char name[64];

        story_tell_bytes(story, field.name);
        story_tell_bytes(story, field.value);
        while (wsp_list_next(&list, &element))
            tell_params(story, element);
        if (field.name.len < sizeof(name)) {
            struct wsp_head_list all;
            size_t n = 0;

            for (; n < field.name.len; n++)
                name[n] = (char)field.name.data[n];
            name[n] = '\0';
            require(wsp_head_count(head, name) > 0);
            all = wsp_head_list(head, name);
            while (wsp_head_list_next(&all, &element))
                story_tell_bytes(story, element);
        }
    }
}

static void tell_head(struct wsp_buffer *story, const struct wsp_head *head, struct chunks *chunks)
{
    if (head->kind == WSP_HEAD_REQUEST) {
        story_tell_bytes(story, wsp_head_method(head));
        story_tell_bytes(story, wsp_head_target(head));
    } else {
        story_tell(story, "%u", wsp_head_status(head));
        story_tell_bytes(story, wsp_head_reason(head));
    }
    story_tell(story, "1.%u\n", wsp_head_minor(head));
    tell_fields(story, head);
    story_tell(story, "rest %zu", wsp_head_rest(head).len + chunks->wire.len);
}

static void run(struct wsp_buffer *story, struct chunks *chunks)
{
    struct wsp_head head;
    struct wsp_view piece;
    int r = WSP_MORE;

    wsp_head_init(&head, chunks->flags & 1 ? WSP_HEAD_REQUEST : WSP_HEAD_RESPONSE, MAX_BYTES,
                  MAX_FIELDS);
    while (r == WSP_MORE && chunks_next(chunks, &piece)) {
        wsp_head_feed(&head, piece);
        r = wsp_head_next(&head);
        require(wsp_head_n_fields(&head) <= MAX_FIELDS && head.bytes.capacity <= MAX_BYTES);
    }
    story_tell(story, "%d ", r);
    if (r == 0)
        tell_head(story, &head, chunks);
    else if (r == WSP_BROKEN)
        story_tell(story, "%s", wsp_head_flaw_to_string(wsp_head_get_flaw(&head)));
    else
        require(r == WSP_MORE);
    wsp_head_deinit(&head);
    chunks_deinit(chunks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    chunks_compare(data, len, run);
    return 0;
}
