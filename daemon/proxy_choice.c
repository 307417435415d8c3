/* SPDX-License-Identifier: MIT
 *
 * proxy_choice: which proxy a URL is reached through; see proxy_choice.h.
 * Neighbours: proxy reads what was chosen, no_proxy knows the exceptions.
 * Invariant: a proxy that is named and cannot be used is an error, never a direct connection.
 */
#include "daemon/proxy_choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/idna.h"
#include "daemon/no_proxy.h"
#include "proto/local/errors.h"

/* In the order in which they are looked at. */
static const struct variable {
    const char *small, *capital;
    bool is_for_ws, is_for_wss;
    bool is_header_in_cgi; /* the variables HTTP_* of a CGI program are a request's headers */
} variables[] = {
    {"ws_proxy", "WS_PROXY", true, false, false},
    {"wss_proxy", "WSS_PROXY", false, true, false},
    {"https_proxy", "HTTPS_PROXY", true, true, false},
    {"http_proxy", "HTTP_PROXY", true, false, true},
    {"all_proxy", "ALL_PROXY", true, true, false},
};

/* What is empty is not set. */
static const char *variable_get(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

struct proxy_place proxy_environment(const struct wsp_url *url)
{
    struct proxy_place place = {.no_proxy = variable_get("no_proxy")};
    bool is_cgi = getenv("REQUEST_METHOD") != NULL;

    if (place.no_proxy == NULL)
        place.no_proxy = variable_get("NO_PROXY");
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]) && place.proxy == NULL; i++) {
        const struct variable *variable = &variables[i];

        if (!(url->is_secure ? variable->is_for_wss : variable->is_for_ws))
            continue;
        place.name = variable->small;
        place.proxy = variable_get(variable->small);
        if (place.proxy != NULL || (variable->is_header_in_cgi && is_cgi))
            continue;
        place.name = variable->capital;
        place.proxy = variable_get(variable->capital);
    }
    return place;
}

int proxy_choose(const struct proxy_place *places, size_t n_places, const struct wsp_url *url,
                 struct proxy **ret_proxy, struct failure *ret_failure)
{
    const char *exceptions = NULL, *problem = "";
    size_t i = 0;
    int r;

    for (; i < n_places; i++) {
        if (exceptions == NULL)
            exceptions = places[i].no_proxy;
        if (places[i].proxy != NULL)
            break;
    }
    if (i == n_places || url->socket_path[0] != '\0' ||
        (exceptions != NULL && no_proxy_has(exceptions, url))) {
        *ret_proxy = NULL;
        return 0;
    }
    r = proxy_new(wsp_view_of_string(places[i].proxy), idna_to_ascii, ret_proxy, &problem);
    if (r > 0)
        failure_set(ret_failure, WSP_CAUSE_PROXY, 0, "%s: %s", places[i].name, problem);
    if (r == 0 && *ret_proxy != NULL && places[i].credentials_dir != NULL) {
        (*ret_proxy)->credentials_dir = strdup(places[i].credentials_dir);
        if ((*ret_proxy)->credentials_dir == NULL) {
            *ret_proxy = proxy_free(*ret_proxy);
            r = -ENOMEM;
        }
    }
    return r;
}
