/* SPDX-License-Identifier: MIT
 *
 * destination: rules about hosts, ports and addresses, read and asked; see destination.h.
 * Neighbours: config makes them, open_request, connect and detour ask.
 * Invariant: see destination.h. A question that cannot be answered is answered with no.
 */
#include "daemon/destination.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/address_area.h"
#include "daemon/destination_rule.h"
#include "daemon/network.h"
#include "proto/local/errors.h"

struct rules {
    struct destination_rule *items;
    size_t n_items;
};

struct destination {
    unsigned n_refs;
    struct rules allow, deny;
    bool is_fallback;    /* allow is what holds where nobody said anything, */
    bool is_public_only; /* and it is "public" */
    char *endpoint; /* whose they are, and whose URL a program does not see; NULL: the daemon's */
    char *text;
};

const char *destination_flaw(struct wsp_view text)
{
    const char *flaw = NULL;
    struct destination_rule rule;
    int r = destination_rule_read(text, &rule, &flaw);

    destination_rule_deinit(&rule);
    return r > 0 ? flaw : NULL;
}

static bool denies(const struct destination *destination, const struct wsp_url *url,
                   struct wsp_view address)
{
    for (size_t i = 0; i < destination->deny.n_items; i++)
        if (destination_rule_denies(&destination->deny.items[i], url, address))
            return true;
    return false;
}

static bool allows(const struct destination *destination, const struct wsp_url *url,
                   struct wsp_view address)
{
    for (size_t i = 0; i < destination->allow.n_items; i++)
        if (destination_rule_allows(&destination->allow.items[i], url, address))
            return true;
    return false;
}

/* ---- the questions ---- */

bool destination_has_address(const struct destination *destination, const struct wsp_url *url,
                             struct wsp_view address)
{
    if (!destination)
        return true;
    address = address_plain(address);
    return !denies(destination, url, address) && allows(destination, url, address);
}

bool destination_has_proxy(const struct destination *destination, const struct wsp_url *proxy,
                           struct wsp_view address)
{
    if (!destination)
        return true;
    address = address_plain(address);
    return !denies(destination, proxy, address) &&
           (destination->is_fallback || allows(destination, proxy, address));
}

/* The address is not known yet: what holds for each of them holds, the rest is left open. */
static bool could_have_name(const struct destination *destination, const struct wsp_url *url)
{
    for (size_t i = 0; i < destination->deny.n_items; i++) {
        const struct destination_rule *rule = &destination->deny.items[i];

        if (destination_rule_is_about(rule, url) &&
            (rule->reach == REACH_ALL || rule->reach == REACH_UNSAID))
            return false;
    }
    for (size_t i = 0; i < destination->allow.n_items; i++)
        if (destination_rule_is_about(&destination->allow.items[i], url))
            return true;
    return false;
}

bool destination_has_url(const struct destination *destination, const struct wsp_url *url)
{
    struct network address;

    if (!destination || url->socket_path[0] != '\0')
        return true;
    if (url->host_kind == WSP_HOST_DOMAIN)
        return could_have_name(destination, url);
    return network_parse(wsp_view_of_string(url->hostname), &address) &&
           destination_has_address(destination, url, network_address(&address));
}

void destination_fail(const struct destination *destination, const struct wsp_url *url,
                      struct failure *ret_failure)
{
    if (destination->endpoint)
        failure_set(ret_failure, WSP_CAUSE_DESTINATION, 0,
                    "the rules of the endpoint %.64s, its own allow and deny, do not let its URL "
                    "lead where it leads",
                    destination->endpoint);
    else
        failure_set(ret_failure, WSP_CAUSE_DESTINATION, 0,
                    "%.100s, port %u: the daemon's rules let nobody connect there%s", url->host,
                    (unsigned)url->port,
                    destination->is_public_only
                        ? "; by default, the URLs of programs lead to public addresses only (allow "
                          "in wsplexd.conf(5))"
                        : "");
}

/* ---- birth and death ---- */

static void rules_deinit(struct rules *rules)
{
    for (size_t i = 0; i < rules->n_items; i++)
        destination_rule_deinit(&rules->items[i]);
    free(rules->items);
    *rules = (struct rules){0};
}

static int rules_add(struct rules *rules, const char *text)
{
    struct destination_rule *grown = reallocarray(rules->items, rules->n_items + 1, sizeof(*grown));
    const char *flaw;

    if (!grown)
        return -ENOMEM;
    rules->items = grown;
    return destination_rule_read(wsp_view_of_string(text), &grown[rules->n_items++], &flaw);
}

/* Adds each rule, and to the text with the name of its list before it. */
static int rules_fill(struct rules *rules, const struct strings *from, const char *name,
                      struct wsp_buffer *text)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < from->n_items; i++) {
        r = rules_add(rules, from->items[i]);
        if (r == 0)
            r = wsp_buffer_append(text, name, strlen(name));
        if (r == 0)
            r = wsp_buffer_append(text, from->items[i], strlen(from->items[i]));
    }
    return r;
}

int destination_new(const struct strings *allow, const struct strings *deny, const char *fallback,
                    const char *endpoint, struct destination **ret_destination)
{
    char *fallback_items[] = {(char *)(uintptr_t)(fallback ? fallback : "*")};
    struct strings fallback_rules = {fallback_items, 1};
    struct destination *destination = calloc(1, sizeof(*destination));
    struct wsp_buffer text;
    int r;

    if (!destination)
        return -ENOMEM;
    wsp_buffer_init(&text, SIZE_MAX);
    destination->n_refs = 1;
    destination->is_fallback = allow->n_items == 0;
    destination->is_public_only = destination->is_fallback && fallback != NULL;
    r = rules_fill(&destination->allow, destination->is_fallback ? &fallback_rules : allow,
                   "\nallow ", &text);
    if (r == 0)
        r = rules_fill(&destination->deny, deny, "\ndeny ", &text);
    if (r == 0)
        r = wsp_buffer_append_u8(&text, '\0');
    if (r == 0) {
        destination->text = strdup((const char *)wsp_buffer_peek(&text));
        destination->endpoint = endpoint ? strdup(endpoint) : NULL;
        r = destination->text && (!endpoint || destination->endpoint) ? 0 : -ENOMEM;
    }
    wsp_buffer_deinit(&text);
    if (r != 0) {
        destination_unref(destination);
        return r < 0 ? r : -EINVAL;
    }
    *ret_destination = destination;
    return 0;
}

struct destination *destination_ref(struct destination *destination)
{
    if (destination)
        destination->n_refs++;
    return destination;
}

struct destination *destination_unref(struct destination *destination)
{
    if (!destination || --destination->n_refs > 0)
        return NULL;
    rules_deinit(&destination->allow);
    rules_deinit(&destination->deny);
    free(destination->text);
    free(destination->endpoint);
    free(destination);
    return NULL;
}

const char *destination_text(const struct destination *destination)
{
    return destination ? destination->text : NULL;
}
