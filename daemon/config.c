/* SPDX-License-Identifier: MIT
 *
 * config: reads the configuration's files with libconfuse, which finds sections, strings and lines; what a value
 * means is daemon/options' to say, as it is read, so that every problem has its line.
 * Between the files and struct config, which server keeps. Invariant: nothing of a file with a problem is used.
 */
#include "daemon/config.h"

#include <confuse.h>
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_problem.h"
#include "daemon/credential_places.h"
#include "daemon/destination.h"
#include "daemon/idna.h"
#include "daemon/network.h"
#include "daemon/reconnect_options.h"
#include "daemon/sending_options.h"
#include "daemon/tls_options.h"
#include "proto/rules.h"

enum {
    /* Ten thousand endpoints; and what is no configuration is not read into memory. */
    MAX_FILE_LEN = 4 << 20,
    PIECE_LEN = 16 * 1024,
};

/* libconfuse hands its callbacks the section and nothing of ours, so what they work on stands here while a file is
 * being read, and only then. */
static struct parse {
    struct config_reporter *reporter;
    struct config *config;
    const char *file;
    cfg_t *root;
    const cfg_t *section;     /* the endpoint that is being read */
    struct endpoint endpoint; /* what has been read of it */
    int n_problems;
    int error; /* -ENOMEM */
} * parse;

