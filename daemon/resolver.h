/* SPDX-License-Identifier: MIT
 *
 * resolver: addresses of host names, asked of /etc/hosts and of the system's name servers (c-ares)
 * without blocking.
 * Neighbours: dial asks and hands the answers to race.
 * Invariant: a lookup answers once for each family, from the loop, never from within
 * resolver_lookup.
 */
#ifndef WSPLEX_DAEMON_RESOLVER_H
#define WSPLEX_DAEMON_RESOLVER_H

#include <stdint.h>

#include "daemon/address.h"
#include "daemon/limits.h"
#include "daemon/loop.h"
#include "daemon/race.h"

struct resolver;
struct lookup;

/* One family's addresses (n of them, best first by RFC 6724), valid for the call. Where n is 0, why
 * says what the name service answered: "no such name". */
typedef void (*lookup_answer_fn)(void *owner, enum race_family family,
                                 const union address *addresses, unsigned n, const char *why);

/* 0, -ENOMEM, -EIO when c-ares cannot be set up. */
int resolver_new(struct loop *loop, struct resolver **ret_resolver);
struct resolver *resolver_free(struct resolver *resolver); /* after its lookups; takes NULL */

/* Asks these name servers ("192.0.2.53:5353,[2001:db8::53]:53") instead of the system's. 0,
 * -ENOMEM, -EINVAL. */
int resolver_set_servers(struct resolver *resolver, const char *servers);

/* Asks for both families of a host name in ASCII. The addresses get the port. An address in text
 * form is its own answer. There is no deadline but the name service's. 0 with *ret_lookup, which is
 * the caller's; -ENOMEM. */
int resolver_lookup(struct resolver *resolver, const char *host, uint16_t port,
                    lookup_answer_fn answer, void *owner, struct lookup **ret_lookup);

/* At any time, also from within answer: what has not been answered is not wanted any more. Takes
 * NULL; returns NULL. */
struct lookup *lookup_free(struct lookup *lookup);

#endif
