/* SPDX-License-Identifier: MIT
 *
 * ledger: the file of what budgets spend; see ledger.h.
 * Between budget and the file system. Invariant: see ledger.h.
 *
 * Lines are appended; once there are too many of them, whoever holds the ledger says anew what still matters, and that
 * takes the place of the file by rename(2). A line that could not be written whole is cut off again; what cannot even
 * be cut off makes the file unfit for more until it has been rewritten. The lock is the directory's, as the file
 * changes.
 */
#include "daemon/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/limits.h"

static const char file_name[] = "budgets";
static const char new_name[] = "budgets.new";
static const char aside_name[] = "budgets.unreadable";

static const char preface[] =
    "# What the budgets of wsplexd.conf(5) have spent, as wsplexd writes it down before it spends "
    "it.\n"
    "# Without this file nothing counts as spent; it is not to be removed while wsplexd runs.\n";

struct ledger {
    const struct ledger_clock *clock;
    int directory;
    int fd;            /* -1: unfit */
    off_t len;         /* of what is whole */
    int64_t offset_ms; /* of the wall's clock over elapsed time, as the first line has it */
    unsigned n_lines, n_rewritten;
    FILE *new; /* while it is being rewritten */
    unsigned n_new;
    int64_t new_offset_ms;
    int new_error;
};

/* ---- time ---- */

static int64_t clock_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_elapsed(void *context)
{
    (void)context;
    return clock_ms(CLOCK_BOOTTIME);
}

static int64_t system_wall(void *context)
{
    (void)context;
    return clock_ms(CLOCK_REALTIME);
}

static void system_boot(void *context, char ret_boot[LEDGER_BOOT_LEN])
{
    FILE *from = fopen("/proc/sys/kernel/random/boot_id", "re");

    (void)context;
    if (from == NULL || fgets(ret_boot, LEDGER_BOOT_LEN, from) == NULL)
        snprintf(ret_boot, LEDGER_BOOT_LEN, LEDGER_NO_BOOT);
    if (from != NULL)
        fclose(from);
}

const struct ledger_clock *ledger_system_clock(void)
{
    static const struct ledger_clock clock = {
        .elapsed_ms = system_elapsed, .wall_ms = system_wall, .boot = system_boot};

    return &clock;
}

static int64_t elapsed_now(const struct ledger *ledger)
{
    return ledger->clock->elapsed_ms(ledger->clock->context);
}

/* A clock on the wall that shows less than the machine is up counts as if it began with it. */
static int64_t offset_now(const struct ledger *ledger)
{
    int64_t offset_ms = ledger->clock->wall_ms(ledger->clock->context) - elapsed_now(ledger);

    return offset_ms > 0 ? offset_ms : 0;
}

/* ---- reading ---- */

/* What is being read. */
struct reading {
    struct ledger *ledger;
    struct ledger_reader *reader;
    struct ledger_head head;
    bool is_same_boot, is_other_boot; /* neither: nobody knows */
};

static uint64_t age_of(const struct reading *reading, uint64_t wall_ms)
{
    int64_t elapsed_ms = elapsed_now(reading->ledger);
    int64_t by_wall = elapsed_ms + offset_now(reading->ledger) - (int64_t)wall_ms;
    int64_t by_boot = elapsed_ms + reading->head.offset_ms - (int64_t)wall_ms;
    int64_t age = by_wall;

    if (reading->is_same_boot || (!reading->is_other_boot && by_boot >= 0 && by_boot < by_wall))
        age = by_boot;
    return age > 0 ? (uint64_t)age : 0;
}

/* NULL, or what is wrong with the first line. */
static const char *read_head(struct reading *reading, struct wsp_view text)
{
    char boot[LEDGER_BOOT_LEN];

    if (ledger_head_parse(text, &reading->head) != 0)
        return "it is not a ledger of wsplexd";
    if (reading->head.version != LEDGER_VERSION)
        return "another version of wsplexd has written it";
    reading->ledger->clock->boot(reading->ledger->clock->context, boot);
    if (strcmp(boot, LEDGER_NO_BOOT) != 0 && strcmp(reading->head.boot, LEDGER_NO_BOOT) != 0) {
        reading->is_same_boot = strcmp(boot, reading->head.boot) == 0;
        reading->is_other_boot = !reading->is_same_boot;
    }
    return NULL;
}

static const char *read_line(struct reading *reading, struct wsp_view text)
{
    struct ledger_line line;

    if (ledger_line_parse(text, &line) != 0)
        return "a line of it is not understood";
    if (line.type == LEDGER_SPENT)
        reading->reader->spent(reading->reader, line.kind, line.owner,
                               age_of(reading, line.wall_ms), line.count);
    else if (line.type == LEDGER_UNKNOWN)
        reading->reader->unknown(reading->reader, age_of(reading, line.wall_ms), NULL);
    return NULL;
}

/* NULL, or what is wrong. The last line may have been cut off as it was written: what it announced was then never
 * done. Zeros instead are what a power cut leaves of lines that were. */
