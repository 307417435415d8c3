/*
 * to_ascii: makes ASCII of an international domain name, with a libidn2 that is loaded when the
 * first such name is met, so that a program that never meets one does not need it.
 *
 * proto/url calls it for client-lib/websocket. Invariant: the library is loaded at most once and
 * stays.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_TO_ASCII_H
#define WSP_CLIENT_LIB_TO_ASCII_H

#include <stddef.h>

/* As wsp_to_ascii_fn of proto/url.h: 0, a positive number for a bad name, -ENOSYS, -ENOMEM. */
int wsp_to_ascii(const char *domain, size_t len, char **ret_ascii);

#endif
