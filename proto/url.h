/*
 * url: URLs of WebSockets, as the WHATWG URL standard parses them.
 *
 * It stands before everything else: client-lib/websocket and daemon/client_requests hand it what
 * the program typed, websocket/handshake and daemon/connect take host, port and resource from what
 * comes out. Invariant: a struct wsp_url is a whole, valid, serialised URL whose strings are
 * printable ASCII, so that each of them can be put into a request line, a Host field or a log as it
 * is.
 *
 * Only what a WebSocket can open is a URL here: the schemes ws and wss, and http and https, which
 * the WebSocket constructor takes for them. All are special schemes, so hosts are always domains or
 * addresses and paths are always lists. Input that is not UTF-8 is refused, not patched with
 * U+FFFD.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_URL_H
#define WSP_PROTO_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

/*
 * Makes ASCII of a domain name: UTS #46 ToASCII as the URL standard's "domain to ASCII" asks
 * (CheckHyphens, UseSTD3ASCIIRules, VerifyDnsLength and Transitional_Processing false, CheckBidi
 * and CheckJoiners true). domain is valid UTF-8 of len bytes, not empty, not NUL-terminated; it may
 * hold any character, NUL among them. It is called for domains with a character outside ASCII only.
 *
 * Returns 0 and in *ret_ascii a NUL-terminated string that the caller gives to free(); a positive
 * number when the domain is not valid; -ENOSYS when this function cannot do it here (the library
 * for it is absent); -ENOMEM. *ret_ascii is untouched unless it returns 0.
 */
typedef int (*wsp_to_ascii_fn)(const char *domain, size_t len, char **ret_ascii);

enum wsp_scheme {
    WSP_SCHEME_WS,
    WSP_SCHEME_WSS,
    WSP_SCHEME_HTTP,
    WSP_SCHEME_HTTPS,
    WSP_SCHEME_WS_UNIX, /* ours; wsp_url_parse_websocket() alone knows these two */
    WSP_SCHEME_WSS_UNIX,
    WSP_SCHEME_SOCKS5, /* wsp_url_parse_proxy() alone knows these two */
    WSP_SCHEME_SOCKS5H,
};

enum wsp_host_kind {
    WSP_HOST_DOMAIN,
    WSP_HOST_IPV4,
    WSP_HOST_IPV6,
};

/* What can be wrong with a URL: the code, and a sentence that says what would be right. */
#define WSP_URL_PROBLEMS(X)                                                                       \
    X(WSP_URL_NOT_UTF8, "the URL is not valid UTF-8")                                             \
    X(WSP_URL_TOO_LONG, "the URL is too long; it may have " WSP_URL_TEXT_(WSP_MAX_URL) " bytes")  \
    X(WSP_URL_RELATIVE, "the URL has no scheme; it must begin with ws:// or wss://")              \
    X(WSP_URL_BAD_SCHEME, "the URL's scheme is not ws, wss, http or https; begin with wss://")    \
    X(WSP_URL_NO_HOST, "the URL has no host; write it after the scheme, as in wss://host/path")   \
    X(WSP_URL_BAD_HOST, "the URL's host contains a character that no host name may have")         \
    X(WSP_URL_BAD_DOMAIN, "the URL's host is not a valid internationalised domain name")          \
    X(WSP_URL_BAD_IPV4, "the URL's host ends in a number but is not an IPv4 address")             \
    X(WSP_URL_BAD_IPV6, "the URL's host is not an IPv6 address in brackets, as in [2001:db8::1]") \
    X(WSP_URL_BAD_PORT, "the URL's port is not a number from 0 to 65535")                         \
    X(WSP_URL_FRAGMENT, "the URL has a fragment; a WebSocket URL must not contain #")             \
    X(WSP_URL_BAD_SOCKET,                                                                         \
      "the URL does not name a Unix socket; write ws+unix:/path/of/socket:/request/path")         \
    X(WSP_URL_LONG_SOCKET,                                                                        \
      "the path of the URL's Unix socket is too long; it may have " WSP_URL_TEXT_(                \
          WSP_MAX_SOCKET_PATH) " bytes")

/* The value of a macro as text. */
#define WSP_URL_TEXT_(macro)  WSP_URL_TEXT__(macro)
#define WSP_URL_TEXT__(value) #value

