/*
 * chain: a circular list whose links are embedded in what is listed.
 *
 * Used by every file of client-lib that keeps objects in an order. Invariant: a link that is in no
 * list points to itself, so that taking it out once more does no harm.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_CHAIN_H
#define WSP_CLIENT_LIB_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

struct wsp_chain {
    struct wsp_chain *previous;
    struct wsp_chain *next;
};

/* The object of the given type that contains the link as the given member. */
#define WSP_CHAIN_ENTRY(link, type, member) \
    ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Makes an empty list, or a link that is in no list. */
static inline void wsp_chain_init(struct wsp_chain *chain)
{
    chain->previous = chain;
    chain->next = chain;
}

static inline bool wsp_chain_is_empty(const struct wsp_chain *chain)
{
    return chain->next == chain;
}

/* Takes the link out of the list that it is in, if it is in one. */
static inline void wsp_chain_remove(struct wsp_chain *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    wsp_chain_init(link);
}

/* Takes the first link out of the list and returns it. NULL: the list is empty. */
static inline struct wsp_chain *wsp_chain_take_first(struct wsp_chain *chain)
{
    struct wsp_chain *first = chain->next;

    if (first == chain)
        return NULL;
    chain->next = first->next;
    chain->next->previous = chain;
    wsp_chain_init(first);
    return first;
}

/* Puts the link at the end of the list, out of any other. */
static inline void wsp_chain_append(struct wsp_chain *chain, struct wsp_chain *link)
{
    wsp_chain_remove(link);
    link->previous = chain->previous;
    link->next = chain;
    chain->previous->next = link;
    chain->previous = link;
}

/* Puts all links of the other list, in their order, at the end of the list. */
static inline void wsp_chain_move(struct wsp_chain *chain, struct wsp_chain *other)
{
    while (!wsp_chain_is_empty(other))
        wsp_chain_append(chain, other->next);
}

#endif
