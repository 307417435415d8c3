/*
 * socket_path: where the daemon may be, in the order in which to look.
 *
 * connection asks it before it connects. Invariant: what it gives are paths that fit into a socket
 * address.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_SOCKET_PATH_H
#define WSP_CLIENT_LIB_SOCKET_PATH_H

#include <sys/un.h>

/* Where a daemon of the whole machine listens. */
#define WSP_SOCKET_PATH_MACHINE "/run/wsplex/wsplex.sock"

/*
 * The n-th place, counted from 0: explicit_path alone if it is not NULL; else $WSPLEX_SOCKET alone
 * if that is set; else the user's and then the machine's. 0 and *ret_address; 1 if there is no such
 * place; -ENAMETOOLONG, and as much of the path as fits.
 */
int wsp_socket_path_get(const char *explicit_path, unsigned int n, struct sockaddr_un *ret_address);

#endif
