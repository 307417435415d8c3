/*
 * field: the grammar of HTTP field values: tokens, lists, parameters, quoted strings.
 *
 * Under head.h, which finds the fields, and handshake.h, which judges their values (RFC 9110,
 * sections 5.6.1 to 5.6.4; RFC 6455, section 9.1).
 *
 * Invariant: nothing is written and nothing kept; every result is a part of the view that came in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_FIELD_H
#define WSPLEX_PROTO_WEBSOCKET_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/pull.h"

/* One field line: name and value without the whitespace around it. */
struct wsp_field {
    struct wsp_view name;
    struct wsp_view value;
};

/* Space or tab, what HTTP calls whitespace within a line. */
bool wsp_byte_is_blank(uint8_t byte);

void wsp_view_skip_blanks(struct wsp_view *view);
struct wsp_view wsp_view_trimmed(struct wsp_view view);

/* Takes literal off the front of view, if it stands there, byte for byte. */
bool wsp_view_take_literal(struct wsp_view *view, struct wsp_view literal);

/* RFC 9110, section 5.6.2, within the length that rules.h sets for names. */
bool wsp_view_is_token(struct wsp_view view);

/*
 * Whether view is digits and nothing else; the number then, UINT64_MAX for what is too large. Of
 * seconds, bytes, parts of a date.
 */
bool wsp_view_read_number(struct wsp_view view, uint64_t *ret_number);

/* Whether token is name, whatever the case of ASCII letters. */
bool wsp_token_is(struct wsp_view token, const char *name);

/*
 * Takes the next element off a list (RFC 9110, section 5.6.1); false when there is none left.
 * Commas within quoted strings separate nothing, empty elements are skipped, blanks around are not
 * part.
 */
bool wsp_list_next(struct wsp_view *list, struct wsp_view *ret_element);

/*
 * One piece of `name; parameter; parameter=token; parameter="quoted"`. The first piece of an
 * element is its name. The value of a quoted string is as it stands between the quotes: take it
 * through wsp_unquote().
 */
struct wsp_param {
    struct wsp_view name;
    struct wsp_view value;
    bool has_value;
    bool is_quoted;
};

/*
 * Takes the next piece off element, by the grammar of RFC 6455, section 9.1.
 * 0: *ret_param is it. WSP_MORE: there is none left. WSP_BROKEN: no such grammar.
 */
int wsp_param_next(struct wsp_view *element, struct wsp_param *ret_param);

/*
 * Writes what the inside of a quoted string means to room and returns its length; what does not
 * fit into room_len bytes is left out, the length is told all the same.
 */
size_t wsp_unquote(struct wsp_view quoted, uint8_t *room, size_t room_len);

#endif
