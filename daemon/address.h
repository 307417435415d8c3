/* SPDX-License-Identifier: MIT
 *
 * address: an IP address and port that may be connected to.
 * Neighbours: resolver makes them, connect uses and shows them.
 * Invariant: the family is AF_INET or AF_INET6.
 */
#ifndef WSPLEX_DAEMON_ADDRESS_H
#define WSPLEX_DAEMON_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/buffer.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

enum {
    ADDRESS_TEXT_LEN = 64 /* "[2001:db8:...]:65535" with its zero */
};

/* 0, or 1 when text is no address of either family (IPv6 without brackets). */
int address_parse(union address *ret_address, const char *text, uint16_t port);

/* A copy of a sockaddr of either family with the port. */
void address_set(union address *ret_address, const struct sockaddr *from, uint16_t port);

/* Both lead to the same place; padding and flow labels do not count. */
bool address_is_same(const union address *x, const union address *y);

/* An IPv4 address that is written as IPv6 (::ffff:192.0.2.1) becomes what it is. */
void address_unmap(union address *address);

/* Its 4 or 16 bytes in network order, lent. */
struct wsp_view address_bytes(const union address *address);

socklen_t address_len(const union address *address);

/* "192.0.2.1:443", "[2001:db8::1]:443". */
void address_format(const union address *address, char ret_text[ADDRESS_TEXT_LEN]);

#endif