static const char *read_lines(struct reading *reading, FILE *from)
{
    char *text = NULL;
    size_t room = 0;
    unsigned n_lines = 0;
    const char *problem = NULL;
    ssize_t len;

    errno = 0;
    while (problem == NULL && (len = getline(&text, &room, from)) > 0) {
        struct wsp_view view = {(const uint8_t *)text, (size_t)len};

        if (text[len - 1] == '\n')
            view.len--;
        else if (n_lines > 0 && strlen(text) == (size_t)len)
            break;
        problem = n_lines == 0 ? read_head(reading, view) : read_line(reading, view);
        n_lines++;
    }
    if (problem == NULL && !feof(from))
        problem = strerror(errno != 0 ? errno : EIO);
    free(text);
    return problem == NULL && n_lines == 0 ? "it is empty" : problem;
}

/* NULL, or what is wrong. Opened so that nothing which is no file can hold us up. */
static const char *read_file(struct ledger *ledger, struct ledger_reader *reader)
{
    struct reading reading = {.ledger = ledger, .reader = reader};
    int fd = openat(ledger->directory, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const char *problem = "it is not a regular file";
    struct stat is;
    FILE *from;

    if (fd < 0)
        return errno == ENOENT ? NULL : strerror(errno);
    if (fstat(fd, &is) == 0 && S_ISREG(is.st_mode)) {
        from = is.st_size <= MAX_LEDGER_LEN ? fdopen(fd, "r") : NULL;
        problem = is.st_size <= MAX_LEDGER_LEN ? strerror(ENOMEM) : "it is too long";
        if (from != NULL) {
            problem = read_lines(&reading, from);
            fclose(from);
            return problem;
        }
    }
    close(fd);
    return problem;
}

/* ---- opening ---- */

static int cannot(char ret_problem[LEDGER_PROBLEM_LEN], int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int cannot(char ret_problem[LEDGER_PROBLEM_LEN], int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(ret_problem, LEDGER_PROBLEM_LEN, format, arguments);
    va_end(arguments);
    return error;
}

/* The directory and all above it that are not there. 0, or a negative errno. */
static int directory_make(const char *path)
{
    char *copy = strdup(path);
    int r = 0;

    if (copy == NULL)
        return -ENOMEM;
    for (char *at = copy + 1; r == 0 && *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        r = mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
        *at = '/';
    }
    if (r == 0 && mkdir(copy, 0700) < 0 && errno != EEXIST)
        r = -errno;
    free(copy);
    return r;
}

static int directory_open(struct ledger *ledger, const char *path,
                          char ret_problem[LEDGER_PROBLEM_LEN])
{
    int r = access(path, F_OK) == 0 ? 0 : directory_make(path);

    if (r == 0) {
        ledger->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = ledger->directory < 0 ? -errno : 0;
    }
    if (r < 0)
        return cannot(ret_problem, r, "the state directory %s: %s", path, strerror(-r));
    /* Where a directory cannot be locked (NFS) nobody else is known to be there. */
    if (flock(ledger->directory, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    return cannot(ret_problem, -EWOULDBLOCK,
                  "the state directory %s is another wsplexd's; each needs a state-dir of its own",
                  path);
}

/* What cannot be understood is kept for people to look at, one of them at a time. */
static void set_aside(struct ledger *ledger, const char *directory, const char *problem,
                      struct ledger_reader *reader)
{
    char text[LEDGER_PROBLEM_LEN];

    renameat(ledger->directory, file_name, ledger->directory, aside_name);
    snprintf(text, sizeof(text), "%s/%s: %s; it is now %s", directory, file_name, problem,
             aside_name);
    reader->unknown(reader, 0, text);
}

int ledger_open(const char *directory, const struct ledger_clock *clock,
                struct ledger_reader *reader, struct ledger **ret_ledger,
                char ret_problem[LEDGER_PROBLEM_LEN])
{
    struct ledger *ledger = malloc(sizeof(*ledger));
    const char *problem;
    int r;

    if (ledger == NULL)
        return cannot(ret_problem, -ENOMEM, "%s", strerror(ENOMEM));
    *ledger = (struct ledger){.clock = clock, .directory = -1, .fd = -1};
    r = directory_open(ledger, directory, ret_problem);
    if (r < 0) {
        ledger_close(ledger);
        return r;
    }
    problem = read_file(ledger, reader);
    if (problem != NULL)
        set_aside(ledger, directory, problem, reader);
    *ret_ledger = ledger;
    return 0;
}

struct ledger *ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return NULL;
    if (ledger->new != NULL)
        fclose(ledger->new);
    if (ledger->fd >= 0)
        close(ledger->fd);
    if (ledger->directory >= 0)
        close(ledger->directory);
    free(ledger);
    return NULL;
}

/* ---- writing ---- */

static void line_of(struct ledger_line *line, enum budget_kind kind, const char *owner,
                    int64_t wall_ms, uint64_t count)
{
    *line = (struct ledger_line){.type = LEDGER_SPENT,
                                 .wall_ms = wall_ms > 0 ? (uint64_t)wall_ms : 0,
                                 .kind = kind,
                                 .count = count};
    snprintf(line->owner, sizeof(line->owner), "%s", owner);
}

int ledger_append(struct ledger *ledger, enum budget_kind kind, const char *owner,
                  int64_t elapsed_ms, uint64_t count)
{
    char text[LEDGER_LINE_LEN];
    struct ledger_line line;
    size_t len;
    ssize_t n;
    int r;

    if (ledger->fd < 0)
        return -EBADF;
    line_of(&line, kind, owner, elapsed_ms + ledger->offset_ms, count);
    len = ledger_line_format(&line, text);
    do
        n = write(ledger->fd, text, len);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len) {
        ledger->len += n;
        ledger->n_lines++;
        return 0;
    }
    r = n < 0 ? -errno : -ENOSPC;
    if (n > 0 && ftruncate(ledger->fd, ledger->len) < 0) {
        close(ledger->fd);
        ledger->fd = -1;
    }
    return r;
}

int ledger_sync(struct ledger *ledger)
{
    if (ledger->fd < 0)
        return -EBADF;
    return fdatasync(ledger->fd) < 0 ? -errno : 0;
}

bool ledger_wants_rewriting(const struct ledger *ledger)
{
    int64_t drift = offset_now(ledger) - ledger->offset_ms;

    return ledger->fd < 0 || ledger->n_lines > 2 * ledger->n_rewritten + MIN_LEDGER_LINES ||
           drift > LEDGER_DRIFT_MS || drift < -LEDGER_DRIFT_MS;
}

/* ---- rewriting ---- */

static void rewrite_text(struct ledger *ledger, const char *text, size_t len)
{
    if (ledger->new_error == 0 && fwrite(text, 1, len, ledger->new) != len)
        ledger->new_error = errno != 0 ? -errno : -EIO;
}

int ledger_rewrite_begin(struct ledger *ledger)
{
    struct ledger_head head = {.offset_ms = offset_now(ledger)};
    char text[LEDGER_LINE_LEN];
    size_t len;
    int fd = openat(ledger->directory, new_name,
                    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    ledger->new = fdopen(fd, "a");
    if (ledger->new == NULL) {
        close(fd);
        return -ENOMEM;
    }
    ledger->new_offset_ms = head.offset_ms;
    ledger->new_error = 0;
    ledger->n_new = 0;
    ledger->clock->boot(ledger->clock->context, head.boot);
    len = ledger_head_format(&head, text);
    rewrite_text(ledger, text, len);
    rewrite_text(ledger, preface, sizeof(preface) - 1);
    return 0;
}

static void rewrite_line(struct ledger *ledger, const struct ledger_line *line)
{
    char text[LEDGER_LINE_LEN];
    size_t len = ledger_line_format(line, text);

    rewrite_text(ledger, text, len);
    ledger->n_new++;
}

void ledger_rewrite_spent(struct ledger *ledger, enum budget_kind kind, const char *owner,
                          int64_t elapsed_ms, uint64_t count)
{
    struct ledger_line line;

    line_of(&line, kind, owner, elapsed_ms + ledger->new_offset_ms, count);
    rewrite_line(ledger, &line);
}

void ledger_rewrite_unknown(struct ledger *ledger, int64_t elapsed_ms)
{
    int64_t wall_ms = elapsed_ms + ledger->new_offset_ms;

    rewrite_line(ledger, &(struct ledger_line){.type = LEDGER_UNKNOWN,
                                               .wall_ms = wall_ms > 0 ? (uint64_t)wall_ms : 0});
}

/* The new file is on the disk before its name is, and its name before anything is added to it: a power cut leaves one
 * of the two, whole. */
int ledger_rewrite_end(struct ledger *ledger)
{
    int r = ledger->new_error, fd = -1;

    if (r == 0 && fflush(ledger->new) != 0)
        r = -errno;
    if (r == 0 && fdatasync(fileno(ledger->new)) < 0)
        r = -errno;
    if (r == 0) {
        fd = fcntl(fileno(ledger->new), F_DUPFD_CLOEXEC, 0);
        r = fd < 0 ? -errno : 0;
    }
    if (r == 0 && renameat(ledger->directory, new_name, ledger->directory, file_name) < 0)
        r = -errno;
    fclose(ledger->new);
    ledger->new = NULL;
    if (r < 0) {
        if (fd >= 0)
            close(fd);
        unlinkat(ledger->directory, new_name, 0);
        return r;
    }
    fsync(ledger->directory);
    if (ledger->fd >= 0)
        close(ledger->fd);
    ledger->fd = fd;
    ledger->len = lseek(fd, 0, SEEK_END);
    ledger->offset_ms = ledger->new_offset_ms;
    ledger->n_lines = 0;
    ledger->n_rewritten = ledger->n_new;
    return 0;
}
