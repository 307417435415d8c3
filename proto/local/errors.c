/*
 * errors: what the local protocol names as wrong, as texts.
 *
 * Between the numbers in ERROR, FAILED, INTERRUPTED, REPLY and GAP and whoever shows them. Invariant:
 * all of it comes from errors.def; see errors.h for the contract. Each table is one string of numbers
 * and texts, "1\0bad-magic\0" "2\0bad-header\0"...: pointers to them would have to be relocated in a
 * shared library, a switch is many times the code, and nobody could leave out the half that is not used.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/errors.h"

#include <string.h>

static const char *text_find(const char *table, unsigned int number, const char *otherwise)
{
    while (*table != '\0') {
        unsigned int here = 0;

        while (*table != '\0')
            here = here * 10 + (unsigned int)(*table++ - '0');
        if (here == number)
            return table + 1;
        table += strlen(table + 1) + 2;
    }
    return otherwise;
}

#define ROW(number, text) #number "\0" text "\0"

const char *wsp_fatal_to_string(unsigned int code)
{
    static const char table[] =
#define WSP_FATAL(number, NAME, name, meaning) ROW(number, name)
#include "proto/local/errors.def"
        ;

    return text_find(table, code, "unknown");
}

const char *wsp_fatal_meaning(unsigned int code)
{
    static const char table[] =
#define WSP_FATAL(number, NAME, name, meaning) ROW(number, meaning)
#include "proto/local/errors.def"
        ;

    return text_find(table, code, "an error that this version does not know");
}

const char *wsp_cause_to_string(unsigned int cause)
{
    static const char table[] =
#define WSP_CAUSE(number, NAME, name, meaning) ROW(number, name)
#include "proto/local/errors.def"
        ;

    return text_find(table, cause, "unknown");
}

const char *wsp_cause_meaning(unsigned int cause)
{
    static const char table[] =
#define WSP_CAUSE(number, NAME, name, meaning) ROW(number, meaning)
#include "proto/local/errors.def"
        ;

    return text_find(table, cause, "an error that this version does not know");
}

const char *wsp_status_to_string(unsigned int status)
{
    static const char table[] = ROW(0, "ok")
#define WSP_STATUS(number, NAME, name, meaning) ROW(number, name)
#include "proto/local/errors.def"
        ;

    return text_find(table, status, "unknown");
}

const char *wsp_status_meaning(unsigned int status)
{
    static const char table[] = ROW(0, "it was done")
#define WSP_STATUS(number, NAME, name, meaning) ROW(number, meaning)
#include "proto/local/errors.def"
        ;

    return text_find(table, status, "an error that this version does not know");
}

const char *wsp_gap_to_string(unsigned int reason)
{
    static const char table[] =
#define WSP_GAP(number, NAME, name, meaning) ROW(number, name)
#include "proto/local/errors.def"
        ;

    return text_find(table, reason, "unknown");
}

const char *wsp_gap_meaning(unsigned int reason)
{
    static const char table[] =
#define WSP_GAP(number, NAME, name, meaning) ROW(number, meaning)
#include "proto/local/errors.def"
        ;

    return text_find(table, reason, "a reason that this version does not know");
}
