/* SPDX-License-Identifier: MIT
 *
 * ledger: the file of what budgets spend; see ledger.h.
 * Between ledger_job and the file system. Invariant: see ledger.h.
 *
 * Lines are appended; once there are too many of them, whoever holds the ledger says anew what still matters, and that
 * takes the place of the file by rename(2). Lines that could not be written whole are cut off again; what cannot even
 * be cut off, or was written and never reached the disk, makes the file unfit for more until it has been rewritten. The
 * lock is the directory's, as the file changes.
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
    size_t n_lines, n_rewritten;
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

/* A clock on the wall that shows less than the machine is up counts as if it began with it; one that shows what no
 * line can say, as the latest that one can. */
static int64_t offset_now(const struct ledger *ledger)
{
    int64_t offset_ms = ledger->clock->wall_ms(ledger->clock->context) - elapsed_now(ledger);

    if (offset_ms > LEDGER_MAX_OFFSET_MS)
        return LEDGER_MAX_OFFSET_MS;
    return offset_ms > 0 ? offset_ms : 0;
}

/* ---- reading ---- */

/* What is being read. */
struct reading {
    struct ledger *ledger;
    struct ledger_sheet *found;
    struct ledger_head head;
    int64_t now_ms;                   /* elapsed */
    bool is_same_boot, is_other_boot; /* neither: nobody knows */
};

/* What lies ahead is now. */
static int64_t elapsed_of(const struct reading *reading, uint64_t wall_ms)
{
    int64_t by_wall = (int64_t)wall_ms - offset_now(reading->ledger);
    int64_t by_boot = (int64_t)wall_ms - reading->head.offset_ms;
    int64_t elapsed_ms = by_wall;

    if (reading->is_same_boot ||
        (!reading->is_other_boot && by_boot <= reading->now_ms && by_boot > by_wall))
        elapsed_ms = by_boot;
    return elapsed_ms < reading->now_ms ? elapsed_ms : reading->now_ms;
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
        ledger_sheet_spent(reading->found, line.kind, line.owner, elapsed_of(reading, line.wall_ms),
                           line.count);
    else if (line.type == LEDGER_UNKNOWN)
        ledger_sheet_unknown(reading->found, elapsed_of(reading, line.wall_ms));
    return NULL;
}

/* The last line may have been cut off as it was written: what it announced was then never done. Zeros instead are what
 * a power cut leaves of lines that were. */
static bool is_cut_off(struct wsp_view text)
{
    return text.len < LEDGER_LINE_LEN && memchr(text.data, '\0', text.len) == NULL;
}

/* NULL, or what is wrong. */
static const char *read_lines(struct reading *reading, struct wsp_view text)
{
    const char *problem = NULL;
    bool is_first = true;

    while (problem == NULL && text.len > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        struct wsp_view line = {text.data, end == NULL ? text.len : (size_t)(end - text.data)};

        if (!is_first && end == NULL && is_cut_off(line))
            break;
        problem = is_first ? read_head(reading, line) : read_line(reading, line);
        is_first = false;
        text.data += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
    }
    return is_first ? "it is empty" : problem;
}

/* Without stdio, whose locks the end of the process would wait for. 0, or a negative errno. */
static int read_all(int fd, struct wsp_buffer *text)
{
    enum { PIECE = 65536 };
    uint8_t *room;
    ssize_t n;
    int r;

    for (;;) {
        r = wsp_buffer_reserve(text, PIECE, &room);
        if (r < 0)
            return r;
        n = read(fd, room, PIECE);
        if (n > 0)
            wsp_buffer_commit(text, (size_t)n);
        else if (n == 0 || errno != EINTR)
            return n == 0 ? 0 : -errno;
    }
}

/* NULL, or what is wrong with it. Its owner decides what counts as spent. */
static const char *judge_file(const struct stat *is)
{
    if (!S_ISREG(is->st_mode))
        return "it is not a regular file";
    if (is->st_uid != geteuid() && is->st_uid != 0)
        return "it is another user's";
    return is->st_size > MAX_LEDGER_LEN ? "it is too long" : NULL;
}

