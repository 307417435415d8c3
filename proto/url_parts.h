/*
 * url_parts: a URL cut apart and completed from its base.
 *
 * Between url, which serialises the parts, and what the program typed. Only url uses it.
 *
 * Invariant: a part is where it stands in the input or in the base; nothing is decoded or copied.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_URL_PARTS_H
#define WSP_PROTO_URL_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/url.h"

/* Text that stands somewhere else. It may be NULL when its length is 0. */
struct wsp_span {
    const char *text;
    size_t len;
};

/* Who parses: each knows schemes that others do not. */
enum wsp_url_use {
    WSP_URL_USE_STANDARD = 1,
    WSP_URL_USE_WEBSOCKET = 2,
    WSP_URL_USE_PROXY = 4,
};

/* What is known of a scheme. */
struct wsp_scheme_facts {
    const char *name;
    unsigned uses; /* bits of enum wsp_url_use */
    uint16_t default_port;
    bool is_secure;
    bool is_unix;                  /* a socket's path stands where others have an authority */
    enum wsp_scheme for_websocket; /* what the WebSocket constructor makes of it */
};

/*
 * The parts of a URL, undecoded. The path goes on after the slash that begins it; a directory, when
 * there is one, stands before that slash, and is what a relative path continues.
 */
struct wsp_url_parts {
    enum wsp_scheme scheme;
    struct wsp_span username;
    struct wsp_span password;
    struct wsp_span host;
    struct wsp_span port;
    struct wsp_span slashes; /* of is_unix: // or nothing */
    struct wsp_span socket;  /* of is_unix: its path */
    bool has_path;           /* of is_unix: there is a colon behind the socket's path */
    struct wsp_span directory;
    struct wsp_span path;
    struct wsp_span query;
    struct wsp_span fragment;
    bool has_query;
    bool has_fragment;
};

/* Static, never NULL. */
const struct wsp_scheme_facts *wsp_scheme_facts(enum wsp_scheme scheme);

/*
 * Cuts the input apart, which has neither tabs nor newlines nor blanks around it, and completes it
 * from the base (may be NULL). Returns 0 and the parts, which last as long as input and base;
 * WSP_URL_BAD_SCHEME (also when the scheme is not for this use), WSP_URL_RELATIVE or
 * WSP_URL_BAD_SOCKET. Whether the parts are good is for their own parsers to say.
 */
int wsp_url_cut(struct wsp_span input, const struct wsp_url *base, enum wsp_url_use use,
                struct wsp_url_parts *ret_parts);

/* Whether the character separates segments of a path. Special schemes take a backslash for a
 * slash. */
bool wsp_url_is_slash(char c);

/* Forgets the first len characters. len is at most the span's. */
void wsp_span_skip(struct wsp_span *span, size_t len);

#endif
