/* SPDX-License-Identifier: MIT
 *
 * autostart: endpoints that are connected without being asked for; see autostart.h.
 * Between server, config and shares. Invariant: see autostart.h.
 */
#include "daemon/autostart.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/open_request.h"
#include "daemon/reload.h"
#include "daemon/server.h"

struct item {
    struct list link; /* in autostart->items */
    struct server *server;
    char *name;
    struct anchor anchor;
    bool is_due; /* is to begin, or to begin anew */
    char ended[sizeof(((struct failure *)0)->text) +
               160]; /* why it is not, if it ended for good; else "" */
};

static const struct endpoint *find(const struct config *config, const char *name)
{
    return config_find_endpoint(config, wsp_view_of_string(name));
}

/* --- items --- */

static struct item *item_of(struct list *node)
{
    return LIST_ENTRY(node, struct item, link);
}

static void item_free(struct item *item)
{
    anchor_let_go(&item->anchor);
    list_remove(&item->link);
    free(item->name);
    free(item);
}

static struct item *item_find(struct autostart *autostart, const char *name)
{
    LIST_FOR_EACH (node, &autostart->items)
        if (strcmp(item_of(node)->name, name) == 0)
            return item_of(node);
    return NULL;
}

static struct item *item_of_anchor(struct anchor *anchor)
{
    return LIST_ENTRY(anchor, struct item, anchor);
}

/* What an administrator can do about it. */
static const char what_next[] = "; a reload begins it anew";

static void item_note(struct item *item, const char *why)
{
    snprintf(item->ended, sizeof(item->ended), "%s%s", why, what_next);
}

/* One that was lost after its endpoint had changed begins anew, as it is now; what ended for good waits for a reload. */
static void item_ended(struct anchor *anchor, const struct ending *ending)
{
    struct item *item = item_of_anchor(anchor);

    if (item->is_due) {
        turn_schedule(item->server->turn, TURN_CHECK, &item->server->autostart.again);
        return;
    }
    if (ending->failure.cause != 0)
        item_note(item, ending->failure.text);
    else
        snprintf(item->ended, sizeof(item->ended), "the server has closed with code %u%s",
                 ending->code, what_next);
}

static struct item *item_new(struct server *server, const char *name)
{
    struct item *item = malloc(sizeof(*item));

    if (!item)
        return NULL;
    *item = (struct item){
        .server = server,
        .name = strdup(name),
        .anchor = {.ended = item_ended},
    };
    list_init(&item->link);
    if (!item->name) {
        item_free(item);
        return NULL;
    }
    list_append(&server->autostart.items, &item->link);
    return item;
}

/* --- beginning --- */

/* 0; -ENOMEM; positive with the failure. */
static int begin(struct server *server, const struct endpoint *endpoint, struct anchor *anchor,
                 struct failure *ret_failure)
{
    struct target *target;
    struct user *user;
    int r = open_request_resolve_own(server, endpoint, &target, ret_failure);

    if (r != 0)
        return r;
    r = quota_user_ref(&server->quota, geteuid(), &user);
    if (r < 0) {
        target_free(target);
        return r;
    }
    r = shares_anchor(&server->shares, target, user, anchor, ret_failure);
    user_unref(user);
    return r;
}

static void item_begin(struct item *item)
{
    const struct endpoint *endpoint = find(item->server->config, item->name);
    struct failure failure;
    int r;

    item->is_due = false;
    if (!endpoint || item->anchor.share || item->server->is_stopping)
        return;
    item->ended[0] = '\0';
    r = begin(item->server, endpoint, &item->anchor, &failure);
    if (r < 0)
        failure_set(&failure, 0, 0, "%s", strerror(-r));
    if (r != 0)
        item_note(item, failure.text);
    if (r != 0)
        journal_log(&item->server->journal, JOURNAL_NOT_AUTOSTARTED, 0, "endpoint \"%s\": %s",
                    item->name, failure.text);
}

static void begin_due(void *owner)
{
    struct server *server = owner;

    LIST_FOR_EACH (node, &server->autostart.items)
        if (item_of(node)->is_due)
            item_begin(item_of(node));
}

/* It has something else than its endpoint by now. */
static bool is_to_renew(const struct share *share)
{
    return share->is_outdated || share->renewed != NULL;
}

/* Nobody is disturbed where there is no channel. */
static void item_renew(struct item *item)
{
    struct share *share = item->anchor.share;

    item->is_due = true;
    if (share && is_to_renew(share) && share->n_channels == 0) {
        anchor_let_go(&item->anchor);
        share_close(share, 1000, (struct wsp_view){0});
    }
    if (!item->anchor.share)
        item_begin(item);
    else
        item->is_due = item->anchor.share->is_outdated;
}

/* --- what server calls --- */

void autostart_init(struct autostart *autostart, struct server *server)
{
    list_init(&autostart->items);
    task_init(&autostart->again, begin_due, server);
}

void autostart_deinit(struct autostart *autostart)
{
    if (!autostart->items.next)
        return;
    task_cancel(&autostart->again);
    LIST_FOR_EACH (node, &autostart->items)
        item_free(item_of(node));
}

const char *autostart_ended(const struct autostart *autostart, const char *endpoint)
{
    LIST_FOR_EACH (node, &autostart->items)
        if (strcmp(item_of(node)->name, endpoint) == 0 && !item_of(node)->anchor.share &&
            item_of(node)->ended[0] != '\0')
            return item_of(node)->ended;
    return NULL;
}

static bool is_autostarted(const struct config *config, const char *name)
{
    const struct endpoint *endpoint = find(config, name);

    return endpoint && endpoint->options.is_autostarted;
}

void autostart_apply(struct server *server, const struct config *before)
{
    const struct config *config = server->config;
    struct list items, *node;

    if (before)
        reload_apply(server, before);
    list_init(&items);
    list_splice(&items, &server->autostart.items);
    while ((node = list_take_first(&items)) != NULL)
        if (is_autostarted(config, item_of(node)->name))
            list_append(&server->autostart.items, node);
        else
            item_free(item_of(node));
    for (size_t i = 0; i < config->n_endpoints; i++) {
        const struct endpoint *endpoint = &config->endpoints[i];
        struct item *item = item_find(&server->autostart, endpoint->name);

        if (!endpoint->options.is_autostarted)
            continue;
        if (!item)
            item = item_new(server, endpoint->name);
        if (item)
            item_renew(item);
        else
            journal_log(&server->journal, JOURNAL_OUT_OF_MEMORY, 0, "endpoint \"%s\" is not begun",
                        endpoint->name);
    }
}
