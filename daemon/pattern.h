/* SPDX-License-Identifier: MIT
 *
 * pattern: which message of a server an endpoint means, and what is to be said to it.
 * Neighbours: heartbeat asks for each message that comes, option_text judges what is configured;
 * json_span finds the members.
 * Invariant: a pattern and a reply without flaw have one meaning, and depend on nothing but the
 * message.
 *
 * A pattern is a message, byte for byte; or "/pointer=value", a JSON pointer (RFC 6901) to a member of a
 * message that is JSON, and the member's value: of a string what is between the quotation marks, of a
 * number or a word what stands there. Escapes in it are not resolved. The first "=" divides the two.
 *
 * A reply is a text in which %{/pointer} stands for such a member, as it stands in the message, the
 * quotation marks of a string included.
 */
#ifndef WSPLEX_DAEMON_PATTERN_H
#define WSPLEX_DAEMON_PATTERN_H

#include <stdbool.h>

#include "proto/buffer.h"

/* What is wrong with the text, to be said behind the name of its option; NULL: nothing. Static. */
const char *pattern_flaw(struct wsp_view pattern);
const char *reply_flaw(struct wsp_view reply);

bool pattern_matches(struct wsp_view pattern, struct wsp_view message);

/* The reply to that message, a new string. 0; -ENOMEM; 1: the message has not what the reply needs, or
 * the reply would be longer than MAX_HEARTBEAT_LEN. */
int reply_new(struct wsp_view reply, struct wsp_view message, char **ret_text);

#endif
