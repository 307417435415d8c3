/* SPDX-License-Identifier: MIT
 *
 * destination_rule: one rule about where upstreams may go.
 * Between config's text and destination, which has lists of them. Invariant: what is no rule is not read as one.
 *
 * A rule is a host, an address or both, with a blank between them, and perhaps a port at its end:
 *
 *     example.org           that host          *.example.org        the hosts below it
 *     192.0.2.7             an address         192.0.2.0/24         a network
 *     [2001:db8::1]         in brackets        [2001:db8::/32]
 *     public                what anybody in the Internet can be reached at
 *     private, loopback, link-local            see address_area.def
 *     *                     every address, of any host
 *     ...:443  ...:8000-8100                   only these ports; alone: of any host
 *
 * In allow, a rule without an address means public ones, but loopback ones for localhost and the
 * names below it: who allows a name shall not thereby allow what its name server makes of it.
 */
#ifndef WSPLEX_DAEMON_DESTINATION_RULE_H
#define WSPLEX_DAEMON_DESTINATION_RULE_H

#include <stdbool.h>

#include "daemon/address_area.h"
#include "daemon/network.h"
#include "proto/buffer.h"
#include "proto/url.h"

/* What a rule says of addresses. */
enum destination_reach { REACH_UNSAID, REACH_ALL, REACH_AREA, REACH_NETWORK };

struct destination_rule {
    char *
        host; /* in small letters; NULL: any. What stands for the hosts below it begins with a dot */
    enum destination_reach reach;
    enum address_area area;
    struct network network;
    unsigned first_port, last_port;
};

/* 0; -ENOMEM; 1 with what is wrong, a sentence without a full stop. What was read is in *rule in every case, for
 * destination_rule_deinit. */
int destination_rule_read(struct wsp_view text, struct destination_rule *rule,
                          const char **ret_flaw);
void destination_rule_deinit(struct destination_rule *rule);

/* Host and port of the rule are the URL's. */
bool destination_rule_is_about(const struct destination_rule *rule, const struct wsp_url *url);

/* The rule holds for the URL at that address, which is plain (address_area.h): as one of allow, as one of deny. */
bool destination_rule_allows(const struct destination_rule *rule, const struct wsp_url *url,
                             struct wsp_view address);
bool destination_rule_denies(const struct destination_rule *rule, const struct wsp_url *url,
                             struct wsp_view address);

#endif
