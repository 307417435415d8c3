/* SPDX-License-Identifier: MIT
 *
 * credential: puts secrets into the texts that name them by `%{credential:NAME}`.
 * Neighbours: upgrade (headers, query, password), greeting and heartbeat have such texts expanded just
 * before they say them; options and config judge them where they stand.
 * Invariant: a secret is read anew each time, and is in nobody's memory but that of the buffer it was
 * appended to, which wipes what it gives back.
 *
 * Only `%{` begins a name; `%%{` stands for the two characters, and any other percent sign for itself,
 * so a URL's percent escapes need no second thought.
 */
#ifndef WSPLEX_DAEMON_CREDENTIAL_H
#define WSPLEX_DAEMON_CREDENTIAL_H

#include <stdbool.h>

#include "daemon/failure.h"
#include "proto/buffer.h"

/* Where the text goes, and so what a value must be. None may have a control character (a second line
 * too), or be empty. */
enum credential_kind {
    CREDENTIAL_HEADER, /* no blank at either end of the whole */
    CREDENTIAL_QUERY,  /* percent-encoded: all but letters, digits, '-', '.', '_' and '~' */
    CREDENTIAL_TEXT,   /* valid UTF-8 */
    CREDENTIAL_PLAIN,  /* bytes: a password */
};

/* What is wrong with the names in text, to be said behind the name of its option; NULL: nothing. Static,
 * and quotes nothing. */
const char *credential_flaw(struct wsp_view text);

/* What the beginning of a name becomes in the serialised user part or path of a URL (proto/url). */
#define CREDENTIAL_IN_USERINFO "%%7B"

/* Whether text has a name, or would begin to have one. */
bool credential_is_in(struct wsp_view text);

/*
 * Appends the text to a buffer, with values instead of names. Each value is what its file holds now,
 * without the newline at its end: `$CREDENTIALS_DIRECTORY/NAME`, if systemd gave the daemon one of that
 * name, else NAME in directory. With directory NULL it is not the administrator's text, and is appended as
 * it stands. The buffer is secret from the first value on (wsp_buffer_keep_secret).
 *
 * values, if not NULL, gets the values as well, for credential_next: each as it is,
 * and once more as it was put where it was encoded.
 *
 * 0; -ENOMEM; -ENOBUFS when the buffer would hold too much; 1 when a file or a value will not do: the
 * failure names the file and what would be right. On failure the buffers may hold a part.
 */
int credential_expand(const char *directory, struct wsp_view text, enum credential_kind kind,
                      struct wsp_buffer *to, struct wsp_buffer *values,
                      struct failure *ret_failure);

/* Takes one value out of what values holds; false: there are no more. */
bool credential_next(struct wsp_view *values, struct wsp_view *ret_value);

#endif
