/* SPDX-License-Identifier: MIT
 *
 * network: a run of IP addresses that begin alike, as "192.0.2.0/24"; one alone is a network, too.
 * Neighbours: no_proxy and destination, whose lists have such items.
 * Invariant: an address is its 4 or 16 bytes in network order, and the two lengths never compare equal.
 */
#ifndef WSPLEX_DAEMON_NETWORK_H
#define WSPLEX_DAEMON_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buffer.h"

struct network {
    uint8_t bytes[16];
    uint8_t len;    /* 4 or 16 */
    uint8_t n_bits; /* that count */
};

/* "192.0.2.0/24", "2001:db8::1", "[2001:db8::]/32", "[2001:db8::/32]". False when it is neither address nor network. */
bool network_parse(struct wsp_view text, struct network *ret_network);

/* The bytes, lent, of a network that is one address. */
struct wsp_view network_address(const struct network *network);

bool network_has(const struct network *network, struct wsp_view address);

/* A pair of brackets around the whole of it goes. */
void network_strip_brackets(struct wsp_view *text);

/* A decimal number of at most max, and nothing else. */
bool network_parse_number(struct wsp_view text, unsigned max, unsigned *ret_number);

#endif
