/*
 * fuzz_ledger: any text as the lines of a ledger, and what must hold of those that are understood.
 *
 * The first line is taken for the head, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/ledger_line.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* What is written of it is what was read, and no more. */
static void require_same(struct wsp_view text, const char *written, size_t len)
{
    require(len > 0 && len < LEDGER_LINE_LEN && strlen(written) == len);
    require(written[len - 1] == '\n' && text.len == len - 1);
    require(memcmp(text.data, written, text.len) == 0);
}

static void check_line(struct wsp_view text)
{
    struct ledger_line line;
    char written[LEDGER_LINE_LEN];

    if (ledger_line_parse(text, &line) != 0 || line.type == LEDGER_COMMENT)
        return;
    require(line.type == LEDGER_SPENT || line.type == LEDGER_UNKNOWN);
    require(line.type == LEDGER_UNKNOWN || line.kind < BUDGET_N_KINDS);
    require_same(text, written, ledger_line_format(&line, written));
}

static void check_head(struct wsp_view text)
{
    struct ledger_head head;
    char written[LEDGER_LINE_LEN];

    if (ledger_head_parse(text, &head) != 0 || head.version != LEDGER_VERSION)
        return;
    require(head.offset_ms >= 0);
    require_same(text, written, ledger_head_format(&head, written));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct wsp_view rest = {data, len};
    bool is_first = true;

    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        struct wsp_view line = {rest.data, end == NULL ? rest.len : (size_t)(end - rest.data)};

        if (is_first)
            check_head(line);
        check_line(line);
        is_first = false;
        rest.data += line.len + (end != NULL);
        rest.len -= line.len + (end != NULL);
    }
    return 0;
}
