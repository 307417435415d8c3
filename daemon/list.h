/* SPDX-License-Identifier: MIT
 *
 * list: the intrusive doubly linked list of the daemon's objects. An object that sits in a list
 * embeds a struct list and is found back with LIST_ENTRY. Invariant: a node that is in no list
 * points at itself, so list_remove may be called at any time. Of a half-built object, whose head is still
 * zeros, list_first and list_take_first give nothing: so it can be taken down as any other.
 */
#ifndef WSPLEX_DAEMON_LIST_H
#define WSPLEX_DAEMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Walks head; the current node may be removed (and freed) in the body, no other. */
#define LIST_FOR_EACH(node, head)                                                     \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
         node = node##_next, node##_next = node->next)

static inline void list_init(struct list *node)
{
    node->prev = node->next = node;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

/* The node is a member of some list. */
static inline bool list_is_linked(const struct list *node)
{
    return node->next != node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Takes the node out of where it is and makes it the last of head. */
static inline void list_append(struct list *head, struct list *node)
{
    list_remove(node);
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Takes the node out of where it is and makes it the first of head. */
static inline void list_prepend(struct list *head, struct list *node)
{
    list_remove(node); /* it may be the first already */
    list_append(head->next, node);
}

/* Moves all of from, in its order, behind the last of to. With a list of one's own it makes a walk
 * that survives anything: splice, then take the first and append it back until none is left. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

/* Takes the first node out of the list and returns it, or NULL. */
static inline struct list *list_take_first(struct list *head)
{
    struct list *first = head->next;

    if (first == head || first == NULL)
        return NULL;
    head->next = first->next;
    head->next->prev = head;
    list_init(first);
    return first;
}

/* The first node, or NULL. */
#ifdef __clang_analyzer__
/* It does not see that list_remove() of the first one changes head, and would find what was freed behind that. */
struct list *list_first(const struct list *head);
#else
static inline struct list *list_first(const struct list *head)
{
    return list_is_empty(head) ? NULL : head->next;
}
#endif

#endif
