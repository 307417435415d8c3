/* SPDX-License-Identifier: MIT
 *
 * destination_rule: one rule about destinations, read and asked; see destination_rule.h.
 * Between config's text and destination, which has lists of them. Invariant: what is no rule is not read as one.
 */
#include "daemon/destination_rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/address_area.h"
#include "proto/ascii.h"

/* ---- reading a rule ---- */

static const struct {
    const char *word;
    enum address_area area;
} words[] = {
    {"public", ADDRESS_PUBLIC},
    {"private", ADDRESS_PRIVATE},
    {"loopback", ADDRESS_LOOPBACK},
    {"link-local", ADDRESS_LINK_LOCAL},
};

/* "443" or "8000-8100". */
static bool read_ports(struct wsp_view text, struct destination_rule *rule)
{
    const uint8_t *dash = text.len > 0 ? memchr(text.data, '-', text.len) : NULL;
    struct wsp_view first = {text.data, dash ? (size_t)(dash - text.data) : text.len};
    struct wsp_view last = dash ? (struct wsp_view){dash + 1, text.len - first.len - 1} : first;

    return network_parse_number(first, 65535, &rule->first_port) &&
           network_parse_number(last, 65535, &rule->last_port) && rule->first_port > 0 &&
           rule->first_port <= rule->last_port;
}

/* What stands behind the last colon that is in no bracket is cut off and read. NULL, or what is wrong. */
static const char *cut_ports(struct wsp_view *text, struct destination_rule *rule)
{
    const uint8_t *colon = memrchr(text->data, ':', text->len);
    struct wsp_view ports;

    if (!colon || memchr(colon, ']', (size_t)(text->data + text->len - colon)))
        return NULL;
    ports = (struct wsp_view){colon + 1, (size_t)(text->data + text->len - colon - 1)};
    text->len = (size_t)(colon - text->data);
    if (text->len > 0 && text->data[0] != '[' && memchr(text->data, ':', text->len))
        return "an IPv6 address stands in brackets, as in [2001:db8::1]:443";
    return read_ports(ports, rule) ? NULL
                                   : "behind the colon stands a port or a range of ports, as in "
                                     "example.org:443 or public:8000-8100";
}

/* As a name of DNS is written: labels of letters, digits, - and _, of which the last is no number, or it would be read
 * as an address (WHATWG URL, host parser). */
static bool is_host_name(struct wsp_view text)
{
    size_t label_len = 0;
    bool is_number = true;

    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        bool is_digit = wsp_ascii_is_digit(c);

        if (c == '.') {
            if (label_len == 0)
                return false;
            label_len = 0;
            is_number = true;
            continue;
        }
        if (!is_digit && !wsp_ascii_is_letter(c) && c != '-' && c != '_')
            return false;
        is_number = is_number && is_digit;
        label_len++;
    }
    return text.len > 0 && text.len <= 253 && label_len > 0 && !is_number;
}

static void to_lower(char *text)
{
    for (; *text; text++)
        *text = wsp_ascii_to_lower(*text);
}

/* Whoever has such a host has to write it with its domain. */
static bool is_word(struct wsp_view text)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (wsp_view_equals(text, wsp_view_of_string(words[i].word)))
            return true;
    return false;
}

/* 0; -ENOMEM; 1: it is none. */
static int read_host(struct wsp_view text, struct destination_rule *rule)
{
    struct wsp_view name = text;

    if (text.len > 2 && memcmp(text.data, "*.", 2) == 0)
        name = (struct wsp_view){text.data + 2, text.len - 2};
    if (name.len > 1 && name.data[name.len - 1] == '.')
        name.len--;
    if (rule->host || !is_host_name(name) || is_word(name))
        return 1;
    if (name.data != text.data) { /* with the dot before it */
        name.data--;
        name.len++;
    }
    rule->host = wsp_view_to_string(name);
    if (!rule->host)
        return -ENOMEM;
    to_lower(rule->host);
    return 0;
}

