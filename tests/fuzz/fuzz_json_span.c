/*
 * fuzz_json_span: any bytes as a JSON text, a member's name and a pointer into it.
 *
 * The input up to the first LF is the name, the rest the text. Both ways to look must agree, and what
 * is found must be a JSON text of that type itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/json_span.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MAX_NAME = 64 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_within(struct wsp_view text, struct wsp_view value)
{
    require(value.len > 0 && value.data >= text.data &&
            value.data + value.len <= text.data + text.len);
}

/* The name as a reference token after "/". */
static struct wsp_view pointer_of(struct wsp_view name, uint8_t to[2 * MAX_NAME + 1])
{
    size_t len = 0;

    to[len++] = '/';
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.data[i];

        if (byte == '~' || byte == '/')
            to[len++] = '~';
        to[len++] = byte == '~' ? '0' : byte == '/' ? '1' : byte;
    }
    return (struct wsp_view){to, len};
}

static void require_agreement(struct wsp_view text, struct wsp_view name)
{
    struct json_member members[] = {{.name = {(const uint8_t *)"id", 2}}, {.name = name}};
    uint8_t bytes[2 * MAX_NAME + 1];
    struct wsp_view pointer = pointer_of(name, bytes), value = {NULL, 0};
    enum span_type type = json_find_members(text, members, 2);
    enum span_type pointed = json_find_pointer(text, pointer, &value);

    require(json_pointer_is_valid(pointer));
    require(json_find_pointer(text, (struct wsp_view){NULL, 0}, &value) == type);
    if (type != SPAN_OBJECT)
        require(members[0].n == 0 && members[1].n == 0);
    if (name.len == 2 && memcmp(name.data, "id", 2) == 0)
        return;
    if (type == SPAN_OBJECT)
        require(pointed == (members[1].n == 1 ? members[1].type : SPAN_NONE));
    if (pointed == SPAN_NONE)
        return;
    json_find_pointer(text, pointer, &value);
    require_within(text, value);
    require(json_find_members(value, NULL, 0) == pointed);
    if (type == SPAN_OBJECT)
        require(value.data == members[1].value.data && value.len == members[1].value.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *newline = len > 0 ? memchr(data, '\n', len) : NULL;
    struct wsp_view name = {data, newline != NULL ? (size_t)(newline - data) : 0}, value;
    struct wsp_view text = newline != NULL ? (struct wsp_view){newline + 1, len - name.len - 1}
                                           : (struct wsp_view){data, len};

    if (name.len <= MAX_NAME)
        require_agreement(text, name);
    /* Also as a pointer that nobody has checked. */
    if (name.len > 0 && name.data[0] == '/' && json_find_pointer(text, name, &value) != SPAN_NONE)
        require_within(text, value);
    return 0;
}
