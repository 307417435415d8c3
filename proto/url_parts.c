/*
 * url_parts: a URL cut apart and completed from its base; see url_parts.h.
 *
 * Between url, which serialises the parts, and what the program typed.
 *
 * Invariant: a part is where it stands in the input or in the base; nothing is decoded or copied.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/url_parts.h"

#include <string.h>

#include "proto/ascii.h"

enum {
    ANY = WSP_URL_USE_STANDARD | WSP_URL_USE_WEBSOCKET,
    UNIX = WSP_URL_USE_WEBSOCKET,
    PROXY = WSP_URL_USE_PROXY,
};

static const struct wsp_scheme_facts schemes[] = {
    [WSP_SCHEME_WS] = {"ws", ANY, 80, false, false, WSP_SCHEME_WS},
    [WSP_SCHEME_WSS] = {"wss", ANY, 443, true, false, WSP_SCHEME_WSS},
    [WSP_SCHEME_HTTP] = {"http", ANY | PROXY, 80, false, false, WSP_SCHEME_WS},
    [WSP_SCHEME_HTTPS] = {"https", ANY | PROXY, 443, true, false, WSP_SCHEME_WSS},
    [WSP_SCHEME_WS_UNIX] = {"ws+unix", UNIX, 80, false, true, WSP_SCHEME_WS_UNIX},
    [WSP_SCHEME_WSS_UNIX] = {"wss+unix", UNIX, 443, true, true, WSP_SCHEME_WSS_UNIX},
    [WSP_SCHEME_SOCKS5] = {"socks5", PROXY, 1080, false, false, WSP_SCHEME_SOCKS5},
    [WSP_SCHEME_SOCKS5H] = {"socks5h", PROXY, 1080, false, false, WSP_SCHEME_SOCKS5H},
};

#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

const struct wsp_scheme_facts *wsp_scheme_facts(enum wsp_scheme scheme)
{
    return &schemes[scheme];
}

static struct wsp_span span_of_string(const char *string)
{
    return (struct wsp_span){string, strlen(string)};
}

void wsp_span_skip(struct wsp_span *span, size_t len)
{
    span->text += len;
    span->len -= len;
}

/* Special schemes take a backslash for a slash. */
bool wsp_url_is_slash(char c)
{
    return c == '/' || c == '\\';
}

/* --- cut --- */

/* Cuts what follows the first such character off into *ret_after, and the character away. */
static bool cut_at_first(struct wsp_span *span, char c, struct wsp_span *ret_after)
{
    const char *found = span->len == 0 ? NULL : memchr(span->text, c, span->len);

    if (found == NULL)
        return false;
    *ret_after = *span;
    span->len = (size_t)(found - span->text);
    wsp_span_skip(ret_after, span->len + 1);
    return true;
}

static bool is_in_scheme(char c)
{
    return wsp_ascii_is_letter(c) || wsp_ascii_is_digit(c) || c == '+' || c == '-' || c == '.';
}

/* The states "scheme start" and "scheme". Where there is no scheme, rest is left as it is. */
static int cut_scheme(struct wsp_span *rest, enum wsp_url_use use, enum wsp_scheme *ret_scheme,
                      bool *ret_has_scheme)
{
    struct wsp_span name = {rest->text, 0};

    *ret_has_scheme = false;
    if (rest->len == 0 || !wsp_ascii_is_letter(rest->text[0]))
        return 0;
    while (name.len < rest->len && is_in_scheme(rest->text[name.len]))
        name.len++;
    if (name.len == rest->len || rest->text[name.len] != ':')
        return 0;
    for (size_t i = 0; i < N_SCHEMES; i++) {
        if ((schemes[i].uses & use) != 0 &&
            wsp_ascii_equals(name.text, name.len, schemes[i].name)) {
            wsp_span_skip(rest, name.len + 1);
            *ret_scheme = (enum wsp_scheme)i;
            *ret_has_scheme = true;
            return 0;
        }
    }
    return WSP_URL_BAD_SCHEME;
}

/* The state "authority": the last @ ends the credentials, in which the first colon ends the name. */
static void cut_credentials(struct wsp_span *authority, struct wsp_url_parts *parts)
{
    const char *at = authority->len == 0 ? NULL : memrchr(authority->text, '@', authority->len);

    if (at == NULL)
        return;
    parts->username = (struct wsp_span){authority->text, (size_t)(at - authority->text)};
    wsp_span_skip(authority, parts->username.len + 1);
    cut_at_first(&parts->username, ':', &parts->password);
}

