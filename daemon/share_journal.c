/* SPDX-License-Identifier: MIT
 *
 * share_journal: what is logged of a share's life; see share_journal.h.
 * Between shares, whose server passes on what happens, and journal.
 * Invariant: no line has a payload, a credential, a URL's query or a server's reason.
 */
#include "daemon/share_journal.h"

#include <inttypes.h>

#include "daemon/shares.h"
#include "daemon/upstream.h"
#include "proto/local/errors.h"

/* Not what somebody here has asked for. */
bool share_has_failed(const struct share *share)
{
    uint16_t cause = share->ending.failure.cause;

    return share->state == SHARE_ENDED && cause != 0 && cause != WSP_CAUSE_CANCELLED &&
           cause != WSP_CAUSE_SHUTDOWN;
}

/* What a server's code says of what it was sent (RFC 6455 section 7.4.1); NULL for all that says nothing of it. */
static const char *code_blame(unsigned code)
{
    switch (code) {
    case 1002: return "what it was sent is against the protocol";
    case 1003: return "it does not take messages of the type that it was sent";
    case 1007: return "a message that it was sent is not what its type says";
    case 1009: return "a message that it was sent is too big for it";
    default: return NULL;
    }
}

static void log_end(struct journal *journal, const struct share *share, const char *display)
{
    const struct ending *ending = &share->ending;
    const char *blame = code_blame(ending->code);

    if (share_has_failed(share))
        journal_log(journal, JOURNAL_UPSTREAM_FAILED, share->id, "%s: %s: %s", display,
                    wsp_cause_to_string(ending->failure.cause), ending->failure.text);
    else if (blame)
        journal_log(journal, JOURNAL_UPSTREAM_BLAMED, share->id,
                    "%s: the server has closed with code %u: %s", display, ending->code, blame);
    else
        journal_log(journal, JOURNAL_UPSTREAM_CLOSED, share->id, "%s: code %u%s%s", display,
                    ending->code, ending->failure.cause ? ": " : "", ending->failure.text);
}

/* The series of attempts has come to its end. */
static void log_back(struct journal *journal, const struct share *share, const char *display)
{
    const struct reconnect *reconnect = &share->reconnect;
    bool is_away = reconnect->away_ms > 0;
    uint64_t since_ms = is_away ? reconnect->away_ms : share->created_ms;

    journal_log(journal, JOURNAL_UPSTREAM_BACK, share->id,
                "%s: open%s after %" PRIu64 " s, at attempt %u", display, is_away ? " again" : "",
                (share->opened_ms - since_ms) / 1000, reconnect->n_failed + 1);
}

void share_journal_changed(struct journal *journal, const struct share *share)
{
    const struct opening *opening;
    char display[TARGET_DISPLAY_LEN];

    target_display(share->target, display);
    switch (share->state) {
    case SHARE_CONNECTING:
        journal_log(journal, JOURNAL_UPSTREAM_OPENING, share->id, "%s, %s, for uid %u", display,
                    share->is_shared ? "shared" : "private", share->owner->uid);
        break;
    case SHARE_OPEN:
        opening = upstream_opening(share->upstream);
        journal_log(journal, JOURNAL_UPSTREAM_OPEN, share->id, "%s %s %s%s%s", display,
                    share->target->proxy ? "through the proxy" : "at", opening->address,
                    opening->tls[0] ? ", " : "", opening->tls);
        if (share->reconnect.n_troubles > 0)
            log_back(journal, share, display);
        break;
    case SHARE_RECONNECTING:
    case SHARE_CLOSING: break;
    case SHARE_ENDED: log_end(journal, share, display); break;
    }
}

/* People see the first of a series, and then that it is over. */
void share_journal_trouble(struct journal *journal, const struct share *share)
{
    const struct ending *ending = &share->ending;
    enum journal_line line =
        share->reconnect.n_troubles == 1 ? JOURNAL_UPSTREAM_AWAY : JOURNAL_UPSTREAM_ATTEMPT;
    char display[TARGET_DISPLAY_LEN];

    target_display(share->target, display);
    if (ending->failure.cause != 0)
        journal_log(journal, line, share->id, "%s: %s: %s; next attempt in %" PRIu64 " ms", display,
                    wsp_cause_to_string(ending->failure.cause), ending->failure.text,
                    reconnect_wait_ms(share));
    else
        journal_log(journal, line, share->id,
                    "%s: the server has closed with code %u; next attempt in %" PRIu64 " ms",
                    display, ending->code, reconnect_wait_ms(share));
}
