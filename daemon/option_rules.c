/* SPDX-License-Identifier: MIT
 *
 * option_rules: the rules of option_rules.def, asked one after another; see option_rules.h.
 * Between options, whose values they compare, and config. Invariant: see option_rules.h.
 */
#include "daemon/option_rules.h"

#include <string.h>

/* ---- words of the rules ---- */

static bool lets_group_in(const struct daemon_options *of, bool is_machine, bool is_given)
{
    return is_given ? (of->socket_mode & 0060) != 0 : is_machine;
}

static bool is_tls(const struct wsp_url *url)
{
    return url->is_secure;
}

static bool is_unix(const struct wsp_url *url)
{
    return url->socket_path[0] != '\0';
}

static bool is_persistent(const struct endpoint_options *of)
{
    return of->is_persistent || of->is_autostarted;
}

/* By the endpoint's policy, or by one that a program may choose. */
static bool may_be_slow(const struct endpoint_options *of, enum slow_consumer policy)
{
    return of->slow_consumer == policy ||
           strings_have(&of->allow_slow_consumer, slow_consumer_to_string(policy));
}

/* Rights that mean nothing where everybody is alone, in one of the two lists. */
static bool are_among_users(const struct access *access, bool is_group)
{
    for (size_t i = 0; i < access->n_rules; i++)
        if ((access->rules[i].who == ACCESS_GROUP) == is_group &&
            (access->rules[i].rights & (ACCESS_JOIN | ACCESS_MONITOR | ACCESS_CONTROL)) != 0)
            return true;
    return false;
}

static bool nobody_opens(const struct endpoint_options *of, const struct access *access)
{
    unsigned rights = 0;

    for (size_t i = 0; i < access->n_rules; i++)
        rights |= access->rules[i].rights;
    return !of->is_autostarted && (rights & ACCESS_JOIN) != 0 && (rights & ACCESS_OPEN) == 0;
}

/* ---- the tables ---- */

#define GIVEN_DAEMON(member)   option_is_given(of->given, DAEMON_OPTION_##member)
#define GIVEN_ENDPOINT(member) option_is_given(of->given, ENDPOINT_OPTION_##member)

const char *daemon_rules_flaw(const struct daemon_options *of, bool is_machine,
                              enum daemon_option_row row)
{
#define GIVEN GIVEN_DAEMON
#define DAEMON_RULE(member, is_broken, text)          \
    if (row == DAEMON_OPTION_##member && (is_broken)) \
        return text;
#include "daemon/option_rules.def"
#undef GIVEN
    return NULL;
}

const char *endpoint_rules_flaw(const struct option_subject *subject, enum endpoint_option_row row)
{
    const struct endpoint_options *of = subject->options;
    const struct wsp_url *url = subject->url;
    const struct access *access = subject->access;
    const struct destination *destination = subject->destination;
    const char *name = subject->name;

#define GIVEN GIVEN_ENDPOINT
#define ENDPOINT_RULE(member, is_broken, text)          \
    if (row == ENDPOINT_OPTION_##member && (is_broken)) \
        return text;
#include "daemon/option_rules.def"
#undef GIVEN
    return NULL;
}
