/*
 * to_ascii: see to_ascii.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/to_ascii.h"

#include <dlfcn.h>
#include <errno.h>

#include "proto/idna.h"

int wsp_to_ascii(const char *domain, size_t len, char **ret_ascii)
{
    /* Opening it again only finds it; closing it would make every such name load it anew. */
    void *idn2 = dlopen("libidn2.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    struct wsp_idna_library library = {0};
    int r = -ENOSYS;

    if (!idn2)
        return -ENOSYS;
    /* POSIX's way to make a function pointer of what dlsym() gives. */
    *(void **)&library.idn2_to_ascii_8z = dlsym(idn2, "idn2_to_ascii_8z");
    *(void **)&library.idn2_free = dlsym(idn2, "idn2_free");
    if (library.idn2_to_ascii_8z && library.idn2_free)
        r = wsp_idna_to_ascii(&library, domain, len, ret_ascii);
    dlclose(idn2);
    return r;
}
