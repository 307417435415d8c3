/* SPDX-License-Identifier: MIT
 *
 * journal: log lines to stderr.
 * Between whoever has something to tell and a terminal, a file or systemd's journal.
 * Invariant: a line is one write, and a line that cannot be written is forgotten: logging never stops the daemon.
 */
#include "daemon/journal.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "daemon/limits.h"

enum { MAX_LINE_LEN = 1024 };

struct line {
    const char *name;
    enum journal_level level;
    const char *subject;
};

static const struct line lines[] = {
#define LINE(NAME, name, level, subject, when) {name, JOURNAL_LEVEL_##level, subject},
#include "daemon/journal.def"
};

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [JOURNAL_LEVEL_ERROR] = {"error", LOG_ERR},
    [JOURNAL_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [JOURNAL_LEVEL_NOTICE] = {"notice", LOG_NOTICE},
    [JOURNAL_LEVEL_INFO] = {"info", LOG_INFO},
    [JOURNAL_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

/* systemd names the device and inode of its stream, so that a redirected stderr is not taken for it. */
static bool is_systemd_stream(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat status;

    if (!stream || fstat(fd, &status) < 0)
        return false;
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, own) == 0;
}

void journal_init(struct journal *journal, enum journal_level level)
{
    *journal = (struct journal){
        .fd = STDERR_FILENO, .is_systemd = is_systemd_stream(STDERR_FILENO), .level = level};
}

static size_t prefix_format(const struct journal *journal, const struct line *line, uint64_t id,
                            char *to, size_t len)
{
    size_t used;

    if (journal->is_systemd) {
        used = (size_t)snprintf(to, len, "<%d>", levels[line->level].priority);
    } else {
        struct timespec now;
        struct tm utc;

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &utc);
        used = strftime(to, len, "%Y-%m-%dT%H:%M:%S", &utc);
        used += (size_t)snprintf(to + used, len - used,
                                 ".%03dZ wsplexd: %s: ", (int)(now.tv_nsec / 1000000),
                                 levels[line->level].name);
    }
    if (line->subject[0])
        used += (size_t)snprintf(to + used, len - used, "%s %llu: ", line->subject,
                                 (unsigned long long)id);
    return used;
}

/* A pipe that is full because nobody reads it would hold up the daemon. */
static void line_put(int fd, const char *text, size_t len)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    ssize_t written = 0;

    if (poll(&room, 1, 0) == 1 && room.revents & POLLOUT)
        written = write(fd, text, len);
    (void)written;
}

static void line_write(const struct journal *journal, const struct line *line, uint64_t id,
                       const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

static void line_write(const struct journal *journal, const struct line *line, uint64_t id,
                       const char *format, va_list arguments)
{
    char text[MAX_LINE_LEN];
    size_t tail_len = strlen(line->name) + sizeof(" []\n") - 1;
    size_t room = sizeof(text) - tail_len;
    size_t used = prefix_format(journal, line, id, text, room);
    int len = vsnprintf(text + used, room - used, format, arguments);

    if (len > 0)
        used += (size_t)len < room - used ? (size_t)len : room - used - 1;
    for (size_t i = 0; i < used; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    used += (size_t)snprintf(text + used, sizeof(text) - used, " [%s]\n", line->name);

    line_put(journal->fd, text, used);
}

static void left_out_write(const struct journal *journal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void left_out_write(const struct journal *journal, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    line_write(journal, &lines[JOURNAL_LEFT_OUT], 0, format, arguments);
    va_end(arguments);
}

/* True if the line may be written; tells what was left out when a window of its name is over. */
static bool count_line(struct journal *journal, struct journal_count *count, uint64_t now_ms)
{
    if (now_ms - count->window_ms >= JOURNAL_WINDOW_MS) {
        if (count->n_left_out > 0)
            left_out_write(journal, "%u more lines of %s", count->n_left_out,
                           lines[count - journal->counts].name);
        *count = (struct journal_count){.window_ms = now_ms};
    }
    if (count->n_written < MAX_JOURNAL_LINES_PER_WINDOW) {
        count->n_written++;
        return true;
    }
    count->n_left_out++;
    return false;
}

void journal_flush(struct journal *journal)
{
    for (size_t i = 0; i < JOURNAL_N_LINES; i++)
        if (journal->counts[i].n_left_out > 0)
            count_line(journal, &journal->counts[i],
                       journal->counts[i].window_ms + JOURNAL_WINDOW_MS);
}

void journal_log(struct journal *journal, enum journal_line line, uint64_t id, const char *format,
                 ...)
{
    int saved_errno = errno;
    struct timespec now;
    va_list arguments;

    if (lines[line].level > journal->level)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* What is asked for in debugging is wanted whole. */
    if (lines[line].level == JOURNAL_LEVEL_DEBUG ||
        count_line(journal, &journal->counts[line],
                   (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000)) {
        va_start(arguments, format);
        line_write(journal, &lines[line], id, format, arguments);
        va_end(arguments);
    }
    errno = saved_errno;
}
