/*
 * main: wsplexctl, which shows what the daemon holds and opens WebSockets for scripts and people.
 *
 * One table gives dispatch, overview and help; each verb lives in the file of its group.
 * Invariant: nothing but the table knows all verbs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ctl.h"

static const struct verb verbs[] = {
    {"status", "", "what the daemon is and holds", NULL, true, ctl_list},
    {"upstreams", "", "the remote connections, and who uses them", NULL, true, ctl_list},
    {"clients", "", "the local processes that are connected", NULL, true, ctl_list},
    {"channels", "", "the WebSocket objects of these processes", NULL, true, ctl_list},
    {"show", "ID", "everything about one upstream, client or channel",
     "ID is the number that a list or the log shows; it names one thing and is never used again.\n"
     "Of an upstream that has failed, its owner is shown what the server answered.\n",
     true, ctl_list},
    {"close", "ID", "close one remote connection, for all who use it",
     "ID is the number that `upstreams` shows. The server is told the code 1000, and the programs "
     "get\n"
     "what it answers. You may close what is yours, and what users share on an endpoint if you "
     "may\n"
     "control it.\n",
     true, ctl_list},
    {"history", "", "the remote connections that failed lately, and why", NULL, true, ctl_list},
    {"metrics", "", "what the daemon does, in numbers, as OpenMetrics text",
     "For Prometheus and its kin, through the textfile collector or whatever serves it. Only for "
     "administrators.\n",
     false, ctl_metrics},
    {"endpoints", "", "the endpoints of the daemon's configuration", NULL, true, ctl_list},
    {"connect", "[OPTION ...] URL", "a terminal, or a pipe, on a WebSocket",
     "Each line of stdin goes out as a text message, each message that comes is a line on stdout.\n"
     "At the end of stdin everything is sent, the WebSocket closed, and what still comes until it "
     "is\n"
     "closed is written. URL may be wsplex-endpoint:NAME for an endpoint of the configuration.\n\n"
     "  -s, --shared             use one connection with all who ask for the same\n"
     "      --private            use a connection of its own, as URLs do by themselves\n"
     "  -p, --protocol NAME      ask for a subprotocol; may be given several times\n"
     "  -H, --header 'NAME: VALUE'  add a header to the opening handshake\n"
     "  -o, --option NAME=VALUE  set an option of wsplexd.conf(5) for this WebSocket\n"
     "  -b, --binary             raw: what stdin gives becomes binary messages, and messages are\n"
     "                           written as they are, without line ends\n"
     "  -n, --no-input           do not read stdin; receive until the other side closes\n\n"
     "The exit status is 0 after a clean close, 1 after a failure, 2 for a wrong call.\n",
     false, ctl_connect_websocket},
};

enum { N_VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static void print_overview(void)
{
    puts("usage: wsplexctl [--socket PATH] [--json] VERB [ARGUMENT ...]\n\n"
         "      --socket PATH  the daemon's socket; otherwise $WSPLEX_SOCKET, the user's daemon, "
         "the\n"
         "                     machine's daemon\n"
         "      --json         the reply as JSON instead of a table\n"
         "      --help         this; after a verb, more about it\n"
         "      --version      the version\n\nverbs:");
    for (size_t i = 0; i < N_VERBS; i++) {
        char call[40];
        snprintf(call, sizeof(call), "%s%s%s", verbs[i].name, verbs[i].arguments[0] ? " " : "",
                 verbs[i].arguments);
        printf("  %-24s %s\n", call, verbs[i].summary);
    }
}

static void print_help(const struct verb *verb)
{
    printf("usage: wsplexctl %s%s%s%s\n\n%s\n%s%s", verb->has_json ? "[--json] " : "", verb->name,
           verb->arguments[0] ? " " : "", verb->arguments, verb->summary, verb->help ? "\n" : "",
           verb->help ? verb->help : "");
}

/* Letters in which the two words differ, counted at each place: enough to know a slip of the finger. */
static const struct verb *verb_meant(const char *word)
{
    const struct verb *nearest = NULL;
    size_t least = 3;
    for (size_t i = 0; i < N_VERBS; i++) {
        const char *name = verbs[i].name;
        size_t common = 0, len = strlen(word), name_len = strlen(name), tail = 0;
        while (word[common] && word[common] == name[common])
            common++;
        while (tail < len - common && tail < name_len - common &&
               word[len - 1 - tail] == name[name_len - 1 - tail])
            tail++;
        size_t longer = len > name_len ? len : name_len;
        if (common + tail > 0 && longer - common - tail < least) {
            least = longer - common - tail;
            nearest = &verbs[i];
        }
    }
    return nearest;
}

static const struct verb *find_verb(const char *word)
{
    for (size_t i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].name, word) == 0)
            return &verbs[i];
    const struct verb *meant = verb_meant(word);
    if (meant)
        ctl_usage(NULL, "there is no verb '%s'; '%s' may be meant", word, meant->name);
    else
        ctl_usage(NULL, "there is no verb '%s'", word);
    return NULL;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}

/* It may stand behind the verb as well, where fingers put it. Returns how many words are left. */
static int take_json(struct ctl *ctl, int argc, char **argv)
{
    int n_left = 1;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            ctl->is_json = true;
        else
            argv[n_left++] = argv[i];
    return n_left;
}

/* Where the caller has closed stdin, stdout or stderr, what is opened next would take its number: the
 * daemon's socket would be read as input, and written to as output. Reads and writes are errors instead. */
static bool standard_descriptors_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags) < 0)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    enum { OPTION_SOCKET = 256, OPTION_JSON, OPTION_HELP, OPTION_VERSION };
    static const struct option options[] = {
        {"socket", required_argument, NULL, OPTION_SOCKET},
        {"json", no_argument, NULL, OPTION_JSON},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    struct ctl ctl = {0};
    int option;
    if (!standard_descriptors_hold())
        return CTL_FAILED;
    opterr = 0;
    setlocale(LC_CTYPE, ""); /* how wide a character is */
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        switch (option) {
        case OPTION_SOCKET: ctl.socket_path = optarg; break;
        case OPTION_JSON: ctl.is_json = true; break;
        case OPTION_HELP: print_overview(); return CTL_DONE;
        case OPTION_VERSION: puts("wsplexctl " PACKAGE_VERSION); return CTL_DONE;
        default:
            return ctl_usage(NULL, "%s: no such option, or its value is missing", argv[optind - 1]);
        }
    }
    if (optind == argc)
        return ctl_usage(NULL, "which verb?");
    const struct verb *verb = find_verb(argv[optind]);
    if (!verb)
        return CTL_USAGE;
    argc -= optind;
    argv += optind;
    if (wants_help(argc, argv)) {
        print_help(verb);
        return CTL_DONE;
    }
    if (verb->has_json)
        argc = take_json(&ctl, argc, argv);
    int status = verb->run(&ctl, verb, argc, argv);
    wsplex_free(ctl.client);
    if (fflush(stdout) != 0 && status == CTL_DONE)
        status = ctl_fail("stdout could not be written");
    return status;
}
