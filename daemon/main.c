/* SPDX-License-Identifier: MIT
 *
 * main: the command line of wsplexd.
 * Between whoever starts the daemon and server, which is all of it. Invariant: the exit status is 0 after a stop that was
 * asked for, 1 when the daemon could not start or had to give up, 2 when the command line is wrong.
 */
#include <config.h> /* not the daemon's own */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/config_paths.h"
#include "daemon/credential_places.h"
#include "daemon/options.h"
#include "daemon/server.h"

enum { EXIT_USAGE = 2 };

enum flag {
    FLAG_SOCKET = 256,
    FLAG_CA_FILE,
    FLAG_LOG_LEVEL,
    FLAG_CONFIG,
    FLAG_CHECK,
    FLAG_HELP,
    FLAG_VERSION
};

/* One row for each option of the command line. Those with an option of the configuration take its values. */
static const struct flag_row {
    const char *name;
    enum flag flag;
    const char *argument; /* NULL: takes none */
    const char *help;
} flags[] = {
    {"socket", FLAG_SOCKET, "PATH", "listen there"},
    {"ca-file", FLAG_CA_FILE, "PATH", "trust these certificates instead of the system's"},
    {"log-level", FLAG_LOG_LEVEL, "LEVEL", "error, warning, notice, info or debug"},
    {"config", FLAG_CONFIG, "FILE", "read this configuration, and conf.d/*.conf beside it"},
    {"check-config", FLAG_CHECK, NULL, "say whether the configuration is valid, and do not start"},
    {"help", FLAG_HELP, NULL, "show this"},
    {"version", FLAG_VERSION, NULL, "show the version"},
};

enum { N_FLAGS = sizeof(flags) / sizeof(flags[0]) };

struct command {
    struct server_options options;
    struct daemon_options values; /* where checked values live */
    bool is_check;
};

static void usage(FILE *to)
{
    fprintf(to, "Usage: wsplexd [OPTION]...\n"
                "Owns remote WebSocket connections and shares them among local processes.\n\n");
    for (size_t i = 0; i < N_FLAGS; i++) {
        char left[40];

        snprintf(left, sizeof(left), "--%s%s%s", flags[i].name, flags[i].argument ? "=" : "",
                 flags[i].argument ? flags[i].argument : "");
        fprintf(to, "  %-22s %s\n", left, flags[i].help);
    }
    fprintf(to, "\nThe manual is wsplexd(8); the configuration is described in wsplexd.conf(5).\n");
}

/* A path of the command line may be relative to where it was typed. 0, -ENOMEM or another negative errno. */
static int path_absolute(const char *path, char **ret_path)
{
    char *directory, *absolute;

    if (path[0] == '/') {
        absolute = strdup(path);
    } else {
        directory = getcwd(NULL, 0);
        if (!directory)
            return -errno;
        if (asprintf(&absolute, "%s/%s", directory, path) < 0)
            absolute = NULL;
        free(directory);
    }
    if (!absolute)
        return -ENOMEM;
    *ret_path = absolute;
    return 0;
}

/* An option that the configuration has as well. True if the value is good. */
static bool set_value(struct command *command, const char *name, const char *text)
{
    const struct option_table *table = daemon_options_table();
    const struct option_row *row = option_find(table, wsp_view_of_string(name));
    char problem[OPTION_TEXT_LEN] = "out of memory";
    char *path = NULL;
    int r = 0;

    if (row->type == OPTION_PATH || row->type == OPTION_FILE)
        r = path_absolute(text, &path);
    if (r == 0)
        r = option_set(table, row, wsp_view_of_string(path ? path : text), &command->values,
                       problem);
    free(path);
    if (r == 0)
        return true;
    fprintf(stderr, "wsplexd: --%s\n", r < 0 ? strerror(-r) : problem);
    return false;
}

