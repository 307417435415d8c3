/*
 * url_check: what holds of every URL that was parsed; see url_check.h.
 *
 * Between the tests of proto/url and the objects it makes.
 *
 * Invariant: it looks at the object only, never at the input.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/url_check.h"

#include "tests/harness/unit.h"

#include <string.h>

void url_assert_consistent(const struct wsp_url *url)
{
    const char *const schemes[] = {"ws", "wss", "http", "https"};
    const char *const strings[] = {url->href,   url->username,    url->password, url->host,
                                   url->path,   url->host_header, url->query,    url->fragment,
                                   url->origin, url->resource,    url->hostname};
    size_t scheme_len = strlen(schemes[url->scheme]);
    size_t host_len = strlen(url->host);
    struct wsp_url again;

    for (size_t i = 0; i < N_OF(strings); i++) {
        for (const char *c = strings[i]; *c != '\0'; c++)
            ck_assert_msg(*c > 0x20 && *c < 0x7F, "%s", strings[i]);
    }
    ck_assert(strncmp(url->href, schemes[url->scheme], scheme_len) == 0);
    ck_assert(strncmp(url->origin, schemes[url->scheme], scheme_len) == 0);
    ck_assert(strncmp(url->origin + scheme_len, "://", 3) == 0);
    ck_assert_str_eq(url->origin + scheme_len + 3, url->host_header);
    ck_assert(strncmp(url->host_header, url->host, host_len) == 0);
    ck_assert(url->host_header[host_len] == (url->is_default_port ? '\0' : ':'));
    ck_assert(url->is_secure == (url->scheme == WSP_SCHEME_WSS || url->scheme == WSP_SCHEME_HTTPS));
    ck_assert(url->is_default_port == (url->port == (url->is_secure ? 443 : 80)));
    ck_assert(*url->path == '/');
    ck_assert_ptr_nonnull(strstr(url->href, url->resource));
    ck_assert(strncmp(url->resource, url->path, strlen(url->path)) == 0);
    if (url->host_kind == WSP_HOST_IPV6)
        ck_assert(url->host[0] == '[' && url->hostname[0] != '[');
    else
        ck_assert_str_eq(url->host, url->hostname);
    /* What was serialised parses as itself, with no help from IDNA. */
    ck_assert_int_eq(wsp_url_parse(&again, url->href, strlen(url->href), NULL, NULL), 0);
    ck_assert_str_eq(again.href, url->href);
    wsp_url_deinit(&again);
}
