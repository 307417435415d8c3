/* SPDX-License-Identifier: MIT
 *
 * conflate_key: which messages supersede each other: those with the same key, a part of the message
 * that the endpoint points out.
 * Neighbours: options checks the text, target keeps it; backlog asks for the key of a message.
 * Invariant: a key is at most MAX_CONFLATE_KEY bytes long and lies within its message.
 *
 *     conflate-key     the key of a message
 *     (not given)      nothing: all messages have the same
 *     "/json/pointer"  the value that it names (RFC 6901), as it is written: "1" is not "1.0". A
 *                      message in which it names nothing, or something twice, has no key
 *     "prefix:N"       its first N bytes, or all of it
 */
#ifndef WSPLEX_DAEMON_CONFLATE_KEY_H
#define WSPLEX_DAEMON_CONFLATE_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buffer.h"

/* All zero: all messages have the same key. */
struct conflate_key {
    struct wsp_view pointer; /* borrowed from the text; .data NULL: it is none */
    size_t prefix_len;       /* of a prefix; 0: it is none */
};

/* False: the text is no such key; an empty one is that of all messages. The text must live as long
 * as the key. */
bool conflate_key_parse(struct wsp_view text, struct conflate_key *ret_key);

/* Where the key of this message stands in it. False: it has none, or a longer one. */
bool conflate_key_find(const struct conflate_key *key, struct wsp_view message,
                       struct wsp_view *ret_found);

#endif
