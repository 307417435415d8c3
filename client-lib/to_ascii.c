/*
 * to_ascii: see to_ascii.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/to_ascii.h"

#include <dlfcn.h>
#include <errno.h>
#include <idn2.h> /* for its constants: it is not linked */

#include "proto/idna.h"

int wsp_to_ascii(const char *domain, size_t len, char **ret_ascii)
{
    /* Opening it again only finds it; closing it would make every such name load it anew. */
    void *idn2 = dlopen("libidn2.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    struct wsp_idna_library library = WSP_IDNA_LIBRARY(NULL, NULL);
    int r = -ENOSYS;

    if (!idn2)
        return -ENOSYS;
    /* POSIX's way to make a function pointer of what dlsym() gives. */
    *(void **)&library.to_ascii = dlsym(idn2, "idn2_to_ascii_8z");
    *(void **)&library.free = dlsym(idn2, "idn2_free");
    if (library.to_ascii && library.free)
        r = wsp_idna_to_ascii(&library, domain, len, ret_ascii);
    dlclose(idn2);
    return r;
}
