/*
 * fuzz_url: any text as a URL, alone and against a base, and what must hold of what comes out.
 *
 * The input up to the first LF is the base, if there is an LF; the rest is the URL.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/idna.h"
#include "proto/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_printable(const char *text)
{
    for (; *text != '\0'; text++)
        require(*text > 0x20 && *text < 0x7F);
}

static void require_sound(const struct wsp_url *url)
{
    struct wsp_url again;

    require_printable(url->href);
    require(strlen(url->href) <= WSP_MAX_URL);
    require(*url->hostname != '\0' && strpbrk(url->hostname, " /?#@\\[]%") == NULL);
    require(strchr(url->hostname, ':') == NULL || url->host_kind == WSP_HOST_IPV6);
    require(*url->path == '/' && strpbrk(url->path, "?#\\") == NULL);
    require(strstr(url->path, "/../") == NULL && strstr(url->path, "/./") == NULL);
    require(strchr(url->query, '#') == NULL);
    /* The serialised URL is its own fixed point, and needs no IDNA any more. */
    require(wsp_url_parse(&again, url->href, strlen(url->href), NULL, NULL) == 0);
    require(strcmp(again.href, url->href) == 0);
    require(strcmp(again.hostname, url->hostname) == 0);
    require(strcmp(again.resource, url->resource) == 0);
    require(strcmp(again.origin, url->origin) == 0);
    require(again.port == url->port && again.host_kind == url->host_kind);
    wsp_url_deinit(&again);
}

static bool is_unix(enum wsp_scheme scheme)
{
    return scheme == WSP_SCHEME_WS_UNIX || scheme == WSP_SCHEME_WSS_UNIX;
}

/* A URL of a Unix socket, which is the constructor's alone. */
static void require_sound_unix(const struct wsp_url *url)
{
    size_t len = strlen(url->socket_path);
    struct wsp_url again;

    require_printable(url->href);
    require_printable(url->resource);
    require(strlen(url->href) <= WSP_MAX_URL);
    require(len > 1 && len <= WSP_MAX_SOCKET_PATH && url->socket_path[0] == '/');
    require(*url->path == '/' && strcmp(url->origin, "null") == 0);
    require(wsp_url_parse_websocket(&again, url->href, strlen(url->href), NULL, NULL) == 0);
    require(strcmp(again.href, url->href) == 0);
    require(strcmp(again.socket_path, url->socket_path) == 0);
    require(strcmp(again.resource, url->resource) == 0);
    wsp_url_deinit(&again);
}

/* The WebSocket constructor refuses what is no URL and what has a fragment, and nothing else. */
static void require_agreement(const char *text, size_t len, const struct wsp_url *base)
{
    struct wsp_url url;
    struct wsp_url websocket;
    int r = wsp_url_parse(&url, text, len, base, idna_to_ascii);
    int r_websocket = wsp_url_parse_websocket(&websocket, text, len, base, idna_to_ascii);

    require(wsp_url_problem_to_string(r) != NULL);
    if (r_websocket == 0) {
        require(!websocket.has_fragment);
        if (is_unix(websocket.scheme)) {
            require(r == WSP_URL_BAD_SCHEME);
            require_sound_unix(&websocket);
        } else {
            require(websocket.scheme == WSP_SCHEME_WS || websocket.scheme == WSP_SCHEME_WSS);
            require_sound(&websocket);
        }
    }
    if (r == 0) {
        require(r_websocket == (url.has_fragment ? WSP_URL_FRAGMENT : 0));
        require(r_websocket != 0 || strcmp(url.resource, websocket.resource) == 0);
        require_sound(&url);
        wsp_url_deinit(&url);
    } else if (r != WSP_URL_BAD_SCHEME) {
        /* ws: is shorter than http:, so only the latter may be too long. */
        require(r_websocket == r || r == WSP_URL_TOO_LONG);
    }
    if (r_websocket == 0)
        wsp_url_deinit(&websocket);
}

static void require_proxy(const char *text, size_t len)
{
    struct wsp_url url;

    if (wsp_url_parse_proxy(&url, text, len, idna_to_ascii) != 0)
        return;
    require_printable(url.href);
    require(*url.hostname != '\0' && *url.socket_path == '\0');
    require(url.scheme != WSP_SCHEME_WS && url.scheme != WSP_SCHEME_WSS && !is_unix(url.scheme));
    wsp_url_deinit(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    const char *newline = len == 0 ? NULL : memchr(text, '\n', len);
    struct wsp_url base;

    if (newline != NULL) {
        size_t base_len = (size_t)(newline - text);

        if (wsp_url_parse(&base, text, base_len, NULL, idna_to_ascii) == 0) {
            require_agreement(newline + 1, len - base_len - 1, &base);
            wsp_url_deinit(&base);
        }
        len -= base_len + 1;
        text = newline + 1;
    }
    require_agreement(text, len, NULL);
    require_proxy(text, len);
    return 0;
}
