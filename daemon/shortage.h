/* SPDX-License-Identifier: MIT
 *
 * shortage: which errors say that this machine has run out of something, so that no peer is to blame
 * and waiting may help.
 * Neighbours: listener and connect, who make descriptors.
 * Invariant: no error that a peer can bring about is among them.
 */
#ifndef WSPLEX_DAEMON_SHORTAGE_H
#define WSPLEX_DAEMON_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/* error is an errno. */
static inline bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

#endif
