/*
 * idna: international domain names, by libidn2; see idna.h.
 *
 * Between proto/idna, which knows what to ask, and libidn2, which the program is linked with.
 *
 * Invariant: only memory is touched; the same name always gives the same answer, in any locale.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/idna.h"

#include <idn2.h>

#include "proto/idna.h"

int idna_to_ascii(const char *domain, size_t len, char **ret_ascii)
{
    static const struct wsp_idna_library library = WSP_IDNA_LIBRARY(idn2_to_ascii_8z, idn2_free);

    return wsp_idna_to_ascii(&library, domain, len, ret_ascii);
}
