/* SPDX-License-Identifier: MIT
 *
 * credential_places: the texts of a configuration that name credentials; see credential_places.h.
 * Between config, whose texts they are, and credential. Invariant: a value is read into one buffer, which wipes it.
 */
#include "daemon/credential_places.h"

#include <stdio.h>
#include <string.h>

#include "daemon/credential.h"
#include "daemon/idna.h"
#include "daemon/proxy.h"

/* --- where --- */

/* Within len bytes of a serialised URL. */
static size_t count_encoded(const char *text, size_t len)
{
    const char *end = text + len;
    size_t n = 0;

    while ((text = memmem(text, (size_t)(end - text), CREDENTIAL_IN_USERINFO,
                          sizeof(CREDENTIAL_IN_USERINFO) - 1)) != NULL) {
        text += sizeof(CREDENTIAL_IN_USERINFO) - 1;
        n++;
    }
    return n;
}

/* Whether there are more before the query than in the password. */
static bool is_elsewhere(const struct wsp_url *url)
{
    return count_encoded(url->href, strcspn(url->href, "?")) >
           count_encoded(url->password, strlen(url->password));
}

static int problem(char ret_problem[OPTION_TEXT_LEN], const char *name, const char *what)
{
    snprintf(ret_problem, OPTION_TEXT_LEN, "%s: %s", name, what);
    return 1;
}

static int judge_proxy(const struct option_row *row, struct wsp_view text,
                       char ret_problem[OPTION_TEXT_LEN])
{
    struct proxy *proxy = NULL;
    const char *reason;
    int r = proxy_new(text, idna_to_ascii, &proxy, &reason);

    if (r > 0)
        return problem(ret_problem, row->name, reason);
    if (r == 0 && proxy != NULL && is_elsewhere(&proxy->url))
        r = problem(ret_problem, row->name, "%{credential:NAME} can stand in the password alone");
    proxy_free(proxy);
    return r;
}

/* Besides url, of which only parts may. */
static bool names_credentials(const struct option_row *row)
{
    return row->type == OPTION_HEADERS || row->type == OPTION_PROXY ||
           row->type == OPTION_MESSAGES || row->type == OPTION_MESSAGE;
}

int credential_places_judge(const struct option_row *row, struct wsp_view text,
                            const struct wsp_url *parsed, char ret_problem[OPTION_TEXT_LEN])
{
    const char *flaw;

    if (parsed == NULL && !names_credentials(row))
        return 0;
    flaw = credential_flaw(text);
    if (flaw != NULL)
        return problem(ret_problem, row->name, flaw);
    if (row->type == OPTION_PROXY)
        return judge_proxy(row, text, ret_problem);
    if (parsed != NULL && is_elsewhere(parsed))
        return problem(ret_problem, row->name,
                       "%{credential:NAME} can stand in the query and in the password alone");
    return 0;
}

/* --- whether --- */

struct check {
    const char *directory;
    struct config_reporter *reporter;
    const char *file;                /* where the text stands */
    const struct endpoint *endpoint; /* NULL: it is the daemon's */
    struct wsp_buffer value;
    int n_problems;
    int error; /* -ENOMEM */
};

static void tell(struct check *check, const struct option_row *row, int line, const char *what)
{
    char text[sizeof(((struct failure *)0)->text) + 2 * WSP_MAX_ENDPOINT_NAME + 40];

    check->n_problems++;
    snprintf(text, sizeof(text), "%s%s%s%s: %s", check->endpoint ? "endpoint \"" : "",
             check->endpoint ? check->endpoint->name : "", check->endpoint ? "\": " : "", row->name,
             what);
    check->reporter->report(check->reporter, check->file, line, text);
}

static void check_text(struct check *check, const char *text, const struct option_row *row,
                       int line, enum credential_kind kind)
{
    struct failure failure;
    int r;

    if (text == NULL || check->error < 0)
        return;
    r = credential_expand(check->directory, wsp_view_of_string(text), kind, &check->value, NULL,
                          &failure);
    wsp_buffer_truncate(&check->value, 0);
    if (r < 0)
        check->error = r;
    if (r > 0)
        tell(check, row, line, failure.text);
}

/* Texts are read as they were written: what a URL makes of the rest does not matter here. */
static void check_endpoint(struct check *check, const struct endpoint *endpoint)
{
    const struct endpoint_options *options = &endpoint->options;
    const struct option_row *rows = endpoint_options_table()->rows;
    const int *lines = endpoint->lines;

    check->endpoint = endpoint;
    check->file = endpoint->file;
#define CHECK(text, member, kind)                                                             \
    check_text(check, text, &rows[ENDPOINT_OPTION_##member], lines[ENDPOINT_OPTION_##member], \
               CREDENTIAL_##kind)
    CHECK(options->url, url, PLAIN);
    for (size_t i = 1; i < options->headers.n_items; i += 2)
        CHECK(options->headers.items[i], headers, HEADER);
    CHECK(options->proxy, proxy, PLAIN);
    for (size_t i = 0; i < options->greeting.n_items; i++)
        CHECK(options->greeting.items[i], greeting, TEXT);
    CHECK(options->heartbeat, heartbeat, TEXT);
#undef CHECK
}

int credential_places_check(const struct config *config, const char *directory,
                            struct config_reporter *reporter)
{
    const struct config_place *place = &config->daemon_places[DAEMON_OPTION_proxy];
    struct check check = {.directory = directory, .reporter = reporter, .file = place->file};

    wsp_buffer_init(&check.value, SIZE_MAX);
    check_text(&check, config->daemon.proxy, &daemon_options_table()->rows[DAEMON_OPTION_proxy],
               place->line, CREDENTIAL_PLAIN);
    for (size_t i = 0; i < config->n_endpoints; i++)
        check_endpoint(&check, &config->endpoints[i]);
    wsp_buffer_deinit(&check.value);
    return check.error < 0 ? check.error : check.n_problems;
}
