/* SPDX-License-Identifier: MIT
 *
 * tls_places: the files of a configuration that TLS needs; see tls_places.h.
 * Between config and tls. Invariant: see tls_places.h.
 */
#include "daemon/tls_places.h"

#include <stdarg.h>
#include <stdio.h>

#include "daemon/failure.h"
#include "daemon/tls.h"
#include "daemon/tls_file.h"

struct check {
    struct tls *tls;
    struct config_reporter *reporter;
    int n_problems;
    int error; /* -ENOMEM */
};

static char *lend(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* Nothing where none is given. True: *ret_failure says what is wrong with them. */
static bool has_failed(struct check *check, const struct tls_settings *settings,
                       struct failure *ret_failure)
{
    int r;

    if (check->error < 0 || (!settings->ca_file && !settings->ca_path && !settings->cert_file))
        return false;
    r = tls_check(check->tls, settings, ret_failure);
    if (r < 0)
        check->error = r;
    return r > 0;
}

static void tell(struct check *check, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void tell(struct check *check, const char *file, int line, const char *format, ...)
{
    char text[2 * sizeof(((struct failure *)0)->text)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    check->n_problems++;
    check->reporter->report(check->reporter, file, line, text);
}

static void check_daemon(struct check *check, const struct config *config, const char *ca_file)
{
    const struct tls_settings command = {.ca_file = lend(ca_file)};
    const struct tls_settings file = {.ca_file = config->daemon.ca_file};
    const struct tls_settings path = {.ca_path = config->daemon.ca_path};
    const struct config_place *place = config->daemon_places;
    struct failure failure;

    if (has_failed(check, &command, &failure))
        tell(check, "--ca-file", 0, "%s", failure.text);
    if (ca_file)
        return;
    if (has_failed(check, &file, &failure))
        tell(check, place[DAEMON_OPTION_ca_file].file, place[DAEMON_OPTION_ca_file].line,
             "ca-file: %s", failure.text);
    if (has_failed(check, &path, &failure))
        tell(check, place[DAEMON_OPTION_ca_path].file, place[DAEMON_OPTION_ca_path].line,
             "ca-path: %s", failure.text);
}

static void check_endpoint(struct check *check, const struct endpoint *endpoint)
{
    const struct endpoint_options *options = &endpoint->options;
    const struct {
        enum endpoint_option_row row;
        struct tls_settings settings;
    } tries[] = {
        {ENDPOINT_OPTION_ca_file, {.ca_file = options->ca_file}},
        {ENDPOINT_OPTION_ca_path, {.ca_path = options->ca_path}},
        {ENDPOINT_OPTION_cert_file,
         {.cert_file = options->cert_file, .key_file = options->key_file}},
    };
    struct failure failure;

    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        enum endpoint_option_row row = tries[i].row;

        if (!has_failed(check, &tries[i].settings, &failure))
            continue;
        if (options->key_file && tls_failure_is_of_key(&failure))
            row = ENDPOINT_OPTION_key_file;
        tell(check, endpoint->file, endpoint->lines[row], "endpoint \"%s\": %s: %s", endpoint->name,
             endpoint_options_table()->rows[row].name, failure.text);
    }
}

int tls_places_check(const struct config *config, const char *ca_file,
                     struct config_reporter *reporter)
{
    struct check check = {.reporter = reporter};
    int r = tls_new(&check.tls);

    if (r < 0)
        return r;
    check_daemon(&check, config, ca_file);
    for (size_t i = 0; i < config->n_endpoints; i++)
        check_endpoint(&check, &config->endpoints[i]);
    tls_free(check.tls);
    return check.error < 0 ? check.error : check.n_problems;
}
