/*
 * utf8: UTF-8, checked as it arrives.
 *
 * On the way of a message it stands behind websocket/message (text from a server, in pieces of any
 * size) and before local/message (text from a client). Invariant: a byte that no continuation could
 * make right is found when it is fed, not later; RFC 6455 section 8.1 lets us fail the connection
 * there and then.
 *
 * Well-formed is what the Unicode Standard's table 3-7 and RFC 3629 say: no overlong forms, no
 * surrogates, nothing above U+10FFFF. U+0000 is text like any other; so are noncharacters and the
 * BOM.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_UTF8_H
#define WSP_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The state between two bytes. Its members are private to utf8.c. */
struct wsp_utf8 {
    uint8_t n_missing; /* continuation bytes that the sequence under way still lacks */
    uint8_t min, max;  /* what the next of them may be */
    bool is_broken;
};

/* Begins a new text. Needs no deinit; may be called again at any time. */
void wsp_utf8_init(struct wsp_utf8 *utf8);

/*
 * Takes the next bytes of the text. Returns how many were accepted: len, or less, and then the byte
 * at that index is wrong. A text once broken stays so: every later call returns 0 (also with len 0,
 * which is why wsp_utf8_is_broken() exists). data may be NULL when len is 0.
 */
size_t wsp_utf8_feed(struct wsp_utf8 *utf8, const uint8_t *data, size_t len);

/* A wrong byte was met. */
bool wsp_utf8_is_broken(const struct wsp_utf8 *utf8);

/* The text may end here: nothing was wrong, and no sequence is under way. True for the empty
 * text. */
bool wsp_utf8_is_complete(const struct wsp_utf8 *utf8);

/* The same in one call for a text that is there as a whole. data may be NULL when len is 0. */
bool wsp_utf8_is_valid(const void *data, size_t len);

#endif
