/*
 * url_host: the host of a URL, as the WHATWG URL standard section 3 parses and serialises it.
 *
 * Between url, which cuts the host out of a URL, and the to-ASCII function that the program brings.
 *
 * Invariant: a host that was parsed is printable ASCII, and parsing it again gives the same host.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_URL_HOST_H
#define WSP_PROTO_URL_HOST_H

#include <stddef.h>

#include "proto/buffer.h"
#include "proto/url.h"

/*
 * The host parser and serialiser for special schemes: appends to the buffer what text (UTF-8, len
 * bytes) means, as a domain in ASCII, four decimal numbers with dots, or [IPv6].
 *
 * Returns 0 and the kind in *ret_kind; WSP_URL_NO_HOST, WSP_URL_BAD_HOST, WSP_URL_BAD_DOMAIN,
 * WSP_URL_BAD_IPV4 or WSP_URL_BAD_IPV6; -ENOSYS when the domain needs to_ascii and that is NULL or
 * says so; -ENOMEM, and -ENOBUFS when the buffer is full. *ret_kind is untouched unless it returns
 * 0.
 */
int wsp_url_host_parse(const char *text, size_t len, wsp_to_ascii_fn to_ascii,
                       struct wsp_buffer *to, enum wsp_host_kind *ret_kind);

#endif
