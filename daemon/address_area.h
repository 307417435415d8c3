/* SPDX-License-Identifier: MIT
 *
 * address_area: whose an IP address is: anybody's in the Internet, this machine's, that of a network of one's own.
 * Neighbours: destination_rule asks; address_area.def knows.
 * Invariant: an address that the table does not know is nobody's. Addresses are 4 or 16 bytes in network order.
 */
#ifndef WSPLEX_DAEMON_ADDRESS_AREA_H
#define WSPLEX_DAEMON_ADDRESS_AREA_H

#include <stdbool.h>

#include "proto/buffer.h"

enum address_area {
    ADDRESS_PUBLIC,
    ADDRESS_PRIVATE,
    ADDRESS_LOOPBACK,
    ADDRESS_LINK_LOCAL,
    ADDRESS_OTHER
};

enum address_area address_area(struct wsp_view address);

/* As what the kernel takes it: an IPv4 address that is written as IPv6 (::ffff:192.0.2.1) is that, and
 * the unspecified address is loopback's. Lent from address, or static. */
struct wsp_view address_plain(struct wsp_view address);

/* The IPv4 address that an IPv6 address leads to through a translator or a tunnel; lent. False: to none. */
bool address_leads_to(struct wsp_view address, struct wsp_view *ret_address);

#endif
