/* SPDX-License-Identifier: MIT
 *
 * proxy: a proxy as somebody wrote it down; see proxy.h.
 * Neighbours: proto/url parses it, tunnel speaks to it.
 * Invariant: what it holds can be said to it.
 */
#include "daemon/proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/percent.h"
#include "proto/websocket/basic.h"

static const char *const kind_names[] = {
    [PROXY_HTTP] = "http",
    [PROXY_SOCKS5] = "socks5",
    [PROXY_SOCKS5H] = "socks5h",
};

static int refuse(const char **ret_problem, const char *problem)
{
    *ret_problem = problem;
    return 1;
}

/* Without a scheme it is an HTTP proxy. */
static int parse_url(struct wsp_view text, wsp_to_ascii_fn to_ascii, struct wsp_url *ret_url)
{
    static const char scheme[] = "http://";
    bool has_scheme = text.len > 0 && memmem(text.data, text.len, "://", 3) != NULL;
    char *whole = NULL;
    int len, r;

    len =
        asprintf(&whole, "%s%.*s", has_scheme ? "" : scheme,
                 text.len > WSP_MAX_URL ? WSP_MAX_URL + 1 : (int)text.len, (const char *)text.data);
    if (len < 0)
        return -ENOMEM;
    r = wsp_url_parse_proxy(ret_url, whole, (size_t)len, to_ascii);
    free(whole);
    return r;
}

static int url_problem(int problem, const char **ret_problem)
{
    switch (problem) {
    case WSP_URL_BAD_SCHEME:
        return refuse(ret_problem, "begin with http://, socks5:// or socks5h://, or write none");
    case WSP_URL_NO_HOST: return refuse(ret_problem, "a proxy's host is missing");
    default: return refuse(ret_problem, wsp_url_problem_to_string(problem));
    }
}

static int set_kind(struct proxy *proxy, const char **ret_problem)
{
    switch (proxy->url.scheme) {
    case WSP_SCHEME_HTTP: proxy->kind = PROXY_HTTP; return 0;
    case WSP_SCHEME_SOCKS5: proxy->kind = PROXY_SOCKS5; return 0;
    case WSP_SCHEME_SOCKS5H: proxy->kind = PROXY_SOCKS5H; return 0;
    default:
        return refuse(ret_problem, "a proxy that is itself reached over TLS is not supported; "
                                   "begin with http://, socks5:// or socks5h://");
    }
}

static int set_credentials(struct proxy *proxy, const char **ret_problem)
{
    const struct wsp_url *url = &proxy->url;
    size_t username_len = strlen(url->username), password_len = strlen(url->password);

    if (username_len == 0 && password_len == 0)
        return 0;
    proxy->secret = malloc(username_len + password_len + 1);
    if (proxy->secret == NULL)
        return -ENOMEM;
    username_len = wsp_percent_decode(proxy->secret, url->username, username_len);
    password_len = wsp_percent_decode(proxy->secret + username_len, url->password, password_len);
    proxy->has_credentials = true;
    proxy->username = (struct wsp_view){(uint8_t *)proxy->secret, username_len};
    proxy->password = (struct wsp_view){(uint8_t *)proxy->secret + username_len, password_len};
    if (proxy->kind != PROXY_HTTP && (username_len > 255 || password_len > 255))
        return refuse(ret_problem, "SOCKS5 has no room for a user name or password of more than "
                                   "255 bytes");
    if (proxy->kind == PROXY_HTTP && !wsp_basic_is_valid(proxy->username, proxy->password))
        return refuse(ret_problem, "HTTP's Basic authentication cannot carry control characters, "
                                   "nor a colon in the user name");
    return 0;
}

static int proxy_init(struct proxy *proxy, struct wsp_view text, wsp_to_ascii_fn to_ascii,
                      const char **ret_problem)
{
    int r = parse_url(text, to_ascii, &proxy->url);

    if (r > 0)
        return url_problem(r, ret_problem);
    if (r == 0)
        r = set_kind(proxy, ret_problem);
    if (r != 0)
        return r;
    if (strcmp(proxy->url.path, "/") != 0 || proxy->url.has_query || proxy->url.has_fragment)
        return refuse(ret_problem, "a proxy has no path; end after its port");
    return set_credentials(proxy, ret_problem);
}

int proxy_new(struct wsp_view text, wsp_to_ascii_fn to_ascii, struct proxy **ret_proxy,
              const char **ret_problem)
{
    struct proxy *proxy;
    int r;

    if (wsp_view_equals(text, WSP_VIEW_LITERAL("none"))) {
        *ret_proxy = NULL;
        return 0;
    }
    proxy = calloc(1, sizeof(*proxy));
    if (proxy == NULL)
        return -ENOMEM;
    r = proxy_init(proxy, text, to_ascii, ret_problem);
    if (r != 0) {
        proxy_free(proxy);
        return r;
    }
    *ret_proxy = proxy;
    return 0;
}

struct proxy *proxy_free(struct proxy *proxy)
{
    if (proxy == NULL)
        return NULL;
    wsp_url_deinit(&proxy->url);
    free(proxy->secret);
    free(proxy->credentials_dir);
    free(proxy);
    return NULL;
}

const char *proxy_format(const struct proxy *proxy, char to[PROXY_TEXT_LEN])
{
    snprintf(to, PROXY_TEXT_LEN, "%s:%u", proxy->url.host, (unsigned)proxy->url.port);
    return to;
}

const char *proxy_display(const struct proxy *proxy, char to[PROXY_TEXT_LEN])
{
    snprintf(to, PROXY_TEXT_LEN, "%s://%s:%u", kind_names[proxy->kind], proxy->url.host,
             (unsigned)proxy->url.port);
    return to;
}
