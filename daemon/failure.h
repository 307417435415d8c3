/* SPDX-License-Identifier: MIT
 *
 * failure: why something ended other than cleanly, told once where it is found and carried
 * unchanged to the log line, to the channel's `error` event and to ctl. Invariant: the text never
 * holds a payload, a credential or a URL's query.
 */
#ifndef WSPLEX_DAEMON_FAILURE_H
#define WSPLEX_DAEMON_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

struct failure {
    bool
        is_lasting; /* it will be so again, until a person has changed something: nobody comes back after it */
    uint16_t cause;       /* enum wsp_cause of proto/local/errors.def; 0: none */
    uint16_t http_status; /* of the server's answer, 0 where there was none */
    uint32_t retry_after; /* seconds that this answer asks to wait; 0: it does not say */
    char text[240];       /* one line for people: what was wrong, and what would be right */
};

/* Fills all but retry_after and is_lasting, which become 0; text is cut to fit and made printable UTF-8 (it may quote a hostile server). */
void failure_set(struct failure *failure, uint16_t cause, uint16_t http_status, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

#endif
