/* SPDX-License-Identifier: MIT
 *
 * config: reads the configuration's files with libconfuse, which finds sections, strings and lines; what a value
 * means is daemon/options' to say, as it is read, so that every problem has its line.
 * Between the files and struct config, which server keeps. Invariant: nothing of a file with a problem is used.
 */
#include "daemon/config.h"

#include <confuse.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_problem.h"
#include "daemon/config_text.h"
#include "daemon/credential_places.h"
#include "daemon/destination.h"
#include "daemon/idna.h"
#include "daemon/network.h"
#include "daemon/option_rules.h"
#include "proto/rules.h"
#include "proto/utf8.h"

enum {
    /* Of one file; by then it is another kind of file. */
    MAX_PROBLEMS = 20,
};

/* libconfuse hands its callbacks the section and nothing of ours, so what they work on stands here while a file is
 * being read, and only then. */
static struct parse {
    struct config_reporter *reporter;
    struct config *config;
    const char *file;
    const char *text; /* of it */
    cfg_t *root;
    const char *key;          /* that was read last */
    const cfg_t *section;     /* the endpoint that is being read */
    struct endpoint endpoint; /* what has been read of it */
    int n_problems;
    int n_problems_before; /* the endpoint, */
    int max_problems;      /* and when this file is left alone */
    int error;             /* -ENOMEM */
} * parse;

static void report(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* It goes to terminals and logs, and may quote anything. */
static void text_tame(char *text)
{
    bool is_utf8 = wsp_utf8_is_valid(text, strlen(text));

    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f || (!is_utf8 && *text & 0x80))
            *text = '?';
}

static void report(const char *file, int line, const char *format, ...)
{
    char text[2 * OPTION_TEXT_LEN];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text_tame(text);
    parse->n_problems++;
    parse->reporter->report(parse->reporter, file, line, text);
}

/* A list without items has no value that libconfuse would tell of with its line. It is given all the same. */
static void empty_lists_take(const cfg_t *cfg, size_t n_options, uint64_t *given)
{
    for (size_t i = 0; i < n_options; i++) {
        const cfg_opt_t *opt = &cfg->opts[i];

        if ((opt->flags & CFGF_LIST) == 0 || (opt->flags & CFGF_MODIFIED) == 0 || opt->nvalues > 0)
            continue;
        *given |= UINT64_C(1) << i;
        if (cfg == parse->root)
            parse->config->daemon_places[i] = (struct config_place){
                parse->file, config_text_empty_list(parse->text, opt->name, 1)};
        else
            parse->endpoint.lines[i] =
                config_text_empty_list(parse->text, opt->name, parse->endpoint.line);
    }
}

/* ---- endpoints ---- */

static void endpoint_deinit(struct endpoint *endpoint)
{
    free(endpoint->name);
    wsp_url_deinit(&endpoint->url);
    options_deinit(endpoint_options_table(), &endpoint->options);
    destination_unref(endpoint->destination);
    access_deinit(&endpoint->access);
    memset(endpoint, 0, sizeof(*endpoint));
}

/* The section that is being read is a new one. While it is, its parent stays at the line on which it opens. 0, -ENOMEM. */
static int endpoint_begin(const cfg_t *section)
{
    const char *name = section->title;
    struct endpoint *endpoint = &parse->endpoint;

    endpoint_deinit(endpoint);
    options_init(endpoint_options_table(), &endpoint->options);
    parse->section = section;
    parse->n_problems_before = parse->n_problems;
    endpoint->line = parse->root->line;
    endpoint->file = parse->file;
    endpoint->name = strdup(name ? name : "");
    if (!endpoint->name)
        return -ENOMEM;
    if (!wsp_endpoint_name_is_valid(endpoint->name, strlen(endpoint->name)))
        report(
            parse->file, endpoint->line,
            "endpoint: \"%.64s\" is not a name; use at most %d letters, digits, dots, _ and -, and "
            "begin with a letter or a digit",
            endpoint->name, WSP_MAX_ENDPOINT_NAME);
    return 0;
}

/* The URL is judged where it stands, and never quoted: it may hold a token. */
static int endpoint_parse_url(cfg_t *section, const char *text)
{
    const struct option_row *row = &endpoint_options_table()->rows[ENDPOINT_OPTION_url];
    char problem[OPTION_TEXT_LEN];
    int r = wsp_url_parse_websocket(&parse->endpoint.url, text, strlen(text), NULL, idna_to_ascii);

    if (r > 0) {
        report(parse->file, section->line, "url: %s", wsp_url_problem_to_string(r));
        return r;
    }
    if (r == 0)
        r = credential_places_judge(row, wsp_view_of_string(text), &parse->endpoint.url, problem);
    if (r > 0)
        report(parse->file, section->line, "%s", problem);
    return r;
}

