/* SPDX-License-Identifier: MIT
 *
 * numbers: finds what a number stands for. The number is a member of the object, so that the object
 * is found back with LIST_ENTRY; the tree is tsearch(3)'s.
 * Neighbours: client_channel keeps a client's channels by it.
 * Invariant: a number that is in the tree does not change, and is there once.
 */
#ifndef WSPLEX_DAEMON_NUMBERS_H
#define WSPLEX_DAEMON_NUMBERS_H

#include <stdint.h>

/* *tree is NULL while it is empty, and is freed when the last number has been removed. */

/* 0, -ENOMEM. The number must not be there yet. */
int numbers_add(void **tree, uint32_t *number);

/* The member that was added, or NULL. */
uint32_t *numbers_find(void *const *tree, uint32_t number);

/* The number must be there. */
void numbers_remove(void **tree, const uint32_t *number);

#endif
