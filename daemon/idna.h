/*
 * idna: international domain names, by libidn2.
 *
 * Between the URL parser of proto, which takes such a function as an argument because proto links
 * libc only, and libidn2. The daemon, ctl and the tests compile this one file.
 *
 * Invariant: only memory is touched; the same name always gives the same answer, in any locale.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_DAEMON_IDNA_H
#define WSP_DAEMON_IDNA_H

#include <stddef.h>

/* Is a wsp_to_ascii_fn of proto/url.h, whose contract it keeps; never answers -ENOSYS. */
int idna_to_ascii(const char *domain, size_t len, char **ret_ascii);

#endif
