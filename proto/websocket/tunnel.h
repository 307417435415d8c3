/*
 * tunnel: what is said to a proxy before the tunnel stands: HTTP's CONNECT (RFC 9110, section 9.3.6)
 * with Basic authentication (RFC 7617), or SOCKS5 (RFC 1928) with user name and password (RFC 1929).
 *
 * On the way of a connection it stands between the socket to the proxy and TLS or the upgrade
 * request, which follow on the same bytes; the daemon's tunnel moves them.
 *
 * Invariant: not one byte behind the proxy's answer is taken: what comes there belongs to the tunnel.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_TUNNEL_H
#define WSPLEX_PROTO_WEBSOCKET_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/pull.h"
#include "proto/websocket/head.h"

enum wsp_tunnel_kind {
    WSP_TUNNEL_HTTP,
    WSP_TUNNEL_SOCKS5,
};

/* Where the tunnel shall lead, and who asks. The views are needed by wsp_tunnel_init() only. */
struct wsp_tunnel_asked {
    enum wsp_tunnel_kind kind;
    struct wsp_view host;    /* as in a URL: a name in ASCII, a dotted IPv4 address, or [IPv6] */
    struct wsp_view address; /* 4 or 16 bytes in network order for SOCKS5, which otherwise passes
                                host on as a name; HTTP does not look at it */
    uint16_t port;
    bool has_credentials;
    struct wsp_view username, password; /* plain bytes */
    struct wsp_view user_agent;         /* HTTP; empty: none */
};

/* The longest answer of SOCKS5: four bytes, a length, a name of that length, a port. */
#define WSP_TUNNEL_MAX_REPLY (4 + 1 + 255 + 2)

/* Everything in it is private but what the functions below give out. */
struct wsp_tunnel {
    int state;
    bool has_credentials;
    struct wsp_buffer out; /* all that may have to be said, in this order */
    size_t due;            /* of it, what may be written now */
    size_t credentials_len, request_len;
    struct wsp_head head; /* HTTP's answer */
    unsigned n_interim;
    uint8_t reply[WSP_TUNNEL_MAX_REPLY]; /* of SOCKS5: what has come of the answer under way */
    size_t reply_len;
    struct wsp_view input;
    const char *problem;
    unsigned answer;
    bool is_about_address;
};

/*
 * Begins the exchange; the first output is there. 0; WSP_BROKEN when this cannot be asked of such a
 * proxy (a name or credentials over 255 bytes for SOCKS5, credentials that Basic authentication
 * cannot carry): wsp_tunnel_problem() says which; -ENOMEM. wsp_tunnel_deinit() after any of them.
 */
int wsp_tunnel_init(struct wsp_tunnel *tunnel, const struct wsp_tunnel_asked *asked);
void wsp_tunnel_deinit(struct wsp_tunnel *tunnel); /* takes a zeroed one */

/* What is to be written to the proxy, lent until the next call; empty when it is the proxy's turn. */
struct wsp_view wsp_tunnel_output(const struct wsp_tunnel *tunnel);

/* The first len bytes of the output were written. */
void wsp_tunnel_written(struct wsp_tunnel *tunnel, size_t len);

/* Lends input until it is used up or fed anew. */
void wsp_tunnel_feed(struct wsp_tunnel *tunnel, struct wsp_view input);

/*
 * Reads on in what was fed.
 *
 * 0           the tunnel stands; wsp_tunnel_rest() is the first of what came through it.
 * WSP_MORE    all input is used up; there may be new output, and more must be fed.
 * WSP_BROKEN  the proxy refuses, or talks nonsense: see wsp_tunnel_problem(). It stays so.
 * -ENOMEM     nothing is lost, the call may be repeated.
 */
int wsp_tunnel_next(struct wsp_tunnel *tunnel);

/* What of the fed input the proxy's answer did not need, in the caller's memory. */
struct wsp_view wsp_tunnel_rest(const struct wsp_tunnel *tunnel);

/* After WSP_BROKEN: what was wrong, a clause about "it", the proxy. Static. */
const char *wsp_tunnel_problem(const struct wsp_tunnel *tunnel);

/* After WSP_BROKEN: the status that the proxy answered with, or the reply code of SOCKS5; 0: its
 * answer had none. */
unsigned wsp_tunnel_answer(const struct wsp_tunnel *tunnel);

/* After WSP_BROKEN: it could not reach this address, and might another one of the same host. */
bool wsp_tunnel_is_about_address(const struct wsp_tunnel *tunnel);

#endif
