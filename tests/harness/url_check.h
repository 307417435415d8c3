/*
 * url_check: what holds of every URL that was parsed, whatever it is.
 *
 * Between the tests of proto/url and the objects it makes.
 *
 * Invariant: it looks at the object only, never at the input.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_URL_CHECK_H
#define WSP_TESTS_HARNESS_URL_CHECK_H

#include "proto/url.h"

/* Fails the test unless the strings and flags agree with each other, and href parses as itself. */
void url_assert_consistent(const struct wsp_url *url);

#endif
