/* SPDX-License-Identifier: MIT
 *
 * key_index: nodes found by their key, a run of bytes; at most one for each.
 * Neighbours: backlog's items are nodes. Invariant: keys stay as they are as long as their node is
 * in the index; finding one costs as many comparisons as a balanced tree has levels, whatever keys a
 * server makes up.
 */
#ifndef WSPLEX_DAEMON_KEY_INDEX_H
#define WSPLEX_DAEMON_KEY_INDEX_H

#include "proto/buffer.h"

/* Embedded in its owner. */
struct key_node {
    struct wsp_view key;
};

/* All zero is empty. */
struct key_index {
    void *root; /* tsearch(3) */
};

/* The node is in the index from now on, in the place of the one with the same key, which is out then:
 * *ret_before, NULL if there was none. 0; -ENOMEM, and nothing has changed. */
int key_index_put(struct key_index *index, struct key_node *node, struct key_node **ret_before);

/* Takes a node that is in. */
void key_index_remove(struct key_index *index, struct key_node *node);

#endif