/* The states "host" and "port": a colon outside of brackets ends the host. */
static void cut_host(struct wsp_span authority, struct wsp_url_parts *parts)
{
    bool is_in_brackets = false;
    size_t i = 0;

    while (i < authority.len && (authority.text[i] != ':' || is_in_brackets)) {
        if (authority.text[i] == '[')
            is_in_brackets = true;
        else if (authority.text[i] == ']')
            is_in_brackets = false;
        i++;
    }
    parts->host = (struct wsp_span){authority.text, i};
    if (i < authority.len) {
        wsp_span_skip(&authority, i + 1);
        parts->port = authority;
    }
}

/* The states from "special authority ignore slashes" on, up to the path. */
static void cut_authority(struct wsp_span rest, struct wsp_url_parts *parts)
{
    struct wsp_span authority;

    while (rest.len > 0 && wsp_url_is_slash(rest.text[0]))
        wsp_span_skip(&rest, 1);
    authority = (struct wsp_span){rest.text, 0};
    while (authority.len < rest.len && !wsp_url_is_slash(rest.text[authority.len]))
        authority.len++;
    wsp_span_skip(&rest, authority.len);
    if (rest.len > 0)
        wsp_span_skip(&rest, 1);
    parts->path = rest;
    cut_credentials(&authority, parts);
    cut_host(authority, parts);
}

/* Ours: the path of a socket, and behind a colon that of the request. */
static int cut_socket(struct wsp_span rest, struct wsp_url_parts *parts)
{
    parts->slashes = (struct wsp_span){rest.text, 0};
    if (rest.len >= 2 && rest.text[0] == '/' && rest.text[1] == '/') {
        parts->slashes.len = 2;
        wsp_span_skip(&rest, 2);
    }
    parts->socket = rest;
    parts->path = (struct wsp_span){rest.text + rest.len, 0};
    parts->has_path = cut_at_first(&parts->socket, ':', &parts->path);
    if (parts->socket.len < 2 || parts->socket.text[0] != '/')
        return WSP_URL_BAD_SOCKET;
    if (parts->path.len > 0) {
        if (!wsp_url_is_slash(parts->path.text[0]))
            return WSP_URL_BAD_SOCKET;
        wsp_span_skip(&parts->path, 1);
    }
    return 0;
}

/* --- resolve --- */

static void take_authority_of_base(struct wsp_url_parts *parts, const struct wsp_url *base)
{
    parts->username = span_of_string(base->username);
    parts->password = span_of_string(base->password);
    parts->host = span_of_string(base->host);
    if (!base->is_default_port)
        parts->port = span_of_string(base->host_header + parts->host.len + 1);
}

/* The states "relative" and "relative slash": rest is what the input has before ? and #. */
static void resolve(struct wsp_span rest, struct wsp_url_parts *parts, const struct wsp_url *base)
{
    take_authority_of_base(parts, base);
    if (rest.len > 0 && wsp_url_is_slash(rest.text[0])) {
        wsp_span_skip(&rest, 1);
        parts->path = rest;
    } else if (rest.len > 0) {
        size_t end_of_directory = (size_t)(strrchr(base->path, '/') - base->path);

        parts->directory = (struct wsp_span){base->path, end_of_directory};
        parts->path = rest;
    } else {
        parts->path = span_of_string(base->path + 1);
        if (!parts->has_query && base->has_query) {
            parts->query = span_of_string(base->query);
            parts->has_query = true;
        }
    }
}

/* Everything up to the writing: what the input means, given the base. */
int wsp_url_cut(struct wsp_span rest, const struct wsp_url *base, enum wsp_url_use use,
                struct wsp_url_parts *ret_parts)
{
    struct wsp_url_parts parts = {.scheme = WSP_SCHEME_WS};
    bool has_scheme;
    size_t n_slashes = 0;
    int r = cut_scheme(&rest, use, &parts.scheme, &has_scheme);

    if (r != 0)
        return r;
    if (!has_scheme) {
        if (base == NULL || schemes[base->scheme].is_unix)
            return WSP_URL_RELATIVE;
        parts.scheme = base->scheme;
    }
    parts.has_fragment = cut_at_first(&rest, '#', &parts.fragment);
    parts.has_query = cut_at_first(&rest, '?', &parts.query);
    while (n_slashes < rest.len && wsp_url_is_slash(rest.text[n_slashes]))
        n_slashes++;
    if (schemes[parts.scheme].is_unix)
        r = cut_socket(rest, &parts);
    else if (base != NULL && base->scheme == parts.scheme && n_slashes < 2)
        resolve(rest, &parts, base);
    else
        cut_authority(rest, &parts);
    if (r == 0)
        *ret_parts = parts;
    return r;
}
