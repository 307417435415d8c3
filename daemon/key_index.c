/* SPDX-License-Identifier: MIT
 *
 * key_index: a balanced tree of the C library's. A file of its own, as its header has a struct entry.
 * Between backlog and tsearch(3). Invariant: see key_index.h.
 */
#include "daemon/key_index.h"

#include <errno.h>
#include <search.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    struct wsp_view left = ((const struct key_node *)a)->key;
    struct wsp_view right = ((const struct key_node *)b)->key;

    if (left.len != right.len)
        return left.len < right.len ? -1 : 1;
    return left.len == 0 ? 0 : memcmp(left.data, right.data, left.len);
}

int key_index_put(struct key_index *index, struct key_node *node, struct key_node **ret_before)
{
    struct key_node **place = tsearch(node, &index->root, compare);
    struct key_node *before;

    if (place == NULL)
        return -ENOMEM;
    before = *place;
    *place = node;
    *ret_before = before == node ? NULL : before;
    return 0;
}

void key_index_remove(struct key_index *index, struct key_node *node)
{
    tdelete(node, &index->root, compare);
}