/* NULL, or what is wrong. Opened so that nothing which is no file can hold us up. */
static const char *read_file(struct ledger *ledger, struct ledger_sheet *found)
{
    struct reading reading = {.ledger = ledger, .found = found, .now_ms = elapsed_now(ledger)};
    int fd = openat(ledger->directory, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const char *problem;
    struct wsp_buffer text;
    struct stat is;
    int r;

    if (fd < 0)
        return errno == ENOENT ? NULL : strerror(errno);
    problem = fstat(fd, &is) < 0 ? strerror(errno) : judge_file(&is);
    wsp_buffer_init(&text, 2 * (size_t)MAX_LEDGER_LEN);
    r = problem == NULL ? read_all(fd, &text) : 0;
    close(fd);
    if (r == -ENOMEM)
        found->error = r;
    else if (r < 0)
        problem = strerror(-r);
    else if (problem == NULL)
        problem =
            read_lines(&reading, (struct wsp_view){wsp_buffer_peek(&text), wsp_buffer_len(&text)});
    wsp_buffer_deinit(&text);
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
                      char ret_problem[LEDGER_PROBLEM_LEN])
{
    renameat(ledger->directory, file_name, ledger->directory, aside_name);
    cannot(ret_problem, 0, "%s/%s: %s; it is now %s", directory, file_name, problem, aside_name);
}

int ledger_open(const char *directory, const struct ledger_clock *clock, struct ledger_sheet *found,
                struct ledger **ret_ledger, char ret_problem[LEDGER_PROBLEM_LEN])
{
    struct ledger *ledger = malloc(sizeof(*ledger));
    const char *problem;
    int r;

    if (ledger == NULL)
        return cannot(ret_problem, -ENOMEM, "%s", strerror(ENOMEM));
    *ledger = (struct ledger){.clock = clock, .directory = -1, .fd = -1};
    r = directory_open(ledger, directory, ret_problem);
    if (r < 0)
        goto close_ledger;
    problem = read_file(ledger, found);
    if (found->error < 0) {
        r = cannot(ret_problem, found->error, "%s/%s: %s", directory, file_name, strerror(ENOMEM));
        goto close_ledger;
    }
    ret_problem[0] = '\0';
    if (problem != NULL) {
        ledger_sheet_unknown(found, elapsed_now(ledger));
        set_aside(ledger, directory, problem, ret_problem);
    }
    *ret_ledger = ledger;
    return 0;

close_ledger:
    ledger_close(ledger);
    return r;
}

struct ledger *ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return NULL;
    if (ledger->fd >= 0)
        close(ledger->fd);
    if (ledger->directory >= 0)
        close(ledger->directory);
    free(ledger);
    return NULL;
}

/* ---- writing ---- */

static uint64_t wall_of(int64_t elapsed_ms, int64_t offset_ms)
{
    return elapsed_ms + offset_ms > 0 ? (uint64_t)(elapsed_ms + offset_ms) : 0;
}

static size_t item_format(const struct ledger_sheet *sheet, const struct ledger_item *item,
                          int64_t offset_ms, char ret_text[LEDGER_LINE_LEN])
{
    struct ledger_line line = {.type = LEDGER_SPENT,
                               .wall_ms = wall_of(item->elapsed_ms, offset_ms),
                               .kind = item->kind,
                               .count = item->count};

    snprintf(line.owner, sizeof(line.owner), "%s", ledger_sheet_owner(sheet, item));
    return ledger_line_format(&line, ret_text);
}

/* As one piece, so that it can be cut off as one. */
static int sheet_format(const struct ledger_sheet *sheet, int64_t offset_ms,
                        struct wsp_buffer *text)
{
    char line[LEDGER_LINE_LEN];
    int r = 0;

    for (size_t i = 0; r == 0 && i < sheet->n_items; i++) {
        size_t len = item_format(sheet, &sheet->items[i], offset_ms, line);

        r = wsp_buffer_append(text, line, len);
    }
    return r;
}

/* 0, or a negative errno: some of it may have been written. */
static int write_all(int fd, struct wsp_buffer *text)
{
    while (wsp_buffer_len(text) > 0) {
        ssize_t n = write(fd, wsp_buffer_peek(text), wsp_buffer_len(text));

        if (n > 0)
            wsp_buffer_consume(text, (size_t)n);
        else if (n == 0 || errno != EINTR)
            return n == 0 ? -ENOSPC : -errno;
    }
    return 0;
}

