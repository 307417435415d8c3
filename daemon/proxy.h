/* SPDX-License-Identifier: MIT
 *
 * proxy: a proxy as somebody wrote it down: how it is spoken to, where it is, who asks.
 * Neighbours: proxy_choice and options read the text; target keeps it, dial and tunnel go there.
 * Invariant: what it holds can be said to it: credentials that do not fit its kind are refused here.
 */
#ifndef WSPLEX_DAEMON_PROXY_H
#define WSPLEX_DAEMON_PROXY_H

#include <stddef.h>

#include "proto/buffer.h"
#include "proto/url.h"

enum proxy_kind {
    PROXY_HTTP,    /* CONNECT to a name, which the proxy resolves */
    PROXY_SOCKS5,  /* an address, which the daemon has resolved */
    PROXY_SOCKS5H, /* a name, which the proxy resolves */
};

struct proxy {
    enum proxy_kind kind;
    struct wsp_url url; /* href, username and password are credentials: never shown */
    char *secret;       /* private: where the two lie */
    bool has_credentials;
    struct wsp_view username, password; /* plain bytes */
    char *credentials_dir; /* the password may name credentials; NULL: it is what it says */
};

/*
 * Reads "http://user:password@host:port", the same with socks5 or socks5h, or "host:port", which is
 * an HTTP proxy; "none" gives NULL in *ret_proxy.
 *
 * 0 with *ret_proxy, which is the caller's; -ENOMEM; -ENOSYS when the host needs a to_ascii that is
 * not there; 1 when it is none of these: *ret_problem is then a static text that says what would be
 * right. The text itself may hold a password and is not to be quoted.
 */
int proxy_new(struct wsp_view text, wsp_to_ascii_fn to_ascii, struct proxy **ret_proxy,
              const char **ret_problem);

/* Takes NULL; returns NULL. */
struct proxy *proxy_free(struct proxy *proxy);

/* "127.0.0.1:3128", for texts; with scheme "socks5h://127.0.0.1:9050", for lists. Cut to fit. */
enum { PROXY_TEXT_LEN = 128 };
const char *proxy_format(const struct proxy *proxy, char to[PROXY_TEXT_LEN]);
const char *proxy_display(const struct proxy *proxy, char to[PROXY_TEXT_LEN]);

#endif
