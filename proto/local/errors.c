/*
 * The errors that the local protocol names, as texts.
 *
 * Between the numbers in ERROR, FAILED and REPLY and whoever shows them. Invariant: all of it comes
 * from errors.def; see errors.h for the contract.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/errors.h"

struct error {
    unsigned int number;
    const char *name;
    const char *meaning;
};

/* Each table ends with the row for what is not in it. */
#define UNKNOWN                                                  \
    {                                                            \
        0, "unknown", "an error that this version does not know" \
    }

static const struct error fatals[] = {
#define WSP_FATAL(number, NAME, name, meaning) {number, name, meaning},
#include "proto/local/errors.def"
    UNKNOWN,
};

static const struct error causes[] = {
#define WSP_CAUSE(number, NAME, name, meaning) {number, name, meaning},
#include "proto/local/errors.def"
    UNKNOWN,
};

static const struct error statuses[] = {
#define WSP_STATUS(number, NAME, name, meaning) {number, name, meaning},
#include "proto/local/errors.def"
    UNKNOWN,
};

static const struct error *find(const struct error *error, unsigned int number)
{
    while (error->number != number && error->number != 0)
        error++;
    return error;
}

const char *wsp_fatal_to_string(unsigned int code)
{
    return find(fatals, code)->name;
}

const char *wsp_fatal_meaning(unsigned int code)
{
    return find(fatals, code)->meaning;
}

const char *wsp_cause_to_string(unsigned int cause)
{
    return find(causes, cause)->name;
}

const char *wsp_cause_meaning(unsigned int cause)
{
    return find(causes, cause)->meaning;
}

const char *wsp_status_to_string(unsigned int status)
{
    return status == WSP_STATUS_OK ? "ok" : find(statuses, status)->name;
}

const char *wsp_status_meaning(unsigned int status)
{
    return status == WSP_STATUS_OK ? "it was done" : find(statuses, status)->meaning;
}