/* 0; EXIT_USAGE. */
static int flag_take(struct command *command, int flag)
{
    struct server_options *options = &command->options;

    switch (flag) {
    case FLAG_SOCKET:
        if (!set_value(command, "socket", optarg))
            return EXIT_USAGE;
        options->socket = command->values.socket;
        return 0;
    case FLAG_CA_FILE:
        if (!set_value(command, "ca-file", optarg))
            return EXIT_USAGE;
        options->ca_file = command->values.ca_file;
        return 0;
    case FLAG_LOG_LEVEL:
        if (!set_value(command, "log-level", optarg))
            return EXIT_USAGE;
        options->has_log_level = true;
        options->log_level = (enum journal_level)command->values.log_level;
        return 0;
    case FLAG_CONFIG:
        if (optarg[0] == '\0') {
            fprintf(stderr, "wsplexd: --config: the value is empty; give it the path of a file\n");
            return EXIT_USAGE;
        }
        options->config_file = optarg;
        return 0;
    case FLAG_CHECK: command->is_check = true; return 0;
    default: fprintf(stderr, "Try wsplexd --help.\n"); return EXIT_USAGE;
    }
}

/* -1: go on; else the exit status. */
static int command_parse(struct command *command, int argc, char **argv)
{
    struct option longs[N_FLAGS + 1] = {{NULL, 0, NULL, 0}};
    int flag;

    for (size_t i = 0; i < N_FLAGS; i++)
        longs[i] =
            (struct option){flags[i].name, flags[i].argument ? required_argument : no_argument,
                            NULL, (int)flags[i].flag};
    while ((flag = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (flag == FLAG_HELP || flag == FLAG_VERSION) {
            if (flag == FLAG_HELP)
                usage(stdout);
            else
                puts("wsplexd " PACKAGE_VERSION);
            return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        if (flag_take(command, flag) != 0)
            return EXIT_USAGE;
    }
    if (optind < argc) {
        fprintf(stderr,
                "wsplexd: %s: wsplexd takes no arguments but options. Try wsplexd --help.\n",
                argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

/* ---- --check-config ---- */

static void stderr_report(struct config_reporter *reporter, const char *file, int line,
                          const char *text)
{
    (void)reporter;
    if (line > 0)
        fprintf(stderr, "%s:%d: %s\n", file, line, text);
    else
        fprintf(stderr, "%s: %s\n", file, text);
}

/* The daemon would start all the same, and warn. */
static int check_credentials(const struct config_paths *paths, const struct config *config,
                             struct config_reporter *reporter)
{
    const char *directory = config->daemon.credentials_dir;

    return credential_places_check(config, directory ? directory : paths->credentials, reporter);
}

static int check_config(const struct server_options *options)
{
    struct config_reporter reporter = {stderr_report};
    struct config_paths paths;
    struct config *config = NULL;
    int r = config_paths_init(&paths);

    if (r == 0) {
        r = server_load_config(options, &paths, &reporter, &config);
        if (r == 0)
            r = check_credentials(&paths, config, &reporter);
        if (r == 0)
            printf("%s: the configuration is valid; endpoints: %zu\n",
                   options->config_file ? options->config_file : paths.config, config->n_endpoints);
        config_free(config);
        config_paths_deinit(&paths);
    }
    if (r < 0)
        fprintf(stderr, "wsplexd: %s\n", strerror(-r));
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#if defined(__SANITIZE_ADDRESS__)
enum { HAS_LEAK_CHECKER = true };
#elif defined(__has_feature)
enum { HAS_LEAK_CHECKER = __has_feature(address_sanitizer) };
#else
enum { HAS_LEAK_CHECKER = false };
#endif

/* What passes here is many users', and secrets among it: no core file has it, and no process of the daemon's own user
 * reads it (as with ssh-agent). The sanitizers' checker of leaks has to. */
static void memory_hide(void)
{
    if (!HAS_LEAK_CHECKER && getenv("WSPLEXD_DUMPABLE") == NULL)
        prctl(PR_SET_DUMPABLE, 0);
}

static int serve(const struct server_options *options)
{
    struct server server;
    int r;

    /* A peer that has gone is an error of write, not the end of the daemon. */
    signal(SIGPIPE, SIG_IGN);
    memory_hide();
    r = server_init(&server, options);
    if (r == 0)
        r = server_run(&server);
    server_deinit(&server);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Where the caller has closed stdin, stdout or stderr, what is opened next would take its number, and the log would be
 * written into it. */
static bool standard_descriptors_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    struct command command = {.is_check = false};
    int status;

    if (!standard_descriptors_hold())
        return EXIT_FAILURE;
    options_init(daemon_options_table(), &command.values);
    status = command_parse(&command, argc, argv);
    if (status < 0)
        status = command.is_check ? check_config(&command.options) : serve(&command.options);
    options_deinit(daemon_options_table(), &command.values);
    return status;
}
