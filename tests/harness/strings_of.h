/*
 * strings_of: a list of strings, as one text of a test's table.
 *
 * Between such a table and whatever takes a struct strings.
 *
 * Invariant: what the text says is in the list, or the test has failed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_STRINGS_OF_H
#define WSPLEX_TESTS_HARNESS_STRINGS_OF_H

#include <check.h>
#include <string.h>

#include "daemon/target.h"

/* Separated by semicolons; the caller is the owner. */
static inline struct strings strings_of(const char *text)
{
    struct strings list = {0};

    while (*text != '\0') {
        size_t len = strcspn(text, ";");

        ck_assert_int_eq(strings_add(&list, text, len), 0);
        text += len + (text[len] == ';');
    }
    return list;
}

#endif