static int endpoint_compare(const void *a, const void *b)
{
    const struct endpoint *left = a, *right = b;

    return strcmp(left->name, right->name);
}

/* What is asked often is made ready. */
static int endpoint_compile(struct endpoint *endpoint)
{
    const struct endpoint_options *options = &endpoint->options;

    int r = access_add(&endpoint->access, &options->users, &options->groups);

    if (r < 0 || (options->allow.n_items == 0 && options->deny.n_items == 0))
        return r;
    return destination_new(&options->allow, &options->deny, NULL, endpoint->name,
                           &endpoint->destination);
}

/* What the options say together, each problem with the line of its option. */
static void endpoint_judge(const struct endpoint *endpoint)
{
    const struct option_table *table = endpoint_options_table();
    const struct option_subject subject = {
        .options = &endpoint->options,
        .name = endpoint->name,
        .url = &endpoint->url,
        .access = &endpoint->access,
        .destination = endpoint->destination,
    };

    for (unsigned i = 0; i < ENDPOINT_N_OPTIONS; i++) {
        const char *flaw = option_is_given(endpoint->options.given, i)
                               ? endpoint_rules_flaw(&subject, (enum endpoint_option_row)i)
                               : NULL;

        if (flaw)
            report(endpoint->file, endpoint->lines[i], "endpoint \"%s\": %s: %s", endpoint->name,
                   table->rows[i].name, flaw);
    }
}

/* It is whole, and becomes one of the configuration's. 0, -ENOMEM. */
static int endpoint_add(struct endpoint *endpoint)
{
    struct config *config = parse->config;
    const struct endpoint *other = config_find_endpoint(config, wsp_view_of_string(endpoint->name));

    if (other) {
        report(parse->file, endpoint->line, "endpoint \"%s\" stands in %s, line %d, already",
               other->name, other->file, other->line);
        return 0;
    }

    struct endpoint *grown =
        reallocarray(config->endpoints, config->n_endpoints + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    config->endpoints = grown;
    grown[config->n_endpoints++] = *endpoint;
    memset(endpoint, 0, sizeof(*endpoint));
    qsort(grown, config->n_endpoints, sizeof(*grown), endpoint_compare);
    return 0;
}

/* The section has ended. What follows from a value that is wrong is not told. 0, -ENOMEM. */
static int endpoint_end(const cfg_t *section)
{
    struct endpoint *endpoint = &parse->endpoint;
    int r = parse->section == section ? 0 : endpoint_begin(section);

    parse->section = NULL;
    empty_lists_take(section, ENDPOINT_N_OPTIONS, &endpoint->options.given);
    if (r == 0 && endpoint->lines[ENDPOINT_OPTION_url] == 0)
        report(parse->file, endpoint->line,
               "endpoint \"%s\": url is missing; write url = \"wss://...\"", endpoint->name);
    if (r == 0 && parse->n_problems == parse->n_problems_before) {
        r = endpoint_compile(endpoint);
        if (r == 0)
            endpoint_judge(endpoint);
    }
    return r == 0 ? endpoint_add(endpoint) : r;
}

const struct endpoint *config_find_endpoint(const struct config *config, struct wsp_view name)
{
    char key_name[WSP_MAX_ENDPOINT_NAME + 1];
    struct endpoint key = {.name = key_name};

    if (name.len > WSP_MAX_ENDPOINT_NAME || config->n_endpoints == 0)
        return NULL;
    memcpy(key_name, name.data, name.len);
    key_name[name.len] = '\0';
    return bsearch(&key, config->endpoints, config->n_endpoints, sizeof(key), endpoint_compare);
}

/* ---- what libconfuse calls ---- */

__attribute__((format(printf, 2, 0))) static void confuse_error(cfg_t *cfg, const char *format,
                                                                va_list arguments)
{
    char theirs[OPTION_TEXT_LEN], problem[OPTION_TEXT_LEN];

    vsnprintf(theirs, sizeof(theirs), format, arguments);
    config_problem(theirs, cfg == parse->root, parse->key, problem);
    report(parse->file, cfg->line, "%s", problem);
}

/* 0: libconfuse goes on, so that everything that is wrong is told at once. */
static int confuse_result(int r)
{
    if (r < 0)
        parse->error = r;
    return r < 0 || parse->n_problems >= parse->max_problems ? -1 : 0;
}

/* Where the option stands for the first time. 0; 1: it stood there already, which has been reported. */
static int place_take(const cfg_t *cfg, const cfg_opt_t *opt, unsigned row)
{
    bool is_root = cfg == parse->root;
    struct config_place *place = is_root ? &parse->config->daemon_places[row] : NULL;
    int *line = is_root ? &place->line : &parse->endpoint.lines[row];

    if (*line == 0) {
        *line = cfg->line;
        if (is_root)
            place->file = parse->file;
        return 0;
    }
    if (opt->nvalues > 1)
        return 0; /* one more item */
    if (is_root && place->file != parse->file)
        report(parse->file, cfg->line, "%s: this key stands in %s, line %d, already", opt->name,
               place->file, *line);
    else
        report(parse->file, cfg->line, "%s: this key stands here twice; the first time in line %d",
               opt->name, *line);
    return 1;
}

/* What a word processor has made of ours, in UTF-8. */
static bool has_foreign_quotes(const char *text)
{
    static const char *const quotes[] = {"\u201c", "\u201d", "\u201e", "\u2018", "\u2019"};

    for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++)
        if (strncmp(text, quotes[i], strlen(quotes[i])) == 0)
            return true;
    return false;
}

