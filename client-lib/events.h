/*
 * events: the EventTarget of a WebSocket object: its listeners, its four handlers, and how they are
 * called (DOM standard, "Dispatching events"; HTML standard, "Event handlers").
 *
 * On the way of a message it stands between the object (client-lib/websocket) and the program's
 * handlers. Invariant: while an event is being dispatched no listener's memory goes away and none
 * is moved; what is removed is only marked, and swept when the last dispatch has ended. So a
 * handler may do anything to the target, and dispatching allocates nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_EVENTS_H
#define WSP_CLIENT_LIB_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/chain.h"
#include "client-lib/wsplex.h"

/* The event handler attributes of a WebSocket. */
enum wsp_attribute {
    WSP_ATTRIBUTE_ON_OPEN,
    WSP_ATTRIBUTE_ON_MESSAGE,
    WSP_ATTRIBUTE_ON_ERROR,
    WSP_ATTRIBUTE_ON_CLOSE,
    WSP_N_ATTRIBUTES,
};

/* The type of the attribute's events: "open", "message", "error", "close". */
const char *wsp_attribute_to_type(enum wsp_attribute attribute);

struct wsp_listener;
struct wsp_dispatch;

struct wsp_event_target {
    struct wsp_chain listeners; /* in the order of registration */
    struct wsp_listener *attributes[WSP_N_ATTRIBUTES];
    struct wsp_dispatch *innermost; /* the dispatches under way, each knows the one around it */
    uint64_t n_added;               /* how many listeners there have ever been */
    bool has_removed;               /* some listener is marked and waits to be swept */
};

/* Makes a target without listeners; allocates nothing. */
void wsp_event_target_init(struct wsp_event_target *target);

/* Frees the listeners. No dispatch may be under way. */
void wsp_event_target_deinit(struct wsp_event_target *target);

/* Removes all listeners and handlers: no further one is called, also by a dispatch under way. */
void wsp_event_target_clear(struct wsp_event_target *target);

/* Sets or, with NULL, takes away the handler of an attribute. 0, or -ENOMEM. */
int wsp_event_target_set_handler(struct wsp_event_target *target, enum wsp_attribute attribute,
                                 wsplex_event_handler handler, void *userdata);

/* addEventListener(). 0, also when it is there already; -ENOMEM. type is copied. */
int wsp_event_target_add(struct wsp_event_target *target, const char *type,
                         wsplex_event_handler handler, void *userdata, bool is_once);

/* removeEventListener(). */
void wsp_event_target_remove(struct wsp_event_target *target, const char *type,
                             wsplex_event_handler handler, void *userdata);

/* The event is one that this target is dispatching: its address is that of the handlers'
 * argument. */
bool wsp_event_target_is_dispatching(const struct wsp_event_target *target,
                                     const struct wsplex_event *event);

/* Calls whoever listens to event->type, with a copy of the event. */
void wsp_event_target_dispatch(struct wsp_event_target *target, const struct wsplex_event *event);

/* No further listener gets the event, if it is one that is being dispatched. */
void wsp_event_target_stop(struct wsp_event_target *target, const struct wsplex_event *event);

#endif
