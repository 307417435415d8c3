/*
 * socket_path: see socket_path.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static int address_set(struct sockaddr_un *ret_address, const char *folder, const char *path)
{
    int len;

    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    len = snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s%s", folder, path);
    if (len < 0 || (size_t)len >= sizeof(ret_address->sun_path))
        return -ENAMETOOLONG;
    return 0;
}

static const char *environment_get(const char *name)
{
    const char *value = secure_getenv(name);

    return value && value[0] != '\0' ? value : NULL;
}

int wsp_socket_path_get(const char *explicit_path, unsigned int n, struct sockaddr_un *ret_address)
{
    const char *folder;

    if (!explicit_path)
        explicit_path = environment_get("WSPLEX_SOCKET");
    if (explicit_path)
        return n == 0 ? address_set(ret_address, "", explicit_path) : 1;
    folder = environment_get("XDG_RUNTIME_DIR");
    if (folder && n == 0)
        return address_set(ret_address, folder, "/wsplex/wsplex.sock");
    if (n == (folder ? 1 : 0))
        return address_set(ret_address, "", WSP_SOCKET_PATH_MACHINE);
    return 1;
}
