/*
 * events: see events.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct wsp_listener {
    struct wsp_chain link;
    uint64_t number; /* the target's n_added before this one */
    wsplex_event_handler handler;
    void *userdata;
    bool is_attribute;
    bool is_once;
    bool is_removed;
    char type[];
};

/* One dispatch under way. It lives on the stack of wsp_event_target_dispatch(). */
struct wsp_dispatch {
    struct wsplex_event event;
    struct wsp_dispatch *outer;
    bool is_stopped;
};

const char *wsp_attribute_to_type(enum wsp_attribute attribute)
{
    static const char *const types[WSP_N_ATTRIBUTES] = {
        [WSP_ATTRIBUTE_ON_OPEN] = "open",
        [WSP_ATTRIBUTE_ON_MESSAGE] = "message",
        [WSP_ATTRIBUTE_ON_ERROR] = "error",
        [WSP_ATTRIBUTE_ON_CLOSE] = "close",
    };

    return types[attribute];
}

void wsp_event_target_init(struct wsp_event_target *target)
{
    memset(target, 0, sizeof(*target));
    wsp_chain_init(&target->listeners);
}

void wsp_event_target_deinit(struct wsp_event_target *target)
{
    struct wsp_chain *link;

    while ((link = wsp_chain_take_first(&target->listeners)))
        free(WSP_CHAIN_ENTRY(link, struct wsp_listener, link));
}

static void listener_mark_removed(struct wsp_event_target *target, struct wsp_listener *listener)
{
    listener->is_removed = true;
    target->has_removed = true;
}

static void event_target_sweep(struct wsp_event_target *target)
{
    struct wsp_chain *link = target->listeners.next;

    if (target->innermost || !target->has_removed)
        return;
    while (link != &target->listeners) {
        struct wsp_listener *listener = WSP_CHAIN_ENTRY(link, struct wsp_listener, link);

        link = link->next;
        if (listener->is_removed) {
            wsp_chain_remove(&listener->link);
            free(listener);
        }
    }
    target->has_removed = false;
}

void wsp_event_target_clear(struct wsp_event_target *target)
{
    struct wsp_chain *link;

    for (link = target->listeners.next; link != &target->listeners; link = link->next)
        listener_mark_removed(target, WSP_CHAIN_ENTRY(link, struct wsp_listener, link));
    memset(target->attributes, 0, sizeof(target->attributes));
    event_target_sweep(target);
}

static int event_target_append(struct wsp_event_target *target, const char *type,
                               wsplex_event_handler handler, void *userdata,
                               struct wsp_listener **ret_listener)
{
    size_t type_size = strlen(type) + 1;
    struct wsp_listener *listener = calloc(1, sizeof(*listener) + type_size);

    if (!listener)
        return -ENOMEM;
    listener->number = target->n_added++;
    listener->handler = handler;
    listener->userdata = userdata;
    memcpy(listener->type, type, type_size);
    wsp_chain_init(&listener->link);
    wsp_chain_append(&target->listeners, &listener->link);
    *ret_listener = listener;
    return 0;
}

/*
 * HTML, "activate an event handler" and "deactivate an event handler": the listener that stands for
 * the attribute is appended when the attribute gets a value, keeps its place while it has one, and
 * goes when it has none.
 */
int wsp_event_target_set_handler(struct wsp_event_target *target, enum wsp_attribute attribute,
                                 wsplex_event_handler handler, void *userdata)
{
    struct wsp_listener **listener = &target->attributes[attribute];
    int r;

    if (!handler) {
        if (*listener)
            listener_mark_removed(target, *listener);
        *listener = NULL;
        event_target_sweep(target);
        return 0;
    }
    if (*listener) {
        (*listener)->handler = handler;
        (*listener)->userdata = userdata;
        return 0;
    }
    r = event_target_append(target, wsp_attribute_to_type(attribute), handler, userdata, listener);
    if (r == 0)
        (*listener)->is_attribute = true;
    return r;
}

static struct wsp_listener *event_target_find(struct wsp_event_target *target, const char *type,
                                              wsplex_event_handler handler, void *userdata)
{
    struct wsp_chain *link;

    for (link = target->listeners.next; link != &target->listeners; link = link->next) {
        struct wsp_listener *listener = WSP_CHAIN_ENTRY(link, struct wsp_listener, link);

        if (!listener->is_removed && !listener->is_attribute && listener->handler == handler &&
            listener->userdata == userdata && strcmp(listener->type, type) == 0)
            return listener;
    }
    return NULL;
}

/* DOM, "add an event listener": step 3 returns for a null callback, step 5 ignores what is there. */
int wsp_event_target_add(struct wsp_event_target *target, const char *type,
                         wsplex_event_handler handler, void *userdata, bool is_once)
{
    struct wsp_listener *listener;
    int r;

    if (!handler || event_target_find(target, type, handler, userdata))
        return 0;
    r = event_target_append(target, type, handler, userdata, &listener);
    if (r == 0)
        listener->is_once = is_once;
    return r;
}

void wsp_event_target_remove(struct wsp_event_target *target, const char *type,
                             wsplex_event_handler handler, void *userdata)
{
    struct wsp_listener *listener = event_target_find(target, type, handler, userdata);

    if (listener)
        listener_mark_removed(target, listener);
    event_target_sweep(target);
}

static struct wsp_dispatch *event_target_find_dispatch(const struct wsp_event_target *target,
                                                       const struct wsplex_event *event)
{
    struct wsp_dispatch *dispatch;

    for (dispatch = target->innermost; dispatch; dispatch = dispatch->outer) {
        if (&dispatch->event == event)
            return dispatch;
    }
    return NULL;
}

bool wsp_event_target_is_dispatching(const struct wsp_event_target *target,
                                     const struct wsplex_event *event)
{
    return event_target_find_dispatch(target, event) != NULL;
}

/*
 * DOM, "inner invoke", on a copy of the list of listeners: the copy is the listeners whose number is
 * below the target's n_added at the start.
 */
void wsp_event_target_dispatch(struct wsp_event_target *target, const struct wsplex_event *event)
{
    struct wsp_dispatch dispatch = {.event = *event, .outer = target->innermost};
    uint64_t end = target->n_added;
    struct wsp_chain *link;

    /* cppcheck-suppress autoVariables ; taken back below, before dispatch goes */
    target->innermost = &dispatch;
    for (link = target->listeners.next; link != &target->listeners; link = link->next) {
        struct wsp_listener *listener = WSP_CHAIN_ENTRY(link, struct wsp_listener, link);

        if (dispatch.is_stopped || listener->number >= end)
            break;
        if (listener->is_removed || strcmp(listener->type, dispatch.event.type) != 0)
            continue;
        if (listener->is_once)
            listener_mark_removed(target, listener);
        listener->handler(&dispatch.event, listener->userdata);
    }
    target->innermost = dispatch.outer;
    event_target_sweep(target);
}

void wsp_event_target_stop(struct wsp_event_target *target, const struct wsplex_event *event)
{
    struct wsp_dispatch *dispatch = event_target_find_dispatch(target, event);

    if (dispatch)
        dispatch->is_stopped = true;
}