/* False: it is none, or the second one. */
static bool read_reach(struct wsp_view text, struct destination_rule *rule)
{
    if (rule->reach != REACH_UNSAID)
        return false;
    if (wsp_view_equals(text, WSP_VIEW_LITERAL("*"))) {
        rule->reach = REACH_ALL;
        return true;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (wsp_view_equals(text, wsp_view_of_string(words[i].word))) {
            rule->reach = REACH_AREA;
            rule->area = words[i].area;
            return true;
        }
    if (!network_parse(text, &rule->network))
        return false;
    rule->reach = REACH_NETWORK;
    return true;
}

static bool part_next(struct wsp_view *rest, struct wsp_view *ret_part)
{
    size_t len = 0;

    for (; rest->len > 0 && *rest->data == ' '; rest->len--)
        rest->data++;
    while (len < rest->len && rest->data[len] != ' ')
        len++;
    *ret_part = (struct wsp_view){rest->data, len};
    rest->data += len;
    rest->len -= len;
    return len > 0;
}

void destination_rule_deinit(struct destination_rule *rule)
{
    free(rule->host);
    *rule = (struct destination_rule){0};
}

int destination_rule_read(struct wsp_view text, struct destination_rule *rule,
                          const char **ret_flaw)
{
    struct wsp_view part;
    bool is_empty = true;

    *rule = (struct destination_rule){.first_port = 1, .last_port = 65535};
    for (; text.len > 0 && text.data[text.len - 1] == ' '; text.len--)
        ;
    while (part_next(&text, &part)) {
        size_t len = part.len;
        int r;

        is_empty = false;
        *ret_flaw = cut_ports(&part, rule);
        if (*ret_flaw)
            return 1;
        *ret_flaw = "the port stands at the end of a rule";
        if (part.len < len && text.len > 0)
            return 1;
        if (part.len == 0 || read_reach(part, rule))
            continue;
        r = read_host(part, rule);
        if (r < 0)
            return r;
        *ret_flaw = "a rule is a host, as in example.org or *.example.org, an address, a network, "
                    "public, private, loopback, link-local or *, or a host and one of these, and "
                    "perhaps a port";
        if (r > 0)
            return 1;
    }
    *ret_flaw = "the value is empty";
    return is_empty ? 1 : 0;
}

/* ---- asking a rule ---- */

/* "example.org." is the same host. */
static size_t host_len(const char *host)
{
    size_t len = strlen(host);

    while (len > 0 && host[len - 1] == '.')
        len--;
    return len;
}

/* The URL's host is in small letters already. */
static bool rule_has_host(const struct destination_rule *rule, const struct wsp_url *url)
{
    size_t len = host_len(url->hostname), rule_len;

    if (!rule->host)
        return true;
    rule_len = strlen(rule->host);
    if (url->host_kind != WSP_HOST_DOMAIN || len < rule_len)
        return false;
    if (rule->host[0] != '.' && len != rule_len)
        return false;
    return memcmp(url->hostname + len - rule_len, rule->host, rule_len) == 0;
}

static bool rule_has_port(const struct destination_rule *rule, unsigned port)
{
    return port >= rule->first_port && port <= rule->last_port;
}

bool destination_rule_is_about(const struct destination_rule *rule, const struct wsp_url *url)
{
    return rule_has_host(rule, url) && rule_has_port(rule, url->port);
}

static bool is_localhost(const struct destination_rule *rule)
{
    static const char name[] = ".localhost";
    size_t len = rule->host ? strlen(rule->host) : 0;

    if (!rule->host)
        return false;
    return strcmp(rule->host, name + 1) == 0 ||
           (len >= strlen(name) && strcmp(rule->host + len - strlen(name), name) == 0);
}

/* address is plain. */
static bool rule_has_address(const struct destination_rule *rule, struct wsp_view address,
                             bool is_allow)
{
    switch (rule->reach) {
    case REACH_ALL: return true;
    case REACH_AREA: return address_area(address) == rule->area;
    case REACH_NETWORK: return network_has(&rule->network, address);
    case REACH_UNSAID: break;
    }
    return !is_allow ||
           address_area(address) == (is_localhost(rule) ? ADDRESS_LOOPBACK : ADDRESS_PUBLIC);
}

bool destination_rule_allows(const struct destination_rule *rule, const struct wsp_url *url,
                             struct wsp_view address)
{
    return destination_rule_is_about(rule, url) && rule_has_address(rule, address, true);
}

/* An address is denied as well as what it leads to. */
bool destination_rule_denies(const struct destination_rule *rule, const struct wsp_url *url,
                             struct wsp_view address)
{
    struct wsp_view further;

    return destination_rule_is_about(rule, url) &&
           (rule_has_address(rule, address, false) ||
            (address_leads_to(address, &further) && rule_has_address(rule, further, false)));
}
