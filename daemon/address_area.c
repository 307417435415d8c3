/* SPDX-License-Identifier: MIT
 *
 * address_area: whose an IP address is; see address_area.h.
 * Neighbours: destination_rule asks; address_area.def knows.
 * Invariant: see address_area.h.
 */
#include "daemon/address_area.h"

#include "daemon/network.h"

struct area_row {
    const char *prefix;
    enum address_area area;
};

static const struct area_row area_rows[] = {
#define AREA(prefix, area, meaning) {prefix, ADDRESS_##area},
#include "daemon/address_area.def"
};

static enum address_area area_of_itself(struct wsp_view address)
{
    enum address_area area = ADDRESS_OTHER;
    int best = -1;

    for (size_t i = 0; i < sizeof(area_rows) / sizeof(area_rows[0]); i++) {
        struct network network;

        if (!network_parse(wsp_view_of_string(area_rows[i].prefix), &network) ||
            network.n_bits <= best || !network_has(&network, address))
            continue;
        best = network.n_bits;
        area = area_rows[i].area;
    }
    return area;
}

/* IPv6 addresses that lead to an IPv4 address inside them. */
static const struct embedding {
    const char *prefix;
    unsigned offset;    /* of the IPv4 address */
    bool is_written_so; /* it is that address, and not a way to it */
    bool is_translated; /* by a gateway of this network, which makes it as good as that address */
} embeddings[] = {
    {"::ffff:0:0/96", 12, true, false},   /* RFC 4291, section 2.5.5.2 */
    {"64:ff9b::/96", 12, false, true},    /* RFC 6052 */
    {"64:ff9b:1::/48", 12, false, false}, /* RFC 8215; the place that fits its longest prefix */
    {"2002::/16", 2, false, false},       /* 6to4, RFC 3056 */
    {"::/96", 12, false, false},          /* RFC 4291, section 2.5.5.1, deprecated */
};

/* NULL: it leads to none. */
static const struct embedding *embedding_of(struct wsp_view address)
{
    for (size_t i = 0; i < sizeof(embeddings) / sizeof(embeddings[0]); i++) {
        struct network network;

        if (network_parse(wsp_view_of_string(embeddings[i].prefix), &network) &&
            network_has(&network, address))
            return &embeddings[i];
    }
    return NULL;
}

static struct wsp_view embedded(const struct embedding *embedding, struct wsp_view address)
{
    return (struct wsp_view){address.data + embedding->offset, 4};
}

static bool is_zero(struct wsp_view address)
{
    for (size_t i = 0; i < address.len; i++)
        if (address.data[i] != 0)
            return false;
    return true;
}

struct wsp_view address_plain(struct wsp_view address)
{
    static const uint8_t loopback_v4[4] = {127, 0, 0, 1}, loopback_v6[16] = {[15] = 1};
    const struct embedding *embedding = embedding_of(address);

    if (embedding && embedding->is_written_so)
        address = embedded(embedding, address);
    if (!is_zero(address))
        return address;
    return address.len == sizeof(loopback_v4) ? (struct wsp_view){loopback_v4, sizeof(loopback_v4)}
                                              : (struct wsp_view){loopback_v6, sizeof(loopback_v6)};
}

enum address_area address_area(struct wsp_view address)
{
    const struct embedding *embedding;

    address = address_plain(address);
    embedding = embedding_of(address);
    return area_of_itself(embedding && embedding->is_translated ? embedded(embedding, address)
                                                                : address);
}

bool address_leads_to(struct wsp_view address, struct wsp_view *ret_address)
{
    const struct embedding *embedding = embedding_of(address);

    if (!embedding)
        return false;
    *ret_address = address_plain(embedded(embedding, address));
    return true;
}
