/*
 * errors: what the local protocol names as wrong, as enums and texts.
 *
 * local/wire and local/message find the first kind, the daemon writes all of them into ERROR,
 * FAILED, INTERRUPTED, REPLY and GAP, library and wsplexctl show them. Invariant: all of it comes from errors.def.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_LOCAL_ERRORS_H
#define WSP_PROTO_LOCAL_ERRORS_H

#include <stdint.h>

/* Why the daemon ends a connection: field code of ERROR. */
enum wsp_fatal {
#define WSP_FATAL(number, NAME, name, meaning) WSP_FATAL_##NAME = number,
#include "proto/local/errors.def"
};

/* Why a channel failed or its upstream was interrupted: field cause of FAILED and INTERRUPTED. */
enum wsp_cause {
#define WSP_CAUSE(number, NAME, name, meaning) WSP_CAUSE_##NAME = number,
#include "proto/local/errors.def"
};

/* Why a request failed: field status of REPLY. */
enum wsp_status {
    WSP_STATUS_OK = 0,
#define WSP_STATUS(number, NAME, name, meaning) WSP_STATUS_##NAME = number,
#include "proto/local/errors.def"
};

/* Why messages are missing: field reason of GAP. */
enum wsp_gap {
#define WSP_GAP(number, NAME, name, meaning) WSP_GAP_##NAME = number,
#include "proto/local/errors.def"
};

/*
 * The name ("bad-magic") and the meaning (a clause without a full stop) of a number that came from
 * the other side. Static, never NULL; a number that this version does not know is named "unknown".
 */
const char *wsp_fatal_to_string(unsigned int code);
const char *wsp_fatal_meaning(unsigned int code);
const char *wsp_cause_to_string(unsigned int cause);
const char *wsp_cause_meaning(unsigned int cause);
const char *wsp_status_to_string(unsigned int status);
const char *wsp_status_meaning(unsigned int status);
const char *wsp_gap_to_string(unsigned int reason);
const char *wsp_gap_meaning(unsigned int reason);

#endif
