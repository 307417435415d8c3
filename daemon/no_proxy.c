/* SPDX-License-Identifier: MIT
 *
 * no_proxy: the list of servers that are reached without a proxy; see no_proxy.h.
 * Neighbours: options checks a list, proxy_choice asks it.
 * Invariant: nothing is resolved: a name is compared with names, an address with addresses.
 */
#include "daemon/no_proxy.h"

#include <string.h>

#include "daemon/network.h"
#include "daemon/words.h"
#include "proto/ascii.h"

enum item_kind { ITEM_ALL, ITEM_NAME, ITEM_NETWORK };

struct item {
    enum item_kind kind;
    struct wsp_view name;
    struct network network;
    unsigned port; /* 0: any */
};

static const char separators[] = ", \t\n\r";

/* Cuts what follows the byte off, and the byte away. */
static bool cut_after(struct wsp_view *text, const uint8_t *at, struct wsp_view *ret_after)
{
    if (at == NULL)
        return false;
    *ret_after = (struct wsp_view){at + 1, (size_t)(text->data + text->len - at - 1)};
    text->len = (size_t)(at - text->data);
    return true;
}

/* A colon is the port's when it is the only one or stands behind a bracket. */
static bool take_port(struct wsp_view *text, unsigned *ret_port)
{
    const uint8_t *colon = memrchr(text->data, ':', text->len);
    bool is_first = colon != NULL && colon == memchr(text->data, ':', text->len);
    struct wsp_view after;

    if (colon == NULL || (!is_first && (colon == text->data || colon[-1] != ']')))
        return true;
    cut_after(text, colon, &after);
    return network_parse_number(after, 65535, ret_port) && *ret_port > 0;
}

/* False when it is malformed. */
static bool item_parse(struct item *item, struct wsp_view text)
{
    *item = (struct item){.kind = ITEM_ALL};
    if (!take_port(&text, &item->port))
        return false;
    network_strip_brackets(&text);
    if (wsp_view_equals(text, WSP_VIEW_LITERAL("*")))
        return true;
    if (network_parse(text, &item->network)) {
        item->kind = ITEM_NETWORK;
        return true;
    }
    if (text.len > 2 && text.data[0] == '*' && text.data[1] == '.') {
        text.data++;
        text.len--;
    }
    for (; text.len > 0 && *text.data == '.'; text.len--)
        text.data++;
    for (; text.len > 0 && text.data[text.len - 1] == '.'; text.len--)
        ;
    item->kind = ITEM_NAME;
    item->name = text;
    return text.len > 0 && memchr(text.data, '/', text.len) == NULL &&
           memchr(text.data, '*', text.len) == NULL && memchr(text.data, ':', text.len) == NULL;
}

static bool is_below(struct wsp_view name, const char *host)
{
    size_t len = strlen(host);

    for (; len > 0 && host[len - 1] == '.'; len--)
        ;
    if (len < name.len || (len > name.len && host[len - name.len - 1] != '.'))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (wsp_ascii_to_lower((char)name.data[i]) != wsp_ascii_to_lower(host[len - name.len + i]))
            return false;
    return true;
}

static bool item_has(const struct item *item, const struct wsp_url *url)
{
    struct network address;

    if (item->port != 0 && item->port != url->port)
        return false;
    switch (item->kind) {
    case ITEM_ALL: return true;
    case ITEM_NAME: return url->host_kind == WSP_HOST_DOMAIN && is_below(item->name, url->hostname);
    case ITEM_NETWORK:
        return url->host_kind != WSP_HOST_DOMAIN &&
               network_parse(wsp_view_of_string(url->hostname), &address) &&
               network_has(&item->network, network_address(&address));
    }
    return false;
}

bool no_proxy_has(const char *list, const struct wsp_url *url)
{
    struct wsp_view rest = wsp_view_of_string(list), text;
    struct item item;

    while (word_next(&rest, separators, &text)) {
        if (item_parse(&item, text) && item_has(&item, url))
            return true;
    }
    return false;
}

bool no_proxy_has_flaw(struct wsp_view list, struct wsp_view *ret_item)
{
    struct wsp_view text;
    struct item item;

    while (word_next(&list, separators, &text)) {
        if (!item_parse(&item, text)) {
            *ret_item = text;
            return true;
        }
    }
    return false;
}
