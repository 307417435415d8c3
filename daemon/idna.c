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

_Static_assert((int)WSP_IDN2_NFC_INPUT == IDN2_NFC_INPUT, "as libidn2 has it");
_Static_assert((int)WSP_IDN2_TRANSITIONAL == IDN2_TRANSITIONAL, "as libidn2 has it");
_Static_assert((int)WSP_IDN2_NONTRANSITIONAL == IDN2_NONTRANSITIONAL, "as libidn2 has it");
_Static_assert((int)WSP_IDN2_NO_ALABEL_ROUNDTRIP == IDN2_NO_ALABEL_ROUNDTRIP, "as libidn2 has it");
_Static_assert((int)WSP_IDN2_OK == IDN2_OK, "as libidn2 has it");
_Static_assert((int)WSP_IDN2_MALLOC == IDN2_MALLOC, "as libidn2 has it");
_Static_assert((int)WSP_IDN2_DISALLOWED == IDN2_DISALLOWED, "as libidn2 has it");
_Static_assert((int)WSP_IDN2_ALABEL_ROUNDTRIP_FAILED == IDN2_ALABEL_ROUNDTRIP_FAILED,
               "as libidn2 has it");

int idna_to_ascii(const char *domain, size_t len, char **ret_ascii)
{
    static const struct wsp_idna_library library = {
        .idn2_to_ascii_8z = idn2_to_ascii_8z,
        .idn2_free = idn2_free,
    };

    return wsp_idna_to_ascii(&library, domain, len, ret_ascii);
}
