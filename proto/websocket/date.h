/*
 * date: HTTP's dates (RFC 9110, section 5.6.7).
 *
 * Under verdict.c, which reads Retry-After and Date with it. Invariant: no clock is asked; what time
 * it is comes as an argument.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_DATE_H
#define WSPLEX_PROTO_WEBSOCKET_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buffer.h"

/*
 * The seconds from 1970-01-01 00:00:00 UTC to the date that text is, in any of the three forms that
 * a recipient has to know; false when it is none. now_s, on the same scale, decides of which century
 * a year of two digits is. The name of the weekday is not compared with the date.
 */
bool wsp_date_read(struct wsp_view text, int64_t now_s, int64_t *ret_s);

#endif
