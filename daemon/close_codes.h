/* SPDX-License-Identifier: MIT
 *
 * close_codes: lists of close codes and ranges of them, as final-codes has them: "1008",
 * "4010-4014".
 * Neighbours: option_text checks what is configured, reconnect asks what is final.
 * Invariant: what passes close_codes_check is understood by close_codes_have.
 */
#ifndef WSPLEX_DAEMON_CLOSE_CODES_H
#define WSPLEX_DAEMON_CLOSE_CODES_H

#include <stdbool.h>

#include "daemon/target.h"
#include "proto/buffer.h"

/* One code that a server may send, or two with a hyphen between them, the smaller first. */
bool close_codes_check(struct wsp_view text);

/* Whether one of the list is the code, or a range that it is in. */
bool close_codes_have(const struct strings *codes, unsigned code);

/* What holds where nothing is configured, NULL after the last:
 *   1002        we do not speak its protocol: it is the same the next time
 *   1008        who we are, or what we want, is against its policy
 *   1010        it needs an extension that we do not have
 *   3000, 3003  unauthorized, forbidden, by IANA's registry
 * Not among them is what is said of one message (1003, 1007, 1009): what was sent is not sent again, and one program's
 * mistake would take the connection from all others. */
const char *const *close_codes_default(void);

#endif
