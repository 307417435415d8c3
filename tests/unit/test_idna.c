/*
 * test_idna: what the URL standard asks of domains outside ASCII, and where libidn2 differs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/idna.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* A domain and what it is in ASCII, or NULL where it is not valid. */
struct row {
    const char *domain;
    const char *ascii;
};

static void assert_rows(const struct row *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) {
        char *ascii = NULL;
        int r = idna_to_ascii(rows[i].domain, strlen(rows[i].domain), &ascii);

        ck_assert_msg(r == (rows[i].ascii == NULL ? 1 : 0), "%s: %d", rows[i].domain, r);
        if (r != 0) {
            ck_assert_ptr_null(ascii);
            continue;
        }
        ck_assert_msg(strcmp(ascii, rows[i].ascii) == 0, "%s: %s", rows[i].domain, ascii);
        free(ascii);
    }
}

START_TEST(as_the_standard_says)
{
    static const struct row rows[] = {
        {"\u00E9", "xn--9ca"},
        {"e\u0301", "xn--9ca"},
        {"\u00C9.EXAMPLE", "xn--9ca.example"},
        {"b\u00FCcher.\u4F60\u597D", "xn--bcher-kva.xn--6qq79v"},
        /* The other dots; empty labels stay (VerifyDnsLength=false). */
        {"\u00E9\u3002a\uFF0Eb\uFF61c", "xn--9ca.a.b.c"},
        {"\u00E9.", "xn--9ca."},
        {".\u00E9..a", ".xn--9ca..a"},
        /* Mapped characters, and those that go away. */
        {"\uFF27\uFF4F.com", "go.com"},
        {"\u00AD", ""},
        {"a\u00ADb", "ab"},
        {"GOO\u200B\u2060\uFEFFgoo.com", "googoo.com"},
        /* Non-transitional: the deviation characters stay what they are. */
        {"fa\u00DF", "xn--fa-hia"},
        {"\u03C2", "xn--3xa"},
        {"\u0915\u094D\u200D", "xn--11b6iy14e"},
        /* CheckJoiners */
        {"a\u200Db", NULL},
        {"\u00E9.xn--1ug", NULL},
        /* CheckBidi */
        {"\u05D0a", NULL},
        {"\u05D0\u05D1", "xn--4dbc"},
        /* Symbols, which IDNA2008 does not have. */
        {"\U0001F4A9", "xn--ls8h"},
        {"\u2615.example", "xn--53h.example"},
        {"\u00E9\u2603", "xn--9ca011q"},
        {"\u00E9.XN--LS8H", "xn--9ca.xn--ls8h"},
        {"fa\u00DF.\U0001F4A9", "xn--fa-hia.xn--ls8h"},
        /* UseSTD3ASCIIRules=false; the URL parser looks at the answer for what no host may have. */
        {"\u00E9_*.a!b", "xn--_*-9ia.a!b"},
        {"\u00E9<", "xn--<-9fa"},
        {"\uFF05", "%"},
        /* Labels in ASCII: any hyphens, but their Punycode is checked in this company. */
        {"\u00E9.-a-.b--c", "xn--9ca.-a-.b--c"},
        {"\u00E9.xn--fa-hia", "xn--9ca.xn--fa-hia"},
        {"\u00E9.xn--", NULL},
        {"\u00E9.xn--a", NULL},
        {"\u00E9.xn--pokxncvks", NULL},
        {"\u00E9.xn--8i7caa", NULL},
        {"xn--\u00E9", NULL},
        /* Not valid at all. */
        {"\uFFFD", NULL},
        {"\uFDD0zyx", NULL},
        {"\uE000", NULL},
        {"\u0301a", NULL},
        /* No limit on the domain. */
        {"\u00E9." LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63,
         "xn--9ca." LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63},
        {"\u00E9.a" LABEL_63, "xn--9ca.a" LABEL_63},
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

/* Named in proto/idna.h: when one of these rows fails, libidn2 has come nearer to the standard. */
START_TEST(where_libidn2_differs)
{
    static const struct row rows[] = {
        {"-\u00E9", NULL},
        {"\u00E9-", NULL},
        {"ab--\u00E9", NULL},
        {"\u00E9" LABEL_63, NULL},
        {"fa\u2603\u00DF", NULL},
        {"1.\u05D0", "1.xn--4db"},
        {"\u05D0\u2603a", "xn--a-zhc348v"},
    };

    assert_rows(rows, N_OF(rows));
}
END_TEST

START_TEST(zero_is_in_no_domain)
{
    char *ascii = NULL;

    ck_assert_int_eq(idna_to_ascii("\u00E9\0a", 4, &ascii), 1);
    ck_assert_int_eq(idna_to_ascii("\0\u00E9", 3, &ascii), 1);
    ck_assert_ptr_null(ascii);
}
END_TEST

START_TEST(only_len_bytes_count)
{
    char *ascii;

    ck_assert_int_eq(idna_to_ascii("\u00E9.com:80", 6, &ascii), 0);
    ck_assert_str_eq(ascii, "xn--9ca.com");
    free(ascii);
}
END_TEST

/* libidn2's own allocations are behind the linker's wrap; ours all fail in turn. */
START_TEST(every_allocation_fails_in_turn)
{
    const char *domain = "\u00E9.example.\U0001F4A9";
    bool has_failed = true;
    size_t n = 0;

    for (; has_failed; n++) {
        char *ascii = NULL;
        int r;

        allocation_fail_after(n);
        r = idna_to_ascii(domain, strlen(domain), &ascii);
        has_failed = allocation_disarm();
        ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
        ck_assert((ascii == NULL) == has_failed);
        free(ascii);
    }
    ck_assert_uint_gt(n, 3);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("idna");
    TCase *tcase = unit_case(suite, "domains");

    tcase_add_test(tcase, as_the_standard_says);
    tcase_add_test(tcase, where_libidn2_differs);
    tcase_add_test(tcase, zero_is_in_no_domain);
    tcase_add_test(tcase, only_len_bytes_count);
    tcase_add_test(tcase, every_allocation_fails_in_turn);
    return suite;
}
