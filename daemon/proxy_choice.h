/* SPDX-License-Identifier: MIT
 *
 * proxy_choice: which proxy a URL is reached through: what the nearest place says that says anything.
 * Neighbours: open_request gives the places, target gets the proxy.
 * Invariant: a proxy that is named and cannot be used is an error, never a direct connection.
 */
#ifndef WSPLEX_DAEMON_PROXY_CHOICE_H
#define WSPLEX_DAEMON_PROXY_CHOICE_H

#include "daemon/failure.h"
#include "daemon/proxy.h"

/* What one place says: an endpoint or a program, the daemon's settings, the environment. */
struct proxy_place {
    const char *proxy;    /* "none" or what proxy_new reads; NULL: nothing is said */
    const char *no_proxy; /* the exceptions from it, and from what places further out say; NULL */
    const char *name;     /* what the proxy is called there, for problems */
    const char *credentials_dir; /* its password may name credentials; NULL: it may not */
};

/*
 * What the daemon's own environment says for the URL: for both schemes https_proxy, which RFC 6455
 * (section 4.1) prefers, then all_proxy; before them wss_proxy or ws_proxy; for ws http_proxy after
 * https_proxy. In small letters or, where that is not set or empty, in capitals. HTTP_PROXY is not
 * looked at in a CGI program, where it is a request's header.
 */
struct proxy_place proxy_environment(const struct wsp_url *url);

/*
 * The proxy for the URL from the places, nearest first. 0 with *ret_proxy, which is the caller's,
 * NULL for none; -ENOMEM; 1 with *ret_failure. A ws+unix URL has none.
 */
int proxy_choose(const struct proxy_place *places, size_t n_places, const struct wsp_url *url,
                 struct proxy **ret_proxy, struct failure *ret_failure);

#endif
