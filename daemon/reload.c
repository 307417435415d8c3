/* SPDX-License-Identifier: MIT
 *
 * reload: which shares have become others, and what the rest takes over; see reload.h.
 * Between the configuration, before and after, and the shares. Invariant: see reload.h.
 */
#include "daemon/reload.h"

#include "daemon/failure.h"
#include "daemon/open_request.h"
#include "daemon/renewal.h"
#include "daemon/server.h"
#include "daemon/share.h"

static const struct endpoint *find(const struct config *config, const char *name)
{
    return config_find_endpoint(config, wsp_view_of_string(name));
}

static bool has_changed(const struct option_table *table, enum option_reload class,
                        const void *before, const void *now)
{
    for (size_t i = 0; i < table->n_rows; i++)
        if (table->rows[i].reload == class && !option_equals(&table->rows[i], before, now))
            return true;
    return false;
}

bool reload_makes_anew(const struct config *before, const struct config *now, const char *endpoint)
{
    const struct endpoint *a = find(before, endpoint), *b = find(now, endpoint);

    return !a || !b ||
           has_changed(endpoint_options_table(), RELOAD_ANEW, &a->options, &b->options) ||
           has_changed(daemon_options_table(), RELOAD_ANEW, &before->daemon, &now->daemon);
}

/* Who may join has changed, and so whom the one that autostart has is for. */
static bool is_for_others(const struct share *share, const struct target *target)
{
    return share->anchor && share->target->is_wide != target->is_wide;
}

static void share_reload(struct server *server, struct share *share, const struct config *before)
{
    const char *name = share->target->endpoint;
    const struct endpoint *was = find(before, name), *endpoint = find(server->config, name);
    struct failure failure;
    struct target *target;

    if (reload_makes_anew(before, server->config, name))
        share_outdate(share);
    if (!endpoint || !share_is_joinable(share))
        return;
    if (open_request_resolve_own(server, endpoint, &target, &failure) != 0) {
        share_outdate(share); /* it could not be made as it is now */
        return;
    }
    if (is_for_others(share, target))
        share_outdate(share);
    renewal_apply(share, target,
                  !was || has_changed(endpoint_options_table(), RELOAD_NEXT, &was->options,
                                      &endpoint->options));
}

void reload_apply(struct server *server, const struct config *before)
{
    LIST_FOR_EACH (node, &server->shares.all) {
        struct share *share = LIST_ENTRY(node, struct share, link);

        if (share->target->endpoint && share_is_joinable(share))
            share_reload(server, share, before);
    }
}
