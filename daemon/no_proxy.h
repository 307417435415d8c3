/* SPDX-License-Identifier: MIT
 *
 * no_proxy: the list of servers that are reached without a proxy, as in the environment's no_proxy.
 * Neighbours: options checks a list, proxy_choice asks it.
 * Invariant: nothing is resolved: a name is compared with names, an address with addresses.
 *
 * The items stand between commas or blanks. Each is one of
 *
 *     *                  every server
 *     example.org        the name and all below it; .example.org and *.example.org are the same
 *     192.0.2.1          an address; IPv6 with or without brackets
 *     192.0.2.0/24       a network
 *
 * and may end in :port (IPv6 then in brackets), which leaves the server's other ports out.
 */
#ifndef WSPLEX_DAEMON_NO_PROXY_H
#define WSPLEX_DAEMON_NO_PROXY_H

#include <stdbool.h>

#include "proto/buffer.h"
#include "proto/url.h"

/* Whether one of the items is the URL's host. An item that is malformed is nobody. */
bool no_proxy_has(const char *list, const struct wsp_url *url);

/* True if an item is malformed, with the first of these in *ret_item. */
bool no_proxy_has_flaw(struct wsp_view list, struct wsp_view *ret_item);

#endif