static void report(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void report(const char *file, int line, const char *format, ...)
{
    char text[2 * OPTION_TEXT_LEN];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    parse->n_problems++;
    parse->reporter->report(parse->reporter, file, line, text);
}

/* ---- endpoints ---- */

static void endpoint_deinit(struct endpoint *endpoint)
{
    free(endpoint->name);
    free(endpoint->file);
    wsp_url_deinit(&endpoint->url);
    options_deinit(endpoint_options_table(), &endpoint->options);
    destination_unref(endpoint->destination);
    access_deinit(&endpoint->access);
    memset(endpoint, 0, sizeof(*endpoint));
}

/* The section that is being read is a new one. 0, -ENOMEM, or 1 when its name is none. */
static int endpoint_begin(cfg_t *section)
{
    const char *name = cfg_title(section);
    struct endpoint *endpoint = &parse->endpoint;

    endpoint_deinit(endpoint);
    options_init(endpoint_options_table(), &endpoint->options);
    parse->section = section;
    endpoint->line = section->line;
    endpoint->name = strdup(name ? name : "");
    endpoint->file = strdup(parse->file);
    if (!endpoint->name || !endpoint->file)
        return -ENOMEM;
    if (!wsp_endpoint_name_is_valid(endpoint->name, strlen(endpoint->name))) {
        report(
            parse->file, section->line,
            "endpoint: \"%.64s\" is not a name; use at most %d letters, digits, dots, _ and -, and "
            "begin with a letter or a digit",
            endpoint->name, WSP_MAX_ENDPOINT_NAME);
        return 1;
    }
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
    return destination_new(&options->allow, &options->deny, NULL, &endpoint->destination);
}

/* The section has ended: what was read of it becomes one of the configuration's endpoints. */
static int endpoint_end(cfg_t *root, cfg_t *section)
{
    struct config *config = parse->config;
    const struct endpoint *other;
    char problem[OPTION_TEXT_LEN];
    int r = parse->section == section ? 0 : endpoint_begin(section);

    if (r != 0)
        return r;
    parse->section = NULL;
    if (!option_is_given(parse->endpoint.options.given, ENDPOINT_OPTION_url)) {
        report(parse->file, root->line,
               "endpoint \"%s\": url is missing; write url = \"wss://...\"", parse->endpoint.name);
        return 1;
    }
    if (tls_options_check(&parse->endpoint.options, parse->endpoint.name, problem) != 0 ||
        sending_options_check(&parse->endpoint.options, problem) != 0 ||
        reconnect_options_check(&parse->endpoint.options, problem) != 0) {
        report(parse->file, root->line, "endpoint \"%s\": %s", parse->endpoint.name, problem);
        return 1;
    }
    other = config_find_endpoint(config, wsp_view_of_string(parse->endpoint.name));
    if (other) {
        report(parse->file, root->line, "endpoint \"%s\" stands in %s, line %d, already",
               other->name, other->file, other->line);
        return 1;
    }
    r = endpoint_compile(&parse->endpoint);
    if (r < 0)
        return r;

    struct endpoint *grown =
        reallocarray(config->endpoints, config->n_endpoints + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    config->endpoints = grown;
    grown[config->n_endpoints++] = parse->endpoint;
    memset(&parse->endpoint, 0, sizeof(parse->endpoint));
    qsort(grown, config->n_endpoints, sizeof(*grown), endpoint_compare);
    return 0;
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
    config_problem(theirs, cfg == parse->root, problem);
    report(parse->file, cfg->line, "%s", problem);
}

/* A value has been read: every one comes here, those of lists one by one. */
static int confuse_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
    bool is_root = cfg == parse->root;
    const struct option_table *table = is_root ? daemon_options_table() : endpoint_options_table();
    const struct option_row *row = option_find(table, wsp_view_of_string(opt->name));
    char problem[OPTION_TEXT_LEN];
    int r = is_root || parse->section == cfg ? 0 : endpoint_begin(cfg);

    if (r == 0) {
        void *values = is_root ? (void *)&parse->config->daemon : &parse->endpoint.options;

        if (option_is_given(*(uint64_t *)values, (unsigned)(row - table->rows)) &&
            opt->nvalues == 1) {
            report(parse->file, cfg->line, "%s: this key stands here twice", row->name);
            return -1;
        }
        r = option_set(table, row, wsp_view_of_string(text), values, problem);
        if (r == 0)
            r = credential_places_judge(row, wsp_view_of_string(text), NULL, problem);
        if (r > 0)
            report(parse->file, cfg->line, "%s", problem);
    }
    if (r == 0 && !is_root && row == &table->rows[ENDPOINT_OPTION_url])
        r = endpoint_parse_url(cfg, text);
    if (r < 0)
        parse->error = r;
    *(const char **)result = text;
    return r == 0 ? 0 : -1;
}

static int confuse_section(cfg_t *cfg, cfg_opt_t *opt)
{
    int r = endpoint_end(cfg, cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1));

    if (r < 0)
        parse->error = r;
    return r == 0 ? 0 : -1;
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

/* The whole file as a string. 0; a negative errno; EINVAL, positive: it is no text. */
static int file_load(const char *file, char **ret_text)
{
    FILE *from = fopen(file, "re");
    struct wsp_buffer text;
    uint8_t *room;
    size_t len;
    int r = 0;

    if (!from)
        return -errno;
    wsp_buffer_init(&text, MAX_FILE_LEN);
    do {
        r = wsp_buffer_reserve(&text, PIECE_LEN, &room);
        if (r < 0)
            break;
        len = fread(room, 1, PIECE_LEN, from);
        wsp_buffer_commit(&text, len);
    } while (len > 0);
    if (r == 0 && ferror(from))
        r = errno != 0 ? -errno : -EIO;
    fclose(from);
    len = wsp_buffer_len(&text);
    if (r == 0 && len > 0 && memchr(wsp_buffer_peek(&text), '\0', len))
        r = EINVAL;
    if (r == 0)
        r = wsp_buffer_append_u8(&text, '\0');
    if (r == 0)
        *ret_text = strdup((const char *)wsp_buffer_peek(&text));
    wsp_buffer_deinit(&text);
    return r == 0 && !*ret_text ? -ENOMEM : r;
}

/* Of the quoted text that begins at text, with its quotes. */
static size_t quoted_len(const char *text)
{
    const char *end = text + 1;

    while (*end && *end != *text)
        end += *end == '\\' && end[1] ? 2 : 1;
    return (size_t)(end - text) + (*end ? 1 : 0);
}

static char *comment_end(char *text)
{
    char *end;

    if (text[0] == '#' || text[1] == '/')
        return text + strcspn(text, "\n");
    end = strstr(text + 2, "*/");
    return end ? end + 2 : text + strlen(text);
}

/* libconfuse 3.3 counts the lines of comments more than once, so it gets to see none. As in its own grammar, # begins
 * one everywhere, but // and the other kind only where a word could begin: a URL needs no quotes. */
static void comments_blank(char *text)
{
    bool is_in_word = false;

    while (*text) {
        bool is_comment =
            *text == '#' || (!is_in_word && *text == '/' && (text[1] == '/' || text[1] == '*'));

        if (is_comment) {
            for (char *end = comment_end(text); text < end; text++)
                if (*text != '\n')
                    *text = ' ';
            is_in_word = false;
        } else if (*text == '"' || *text == '\'') {
            text += quoted_len(text);
            is_in_word = false;
        } else {
            is_in_word = !strchr(" \t\r\n={}(),+", *text);
            text++;
        }
    }
}

/* libconfuse takes the end of a file for the brace that would end an endpoint. */
static void braces_check(const char *text)
{
    int depth = 0, line = 1, opening_line = 0;

    while (*text) {
        const char *end = text + (*text == '"' || *text == '\'' ? quoted_len(text) : 1);

        if (*text == '{' && depth++ == 0)
            opening_line = line;
        else if (*text == '}' && depth > 0)
            depth--;
        for (; text < end; text++)
            line += *text == '\n';
    }
    if (depth > 0)
        report(parse->file, opening_line, "the brace { that opens here is never closed");
}

static void text_parse(char *text)
{
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
    comments_blank(text);
    braces_check(text);
    /* What is wrong has been reported. */
    (void)cfg_parse_buf(parse->root, text);
    parse->section = NULL;
    endpoint_deinit(&parse->endpoint);
    cfg_free(parse->root);
    parse->root = NULL;
}

static void file_read(const char *file, bool is_required)
{
    char *text = NULL;
    int r = file_load(file, &text);

    parse->file = file;
    if (text)
        text_parse(text);
    else if (r == EINVAL)
        report(file, 0, "is not a text: it holds a zero byte");
    else if (r == -ENOBUFS)
        report(file, 0, "is longer than %d bytes", MAX_FILE_LEN);
    else if (r == -ENOMEM)
        parse->error = r;
    else if (is_required || r != -ENOENT)
        report(file, 0, "cannot be read: %s", strerror(-r));
    free(text);
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
    }
    parse = NULL;
    config->overflow_uid = overflow_id("/proc/sys/kernel/overflowuid");
    config->overflow_gid = overflow_id("/proc/sys/kernel/overflowgid");
    if (state.error == 0 && state.n_problems == 0)
        state.error = access_add(&config->free_access, &config->daemon.free_users,
                                 &config->daemon.free_groups);
    if (state.error == 0 && state.n_problems == 0)
        state.error = destination_new(&config->daemon.allow, &config->daemon.deny,
                                      kind == CONFIG_MACHINE ? DESTINATION_PUBLIC : NULL,
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
    free(config);
    return NULL;
}

/* ---- where things are ---- */

static char *path_in(const char *directory, const char *rest)
{
    char *path;

    return asprintf(&path, "%s%s", directory, rest) < 0 ? NULL : path;
}

static char *path_beside(const char *file, const char *name)
{
    char *path;
    int len = (int)(strrchr(file, '/') - file) + 1;

    return asprintf(&path, "%.*s%s", len, file, name) < 0 ? NULL : path;
}

/* A service manager that has made a directory names it; or several, of which the first is ours. */
static char *state_path(bool is_machine, const char *home)
{
    const char *given = getenv("STATE_DIRECTORY");
    const char *state = getenv("XDG_STATE_HOME");

    if (given && given[0] == '/')
        return strndup(given, strcspn(given, ":"));
    if (is_machine)
        return strdup("/var/lib/wsplex");
    if (state && state[0] == '/')
        return path_in(state, "/wsplex");
    return path_in(home ? home : "", "/.local/state/wsplex");
}

int config_paths_init(struct config_paths *paths)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *home = getenv("HOME");
    const char *configuration = getenv("XDG_CONFIG_HOME");

    memset(paths, 0, sizeof(*paths));
    paths->is_machine = geteuid() == 0 || !runtime || runtime[0] != '/';
    if (paths->is_machine)
        paths->config = strdup("/etc/wsplex/wsplexd.conf");
    else if (configuration && configuration[0] == '/')
        paths->config = path_in(configuration, "/wsplex/wsplexd.conf");
    else
        paths->config = path_in(home ? home : "", "/.config/wsplex/wsplexd.conf");
    if (paths->config)
        paths->credentials = path_beside(paths->config, "credentials");
    paths->socket_dir = path_in(paths->is_machine ? "/run" : runtime, "/wsplex");
    if (paths->socket_dir)
        paths->socket = path_in(paths->socket_dir, "/wsplex.sock");
    paths->state_dir = state_path(paths->is_machine, home);
    if (paths->config && paths->credentials && paths->socket && paths->state_dir)
        return 0;
    config_paths_deinit(paths);
    return -ENOMEM;
}

void config_paths_deinit(struct config_paths *paths)
{
    free(paths->config);
    free(paths->credentials);
    free(paths->socket_dir);
    free(paths->socket);
    free(paths->state_dir);
    memset(paths, 0, sizeof(*paths));
}
