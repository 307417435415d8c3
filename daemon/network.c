/* SPDX-License-Identifier: MIT
 *
 * network: a run of IP addresses that begin alike; see network.h.
 * Neighbours: no_proxy and destination, whose lists have such items.
 * Invariant: an address is its 4 or 16 bytes in network order, and the two lengths never compare equal.
 */
#include "daemon/network.h"

#include <arpa/inet.h>
#include <string.h>

#include "proto/ascii.h"

bool network_parse_number(struct wsp_view text, unsigned max, unsigned *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!wsp_ascii_is_digit((char)text.data[i]))
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
        if (number > max)
            return false;
    }
    *ret_number = (unsigned)number;
    return text.len > 0;
}

void network_strip_brackets(struct wsp_view *text)
{
    if (text->len >= 2 && text->data[0] == '[' && text->data[text->len - 1] == ']') {
        text->data++;
        text->len -= 2;
    }
}

static bool parse_address(struct wsp_view text, struct network *network)
{
    char string[INET6_ADDRSTRLEN];

    network_strip_brackets(&text);
    if (text.len == 0 || text.len >= sizeof(string) || memchr(text.data, 0, text.len))
        return false;
    memcpy(string, text.data, text.len);
    string[text.len] = '\0';
    network->len = inet_pton(AF_INET, string, network->bytes) == 1 ? 4 : 16;
    return network->len == 4 || inet_pton(AF_INET6, string, network->bytes) == 1;
}

bool network_parse(struct wsp_view text, struct network *ret_network)
{
    struct network network = {.len = 0};
    struct wsp_view prefix = {0};
    const uint8_t *slash;
    unsigned n_bits;

    network_strip_brackets(&text);
    slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
    if (slash) {
        prefix = (struct wsp_view){slash + 1, (size_t)(text.data + text.len - slash - 1)};
        text.len = (size_t)(slash - text.data);
    }
    if (!parse_address(text, &network))
        return false;
    n_bits = 8U * network.len;
    if (slash && !network_parse_number(prefix, n_bits, &n_bits))
        return false;
    network.n_bits = (uint8_t)n_bits;
    *ret_network = network;
    return true;
}

struct wsp_view network_address(const struct network *network)
{
    return (struct wsp_view){network->bytes, network->len};
}

bool network_has(const struct network *network, struct wsp_view address)
{
    unsigned n = network->n_bits / 8, rest = network->n_bits % 8;

    if (network->len != address.len || memcmp(network->bytes, address.data, n) != 0)
        return false;
    return rest == 0 || ((network->bytes[n] ^ address.data[n]) >> (8 - rest)) == 0;
}
