/*
 * field: the grammar of HTTP field values: tokens, lists, parameters, quoted strings.
 *
 * Under head.c and handshake.c; see field.h for the contract.
 *
 * Invariant: nothing is written and nothing kept; every result is a part of the view that came in.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/field.h"

#include <string.h>

#include "proto/ascii.h"
#include "proto/rules.h"

bool wsp_byte_is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

void wsp_view_skip_blanks(struct wsp_view *view)
{
    while (view->len > 0 && wsp_byte_is_blank(view->data[0])) {
        view->data++;
        view->len--;
    }
}

struct wsp_view wsp_view_trimmed(struct wsp_view view)
{
    wsp_view_skip_blanks(&view);
    while (view.len > 0 && wsp_byte_is_blank(view.data[view.len - 1]))
        view.len--;
    return view;
}

bool wsp_view_is_token(struct wsp_view view)
{
    return wsp_header_name_is_valid((const char *)view.data, view.len);
}

bool wsp_view_take_literal(struct wsp_view *view, struct wsp_view literal)
{
    if (view->len < literal.len || memcmp(view->data, literal.data, literal.len) != 0)
        return false;
    view->data += literal.len;
    view->len -= literal.len;
    return true;
}

bool wsp_view_read_number(struct wsp_view view, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < view.len; i++) {
        if (!wsp_ascii_is_digit((char)view.data[i]))
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, view.data[i] - '0', &number))
            number = UINT64_MAX;
    }
    if (view.len == 0)
        return false;
    *ret_number = number;
    return true;
}

bool wsp_token_is(struct wsp_view token, const char *name)
{
    return wsp_ascii_equals((const char *)token.data, token.len, name);
}

/* -- lists and parameters -- */

/* Where the first element ends: at a comma outside of quotes, or at the end. */
static size_t element_len(struct wsp_view list)
{
    bool is_quoted = false;

    for (size_t i = 0; i < list.len; i++) {
        if (list.data[i] == '"')
            is_quoted = !is_quoted;
        else if (list.data[i] == '\\' && is_quoted)
            i++;
        else if (list.data[i] == ',' && !is_quoted)
            return i;
    }
    return list.len;
}

bool wsp_list_next(struct wsp_view *list, struct wsp_view *ret_element)
{
    while (list->len > 0) {
        struct wsp_view element;

        if (!wsp_view_take(list, element_len(*list), &element))
            return false;
        wsp_view_take_literal(list, WSP_VIEW_LITERAL(","));
        element = wsp_view_trimmed(element);
        if (element.len > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

static bool take_token(struct wsp_view *view, struct wsp_view *ret_token)
{
    struct wsp_view token = {view->data, 0};

    while (token.len < view->len &&
           wsp_header_name_is_valid((const char *)view->data + token.len, 1))
        token.len++;
    return wsp_view_is_token(token) && wsp_view_take(view, token.len, ret_token);
}

/* From behind the opening quote to behind the closing one. */
static bool take_quoted(struct wsp_view *view, struct wsp_view *ret_quoted)
{
    struct wsp_view quoted = {view->data, 0};

    while (quoted.len < view->len && view->data[quoted.len] != '"')
        quoted.len += view->data[quoted.len] == '\\' ? 2 : 1;
    if (quoted.len >= view->len)
        return false;
    *ret_quoted = quoted;
    view->data += quoted.len + 1;
    view->len -= quoted.len + 1;
    return true;
}

static bool take_value(struct wsp_view *element, struct wsp_param *param)
{
    wsp_view_skip_blanks(element);
    param->has_value = true;
    param->is_quoted = wsp_view_take_literal(element, WSP_VIEW_LITERAL("\""));
    return param->is_quoted ? take_quoted(element, &param->value)
                            : take_token(element, &param->value);
}

int wsp_param_next(struct wsp_view *element, struct wsp_param *ret_param)
{
    struct wsp_param param = {0};

    wsp_view_skip_blanks(element);
    if (element->len == 0)
        return WSP_MORE;
    if (!take_token(element, &param.name))
        return WSP_BROKEN;
    wsp_view_skip_blanks(element);
    if (wsp_view_take_literal(element, WSP_VIEW_LITERAL("=")) && !take_value(element, &param))
        return WSP_BROKEN;
    wsp_view_skip_blanks(element);
    /* A semicolon is there for a parameter behind it. */
    if (element->len > 0) {
        if (!wsp_view_take_literal(element, WSP_VIEW_LITERAL(";")))
            return WSP_BROKEN;
        wsp_view_skip_blanks(element);
        if (element->len == 0)
            return WSP_BROKEN;
    }
    *ret_param = param;
    return 0;
}

size_t wsp_unquote(struct wsp_view quoted, uint8_t *room, size_t room_len)
{
    size_t len = 0;

    for (size_t i = 0; i < quoted.len; i++) {
        if (quoted.data[i] == '\\' && i + 1 < quoted.len)
            i++;
        if (len < room_len)
            room[len] = quoted.data[i];
        len++;
    }
    return len;
}
