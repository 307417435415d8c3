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

/* A function that finds the number in the table. */
#define TEXTS(function, table, otherwise)           \
    const char *function(unsigned int number)       \
    {                                               \
        return text_find(table, number, otherwise); \
    }

#define UNKNOWN_NAME  "unknown"
#define UNKNOWN_ERROR "an error that this version does not know"

static const char fatal_names[] =
#define WSP_FATAL(number, NAME, name, meaning) ROW(number, name)
#include "proto/local/errors.def"
    ;

static const char fatal_meanings[] =
#define WSP_FATAL(number, NAME, name, meaning) ROW(number, meaning)
#include "proto/local/errors.def"
    ;

TEXTS(wsp_fatal_to_string, fatal_names, UNKNOWN_NAME)
TEXTS(wsp_fatal_meaning, fatal_meanings, UNKNOWN_ERROR)

static const char cause_names[] =
#define WSP_CAUSE(number, NAME, name, meaning) ROW(number, name)
#include "proto/local/errors.def"
    ;

static const char cause_meanings[] =
#define WSP_CAUSE(number, NAME, name, meaning) ROW(number, meaning)
#include "proto/local/errors.def"
    ;

TEXTS(wsp_cause_to_string, cause_names, UNKNOWN_NAME)
TEXTS(wsp_cause_meaning, cause_meanings, UNKNOWN_ERROR)

static const char status_names[] = ROW(0, "ok")
#define WSP_STATUS(number, NAME, name, meaning) ROW(number, name)
#include "proto/local/errors.def"
    ;

static const char status_meanings[] = ROW(0, "it was done")
#define WSP_STATUS(number, NAME, name, meaning) ROW(number, meaning)
#include "proto/local/errors.def"
    ;

TEXTS(wsp_status_to_string, status_names, UNKNOWN_NAME)
TEXTS(wsp_status_meaning, status_meanings, UNKNOWN_ERROR)

static const char gap_names[] =
#define WSP_GAP(number, NAME, name, meaning) ROW(number, name)
#include "proto/local/errors.def"
    ;

static const char gap_meanings[] =
#define WSP_GAP(number, NAME, name, meaning) ROW(number, meaning)
#include "proto/local/errors.def"
    ;

TEXTS(wsp_gap_to_string, gap_names, UNKNOWN_NAME)
TEXTS(wsp_gap_meaning, gap_meanings, "a reason that this version does not know")
