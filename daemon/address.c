/* SPDX-License-Identifier: MIT
 *
 * address: an IP address and port that may be connected to; see address.h.
 * Neighbours: resolver makes them, connect uses and shows them.
 * Invariant: the family is AF_INET or AF_INET6.
 */
#include "daemon/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int address_parse(union address *ret_address, const char *text, uint16_t port)
{
    union address address = {0};

    if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(port);
    } else {
        return 1;
    }
    *ret_address = address;
    return 0;
}

void address_set(union address *ret_address, const struct sockaddr *from, uint16_t port)
{
    union address address = {0};

    if (from->sa_family == AF_INET) {
        address.v4 = *(const struct sockaddr_in *)(const void *)from;
        address.v4.sin_port = htons(port);
    } else {
        address.v6 = *(const struct sockaddr_in6 *)(const void *)from;
        address.v6.sin6_port = htons(port);
    }
    *ret_address = address;
}

bool address_is_same(const union address *x, const union address *y)
{
    if (x->any.sa_family != y->any.sa_family)
        return false;
    if (x->any.sa_family == AF_INET)
        return x->v4.sin_port == y->v4.sin_port && x->v4.sin_addr.s_addr == y->v4.sin_addr.s_addr;
    return x->v6.sin6_port == y->v6.sin6_port && x->v6.sin6_scope_id == y->v6.sin6_scope_id &&
           IN6_ARE_ADDR_EQUAL(&x->v6.sin6_addr, &y->v6.sin6_addr);
}

void address_unmap(union address *address)
{
    union address v4 = {.v4 = {.sin_family = AF_INET, .sin_port = address->v6.sin6_port}};

    if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
        return;
    memcpy(&v4.v4.sin_addr, &address->v6.sin6_addr.s6_addr[12], sizeof(v4.v4.sin_addr));
    *address = v4;
}

struct wsp_view address_bytes(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return (struct wsp_view){(const uint8_t *)&address->v4.sin_addr, 4};
    return (struct wsp_view){(const uint8_t *)&address->v6.sin6_addr, 16};
}

socklen_t address_len(const union address *address)
{
    return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

void address_format(const union address *address, char ret_text[ADDRESS_TEXT_LEN])
{
    char host[INET6_ADDRSTRLEN];

    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
        snprintf(ret_text, ADDRESS_TEXT_LEN, "%s:%u", host, ntohs(address->v4.sin_port));
    } else {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
        snprintf(ret_text, ADDRESS_TEXT_LEN, "[%s]:%u", host, ntohs(address->v6.sin6_port));
    }
}
