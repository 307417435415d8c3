/*
 * percent: percent-encoding, as the WHATWG URL standard section 1.3 defines it.
 *
 * Between url, which encodes what it serialises, and url_host, which decodes a domain.
 *
 * Invariant: what was encoded with a set is printable ASCII, and encoding it again with the same
 * set changes nothing (no set contains the percent sign).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_PERCENT_H
#define WSP_PROTO_PERCENT_H

#include <stddef.h>

#include "proto/buffer.h"

/* The standard's percent-encode sets that the URL of a WebSocket needs. */
enum wsp_percent_set {
    WSP_PERCENT_FRAGMENT = 1,
    WSP_PERCENT_QUERY = 2, /* the standard's special-query set: all our schemes are special */
    WSP_PERCENT_PATH = 4,
    WSP_PERCENT_USERINFO = 8,
};

/*
 * Appends len bytes of UTF-8 to the buffer, those of the set percent-encoded. 0, or the error of
 * wsp_buffer_append(); the buffer then holds a part of the text.
 */
int wsp_percent_encode(struct wsp_buffer *to, const char *text, size_t len,
                       enum wsp_percent_set set);

/*
 * Decodes len bytes to to, which has room for len bytes and may be text itself. A percent sign
 * without two hexadecimal digits stands for itself. Returns the decoded length; the bytes need not
 * be UTF-8.
 */
size_t wsp_percent_decode(char *to, const char *text, size_t len);

#endif
