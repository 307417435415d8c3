/* SPDX-License-Identifier: MIT
 *
 * destination: where upstreams may go, by host, port and address: the rules `allow` and `deny` of
 * wsplexd.conf(5), and which addresses are public.
 * Neighbours: config makes rules, open_request asks about a URL, connect and detour about each
 * address before it is connected to.
 * Invariant: a destination is reached only if no rule of deny and one of allow holds for its host, its
 * port and the address that is connected to, all three at once; so no answer of a name server makes
 * an address reachable that the rules keep.
 */
#ifndef WSPLEX_DAEMON_DESTINATION_H
#define WSPLEX_DAEMON_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/failure.h"
#include "daemon/target.h"
#include "proto/buffer.h"
#include "proto/url.h"

/* What a machine's daemon allows where its administrator has said nothing. */
#define DESTINATION_PUBLIC "public"

/* Counted; never changed after it was made. */
struct destination;

/* What is wrong with the text of a rule, as a sentence without a full stop; NULL: nothing. */
const char *destination_flaw(struct wsp_view rule);

/* Rules that have no flaw. Without any in allow, fallback stands for them: DESTINATION_PUBLIC,
 * or NULL for everything. endpoint: the name of that whose rules they are, NULL: the daemon's. 0 with *ret_destination, -ENOMEM. */
int destination_new(const struct strings *allow, const struct strings *deny, const char *fallback,
                    const char *endpoint, struct destination **ret_destination);
struct destination *destination_ref(struct destination *destination); /* takes NULL */
struct destination *
destination_unref(struct destination *destination); /* takes NULL; returns NULL */

/* All its rules in one text, the same for the same rules: what a share key holds of them. NULL for NULL. */
const char *destination_text(const struct destination *destination);

/* Of the functions below, NULL for a destination allows everything. A URL of a Unix socket is none of
 * theirs. */

/* Before anything is resolved: whether any address of the URL's host could be allowed. For a host that
 * is an address that is the whole answer. */
bool destination_has_url(const struct destination *destination, const struct wsp_url *url);

/* The address (4 or 16 bytes) of the URL's host. */
bool destination_has_address(const struct destination *destination, const struct wsp_url *url,
                             struct wsp_view address);

/* The same of a proxy, which the administrator has named: the fallback does not hold for it. */
bool destination_has_proxy(const struct destination *destination, const struct wsp_url *proxy,
                           struct wsp_view address);

/* Says that one of the three was false and whose rules those are, without a word of what the host resolves to, nor of
 * an endpoint's URL. */
void destination_fail(const struct destination *destination, const struct wsp_url *url,
                      struct failure *ret_failure);

#endif