enum wsp_url_problem {
    WSP_URL_NO_PROBLEM, /* 0, so that the first problem is positive */
#define X(name, text) name,
    WSP_URL_PROBLEMS(X)
#undef X
};

/*
 * A parsed URL. All strings are owned by it, NUL-terminated and never NULL (the empty string stands
 * for what is absent); treat every member as read-only.
 */
struct wsp_url {
    const char *href;        /* the URL serialised, fragment included */
    const char *username;    /* percent-encoded, as in href */
    const char *password;    /* percent-encoded, as in href */
    const char *host;        /* as in href: domain in ASCII, dotted IPv4, or [IPv6] */
    const char *hostname;    /* to resolve and to verify: host without brackets */
    const char *host_header; /* the value of the Host field: host, and :port unless the default */
    const char *path;        /* begins with / */
    const char *query;       /* without the ?; see has_query */
    const char *fragment;    /* without the #; see has_fragment */
    const char *resource; /* the request target: path, and ?query where it is not empty (RFC 6455,
                                section 3: the resource name) */
    const char *origin;   /* scheme://host_header, what MessageEvent.origin shows */
    const char *socket_path; /* of ws+unix and wss+unix, decoded; empty for the others */
    enum wsp_scheme scheme;
    enum wsp_host_kind host_kind;
    uint16_t port;        /* the effective one, 80 or 443 where the URL names none */
    bool is_default_port; /* port is the scheme's default, and so not in href */
    bool is_secure;       /* wss, wss+unix or https */
    bool has_query;       /* there is a ?, even with nothing after it */
    bool has_fragment;    /* there is a #, even with nothing after it */
    char *block;          /* private: where all the strings live */
};

/*
 * The URL parser ("basic URL parser" without overrides, then the serialisers). input is len bytes.
 * base is what relative input is resolved against, or NULL. to_ascii may be NULL, which is the same
 * as one that always answers -ENOSYS.
 *
 * Returns 0 and a URL in *ret, which the caller gives to wsp_url_deinit(); one of enum
 * wsp_url_problem when the input is no URL that we know; -ENOSYS when the host needs IDNA and
 * to_ascii cannot; -ENOMEM. *ret is untouched unless it returns 0; what it held before is not
 * freed, and it must not be *base.
 */
int wsp_url_parse(struct wsp_url *ret, const char *input, size_t len, const struct wsp_url *base,
                  wsp_to_ascii_fn to_ascii);

/*
 * What the WebSocket constructor makes of its first argument (WHATWG WebSockets, constructor, steps
 * 1 to 6): the URL parser, then http becomes ws and https becomes wss, then a fragment is refused.
 * The result's scheme is WSP_SCHEME_WS or WSP_SCHEME_WSS. Otherwise as wsp_url_parse().
 *
 * An extension is the URL of a WebSocket server on a Unix socket, as other libraries have it:
 *
 *     ws+unix:/run/server.sock:/request/path?query
 *
 * and wss+unix for TLS. The socket's absolute path ends at the first colon (%3A stands for one in
 * it), is percent-encoded and otherwise taken as it is: its dots are the kernel's to follow. What
 * comes behind the colon is the request's, / without it. An empty authority may stand before the
 * path (ws+unix:///run/server.sock). The href is as it was given; host, hostname and host_header are
 * localhost, the port is the default one, and the origin is null, as the URL standard has it of
 * schemes that it does not know. Such a URL is no base for a relative one.
 */
int wsp_url_parse_websocket(struct wsp_url *ret, const char *input, size_t len,
                            const struct wsp_url *base, wsp_to_ascii_fn to_ascii);

/*
 * The URL of a proxy: http, https, socks5 or socks5h (default ports 80, 443, 1080), parsed by the
 * rules of special schemes. Otherwise as wsp_url_parse() without a base.
 */
int wsp_url_parse_proxy(struct wsp_url *ret, const char *input, size_t len,
                        wsp_to_ascii_fn to_ascii);

/* Frees what the URL owns and makes it empty. NULL and an all-zero struct are fine. */
void wsp_url_deinit(struct wsp_url *url);

/* The sentence for a value of enum wsp_url_problem. Static, never NULL, also for unknown
 * numbers. */
const char *wsp_url_problem_to_string(int problem);

#endif
