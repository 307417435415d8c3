/* SPDX-License-Identifier: MIT
 *
 * numbers: tsearch(3) for numbers, in a file of its own because <search.h> takes the name struct entry, which is log's.
 * Neighbours and invariant: numbers.h.
 */
#include "daemon/numbers.h"

#include <errno.h>
#include <search.h>
#include <stddef.h>

static int compare(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;

    return *left < *right ? -1 : *left > *right;
}

int numbers_add(void **tree, uint32_t *number)
{
    return tsearch(number, tree, compare) ? 0 : -ENOMEM;
}

uint32_t *numbers_find(void *const *tree, uint32_t number)
{
    uint32_t **node = tfind(&number, tree, compare);

    return node ? *node : NULL;
}

void numbers_remove(void **tree, const uint32_t *number)
{
    tdelete(number, tree, compare);
}