static int value_take(cfg_t *cfg, const struct option_row *row, const char *text)
{
    bool is_root = cfg == parse->root;
    const struct option_table *table = is_root ? daemon_options_table() : endpoint_options_table();
    void *values = is_root ? (void *)&parse->config->daemon : &parse->endpoint.options;
    char problem[OPTION_TEXT_LEN];
    int r;

    if (has_foreign_quotes(text)) {
        report(parse->file, cfg->line, "%s: these are no quotation marks here; write \" or '",
               row->name);
        return 1;
    }
    r = option_set(table, row, wsp_view_of_string(text), values, problem);
    if (r == 0)
        r = credential_places_judge(row, wsp_view_of_string(text), NULL, problem);
    if (r > 0)
        report(parse->file, cfg->line, "%s", problem);
    if (r == 0 && !is_root && row == &table->rows[ENDPOINT_OPTION_url])
        r = endpoint_parse_url(cfg, text);
    return r;
}

/* A value has been read: every one comes here, those of lists one by one. */
static int confuse_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
    bool is_root = cfg == parse->root;
    const struct option_table *table = is_root ? daemon_options_table() : endpoint_options_table();
    const struct option_row *row = option_find(table, wsp_view_of_string(opt->name));
    int r = is_root || parse->section == cfg ? 0 : endpoint_begin(cfg);

    parse->key = row->name;
    if (r == 0)
        r = place_take(cfg, opt, (unsigned)(row - table->rows));
    if (r == 0)
        r = value_take(cfg, row, text);
    *(const char **)result = text;
    return confuse_result(r);
}

static int confuse_section(cfg_t *cfg, cfg_opt_t *opt)
{
    (void)cfg;
    return confuse_result(endpoint_end(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1)));
}

static void confuse_options(const struct option_table *table, cfg_opt_t *ret_options)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option_row *row = &table->rows[i];

        ret_options[i] = (cfg_opt_t){
            .name = row->name,
            .type = CFGT_STR,
            .flags = option_is_list(row) ? CFGF_LIST | CFGF_NODEFAULT : CFGF_NODEFAULT,
            .parsecb = confuse_value,
        };
    }
}

/* ---- files ---- */

static void text_tell(struct config_text_reporter *reporter, int line, const char *problem)
{
    (void)reporter;
    report(parse->file, line, "%s", problem);
}

