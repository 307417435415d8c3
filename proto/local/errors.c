/*
 * errors: what the local protocol names as wrong, as texts.
 *
 * Between the numbers in ERROR, FAILED, INTERRUPTED, REPLY and GAP and whoever shows them. Invariant: all of it comes
 * from errors.def; see errors.h for the contract. Switches and no tables: a table of pointers is three
 * times the size in a shared library, and nobody can leave out the half that is not used.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/errors.h"

#define RETURN(number, text) \
    case number: return text;

const char *wsp_fatal_to_string(unsigned int code)
{
    switch (code) {
#define WSP_FATAL(number, NAME, name, meaning) RETURN(number, name)
#include "proto/local/errors.def"
    default: return "unknown";
    }
}

const char *wsp_fatal_meaning(unsigned int code)
{
    switch (code) {
#define WSP_FATAL(number, NAME, name, meaning) RETURN(number, meaning)
#include "proto/local/errors.def"
    default: return "an error that this version does not know";
    }
}

const char *wsp_cause_to_string(unsigned int cause)
{
    switch (cause) {
#define WSP_CAUSE(number, NAME, name, meaning) RETURN(number, name)
#include "proto/local/errors.def"
    default: return "unknown";
    }
}

const char *wsp_cause_meaning(unsigned int cause)
{
    switch (cause) {
#define WSP_CAUSE(number, NAME, name, meaning) RETURN(number, meaning)
#include "proto/local/errors.def"
    default: return "an error that this version does not know";
    }
}

const char *wsp_status_to_string(unsigned int status)
{
    switch (status) {
    case WSP_STATUS_OK: return "ok";
#define WSP_STATUS(number, NAME, name, meaning) RETURN(number, name)
#include "proto/local/errors.def"
    default: return "unknown";
    }
}

const char *wsp_status_meaning(unsigned int status)
{
    switch (status) {
    case WSP_STATUS_OK: return "it was done";
#define WSP_STATUS(number, NAME, name, meaning) RETURN(number, meaning)
#include "proto/local/errors.def"
    default: return "an error that this version does not know";
    }
}

const char *wsp_gap_to_string(unsigned int reason)
{
    switch (reason) {
#define WSP_GAP(number, NAME, name, meaning) RETURN(number, name)
#include "proto/local/errors.def"
    default: return "unknown";
    }
}

const char *wsp_gap_meaning(unsigned int reason)
{
    switch (reason) {
#define WSP_GAP(number, NAME, name, meaning) RETURN(number, meaning)
#include "proto/local/errors.def"
    default: return "a reason that this version does not know";
    }
}