/* Takes no more until it has been rewritten. */
static void give_up_file(struct ledger *ledger)
{
    close(ledger->fd);
    ledger->fd = -1;
}

int ledger_append(struct ledger *ledger, const struct ledger_sheet *sheet)
{
    struct wsp_buffer text;
    off_t len;
    int r;

    if (ledger->fd < 0)
        return -EBADF;
    wsp_buffer_init(&text, SIZE_MAX);
    r = sheet_format(sheet, ledger->offset_ms, &text);
    if (r == 0) {
        len = (off_t)wsp_buffer_len(&text);
        r = write_all(ledger->fd, &text);
        if (r == 0) {
            ledger->len += len;
            ledger->n_lines += sheet->n_items;
        } else if (ftruncate(ledger->fd, ledger->len) < 0) {
            give_up_file(ledger);
        }
    }
    wsp_buffer_deinit(&text);
    return r;
}

/* The kernel forgets what it could not write once it has said so: another try would say that all is well. */
int ledger_sync(struct ledger *ledger)
{
    int r;

    if (ledger->fd < 0)
        return -EBADF;
    if (fdatasync(ledger->fd) == 0)
        return 0;
    r = -errno;
    give_up_file(ledger);
    return r;
}

bool ledger_wants_rewriting(const struct ledger *ledger)
{
    int64_t drift = offset_now(ledger) - ledger->offset_ms;

    return ledger->fd < 0 || ledger->n_lines > 2 * ledger->n_rewritten + MIN_LEDGER_LINES ||
           drift > LEDGER_DRIFT_MS || drift < -LEDGER_DRIFT_MS;
}

/* ---- rewriting ---- */

static int new_format(const struct ledger *ledger, const struct ledger_sheet *sheet,
                      int64_t offset_ms, struct wsp_buffer *text)
{
    struct ledger_head head = {.offset_ms = offset_ms};
    struct ledger_line unknown = {.type = LEDGER_UNKNOWN,
                                  .wall_ms = wall_of(sheet->unknown_ms, offset_ms)};
    char line[LEDGER_LINE_LEN];
    size_t len;
    int r;

    ledger->clock->boot(ledger->clock->context, head.boot);
    len = ledger_head_format(&head, line);
    r = wsp_buffer_append(text, line, len);
    if (r == 0)
        r = wsp_buffer_append(text, preface, sizeof(preface) - 1);
    if (r == 0 && sheet->is_unknown) {
        len = ledger_line_format(&unknown, line);
        r = wsp_buffer_append(text, line, len);
    }
    return r == 0 ? sheet_format(sheet, offset_ms, text) : r;
}

/* Whole and on the disk. 0, or a negative errno. */
static int write_new(const struct ledger *ledger, const struct ledger_sheet *sheet,
                     int64_t offset_ms, int fd)
{
    struct wsp_buffer text;
    int r;

    wsp_buffer_init(&text, SIZE_MAX);
    r = new_format(ledger, sheet, offset_ms, &text);
    if (r == 0)
        r = write_all(fd, &text);
    wsp_buffer_deinit(&text);
    return r == 0 && fdatasync(fd) < 0 ? -errno : r;
}

/* The new file is on the disk before its name is, and its name before anything is added to it: a power cut leaves one
 * of the two, whole. */
int ledger_rewrite(struct ledger *ledger, const struct ledger_sheet *sheet)
{
    int64_t offset_ms = offset_now(ledger);
    int fd = openat(ledger->directory, new_name,
                    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r;

    if (fd < 0)
        return -errno;
    r = write_new(ledger, sheet, offset_ms, fd);
    if (r == 0 && renameat(ledger->directory, new_name, ledger->directory, file_name) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        unlinkat(ledger->directory, new_name, 0);
        return r;
    }
    if (ledger->fd >= 0)
        close(ledger->fd);
    ledger->fd = fd;
    ledger->len = lseek(fd, 0, SEEK_END);
    ledger->offset_ms = offset_ms;
    ledger->n_lines = 0;
    ledger->n_rewritten = sheet->n_items;
    if (fsync(ledger->directory) == 0 || errno == EINVAL)
        return 0;
    r = -errno;
    give_up_file(ledger);
    return r;
}