static void text_parse(char *text)
{
    struct config_text_reporter reporter = {text_tell};
    cfg_opt_t endpoint_options[ENDPOINT_N_OPTIONS + 1] = {[ENDPOINT_N_OPTIONS] = CFG_END()};
    cfg_opt_t root_options[DAEMON_N_OPTIONS + 2] = {
        [DAEMON_N_OPTIONS] =
            CFG_SEC("endpoint", endpoint_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        [DAEMON_N_OPTIONS + 1] = CFG_END()};

    confuse_options(endpoint_options_table(), endpoint_options);
    confuse_options(daemon_options_table(), root_options);
    parse->root = cfg_init(root_options, CFGF_NONE);
    if (!parse->root) {
        parse->error = -ENOMEM;
        return;
    }
    cfg_set_error_function(parse->root, confuse_error);
    cfg_set_validate_func(parse->root, "endpoint", confuse_section);
    parse->text = text;
    parse->key = NULL;
    /* What is wrong has been reported. */
    if (config_text_prepare(text, &reporter))
        (void)cfg_parse_buf(parse->root, text);
    empty_lists_take(parse->root, DAEMON_N_OPTIONS, &parse->config->daemon.given);
    parse->section = NULL;
    endpoint_deinit(&parse->endpoint);
    cfg_free(parse->root);
    parse->root = NULL;
}

static void file_read(const char *file, bool is_required)
{
    struct strings *files = &parse->config->files;
    char *text = NULL;
    int r = strings_add(files, file, strlen(file));

    if (r < 0) {
        parse->error = r;
        return;
    }
    r = config_text_load(file, &text);
    parse->file = files->items[files->n_items - 1];
    parse->max_problems = parse->n_problems + MAX_PROBLEMS;
    if (text)
        text_parse(text);
    else if (r == EINVAL)
        report(file, 0, "is not a text: it holds a zero byte; write it in UTF-8");
    else if (r == -ENOBUFS)
        report(file, 0, "is longer than %d bytes", MAX_CONFIG_TEXT);
    else if (r == -ENOMEM)
        parse->error = r;
    else if (is_required || r != -ENOENT)
        report(file, 0, "cannot be read: %s", strerror(-r));
    free(text);
}

/* Where it is not there, nothing is; where it is, nothing in it is passed over in silence. */
static void directory_check(const char *path)
{
    DIR *directory = opendir(path);

    if (directory)
        closedir(directory);
    else if (errno != ENOENT)
        report(path, 0, "cannot be read: %s", strerror(errno));
}

/* conf.d/(*).conf beside file. glob sorts them. */
static void files_beside_read(const char *file)
{
    char *copy = strdup(file);
    char *pattern = NULL;
    glob_t found;

    if (!copy || asprintf(&pattern, "%s/conf.d/*.conf", dirname(copy)) < 0) {
        parse->error = -ENOMEM;
        free(copy);
        return;
    }
    *strrchr(pattern, '/') = '\0';
    directory_check(pattern);
    pattern[strlen(pattern)] = '/';

    int r = glob(pattern, 0, NULL, &found);

    if (r == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            file_read(found.gl_pathv[i], true);
        globfree(&found);
    } else if (r == GLOB_NOSPACE) {
        parse->error = -ENOMEM;
    }
    free(pattern);
    free(copy);
}

/* What the daemon's options say together, whichever files they stand in. */
static void daemon_judge(const struct config *config, bool is_machine)
{
    const struct option_table *table = daemon_options_table();

    for (unsigned i = 0; i < DAEMON_N_OPTIONS; i++) {
        const struct config_place *place = &config->daemon_places[i];
        const char *flaw =
            option_is_given(config->daemon.given, i)
                ? daemon_rules_flaw(&config->daemon, is_machine, (enum daemon_option_row)i)
                : NULL;

        if (flaw)
            report(place->file, place->line, "%s: %s", table->rows[i].name, flaw);
    }
}

/* user_namespaces(7): what the kernel says of a uid or gid that has no mapping here. */
static unsigned overflow_id(const char *path)
{
    FILE *file = fopen(path, "re");
    char text[16];
    unsigned id = 65534;

    if (!file)
        return id;
    if (fgets(text, sizeof(text), file))
        network_parse_number((struct wsp_view){(const uint8_t *)text, strcspn(text, "\n")},
                             UINT32_MAX - 1, &id);
    fclose(file);
    return id;
}

int config_load(const char *file, bool is_required, enum config_kind kind,
                struct config_reporter *reporter, struct config **ret_config)
{
    struct config *config = calloc(1, sizeof(*config));
    struct parse state = {.reporter = reporter, .config = config};

    if (!config)
        return -ENOMEM;
    options_init(daemon_options_table(), &config->daemon);
    parse = &state;
    if (file) {
        file_read(file, is_required);
        files_beside_read(file);
        daemon_judge(config, kind == CONFIG_MACHINE);
    }
    parse = NULL;
    config->overflow_uid = overflow_id("/proc/sys/kernel/overflowuid");
    config->overflow_gid = overflow_id("/proc/sys/kernel/overflowgid");
    if (state.error == 0 && state.n_problems == 0)
        state.error = access_add(&config->free_access, &config->daemon.free_users,
                                 &config->daemon.free_groups);
    if (state.error == 0 && state.n_problems == 0)
        state.error = destination_new(&config->daemon.allow, &config->daemon.deny,
                                      kind == CONFIG_MACHINE ? DESTINATION_PUBLIC : NULL, NULL,
                                      &config->destination);
    if (state.error < 0 || state.n_problems > 0) {
        config_free(config);
        return state.error < 0 ? state.error : 1;
    }
    *ret_config = config;
    return 0;
}

struct config *config_free(struct config *config)
{
    if (!config)
        return NULL;
    for (size_t i = 0; i < config->n_endpoints; i++)
        endpoint_deinit(&config->endpoints[i]);
    free(config->endpoints);
    options_deinit(daemon_options_table(), &config->daemon);
    destination_unref(config->destination);
    access_deinit(&config->free_access);
    strings_deinit(&config->files);
    free(config);
    return NULL;
}
