/*
 * test_journal: the form of log lines, what is kept out of them, and their bound.
 *
 * Invariant: whole lines are compared, less their time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/journal.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/unit.h"

static int ends[2];
static struct journal journal;
static char text[65536];

static void make_journal(void)
{
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    journal_init(&journal, JOURNAL_LEVEL_DEBUG);
    journal.fd = ends[1];
    journal.is_systemd = true; /* no time stamps */
}

static void close_journal(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* Everything that was written since the last call. */
static const char *written(void)
{
    ssize_t len = read(ends[0], text, sizeof(text) - 1);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

START_TEST(a_line_names_its_subject_and_itself)
{
    journal_log(&journal, JOURNAL_UPSTREAM_FAILED, 7, "%s: %d", "ws://h/", 404);
    ck_assert_str_eq(written(), "<4>upstream 7: ws://h/: 404 [upstream-failed]\n");
    journal_log(&journal, JOURNAL_STARTED, 0, "listens");
    ck_assert_str_eq(written(), "<5>listens [started]\n");
}
END_TEST

START_TEST(elsewhere_a_line_begins_with_time_and_level)
{
    const char *line;

    journal.is_systemd = false;
    journal_log(&journal, JOURNAL_STARTED, 0, "listens");
    line = written();
    ck_assert_uint_gt(strlen(line), 24);
    ck_assert_int_eq(line[10], 'T');
    ck_assert_str_eq(line + 23, "Z wsplexd: notice: listens [started]\n");
}
END_TEST

START_TEST(what_is_less_important_than_the_level_is_left_out)
{
    journal.level = JOURNAL_LEVEL_WARNING;
    journal_log(&journal, JOURNAL_STARTED, 0, "listens");
    ck_assert_str_eq(written(), "");
    journal_log(&journal, JOURNAL_CLIENT_BROKEN, 3, "x");
    ck_assert_str_eq(written(), "<4>client 3: x [client-broken]\n");
}
END_TEST

START_TEST(nobody_begins_another_line)
{
    journal_log(&journal, JOURNAL_STARTED, 0, "a\nb\r\x1b[2Jc\x7f\xc3\xa4");
    ck_assert_str_eq(written(), "<5>a?b??[2Jc?\xc3\xa4 [started]\n");
}
END_TEST

START_TEST(a_long_line_is_cut_and_keeps_its_name)
{
    char long_text[3000];
    const char *line;
    size_t len;

    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    journal_log(&journal, JOURNAL_STARTED, 0, "%s", long_text);
    line = written();
    len = strlen(line);
    ck_assert_uint_le(len, 1024);
    ck_assert_uint_gt(len, 1000);
    ck_assert_str_eq(line + len - strlen("x [started]\n"), "x [started]\n");
}
END_TEST

static size_t n_lines(const char *lines)
{
    size_t n = 0;

    for (; *lines; lines++)
        n += *lines == '\n';
    return n;
}

START_TEST(what_comes_too_often_is_counted)
{
    for (int i = 0; i < 25; i++)
        journal_log(&journal, JOURNAL_CLIENT_BROKEN, 3, "x");
    ck_assert_uint_eq(n_lines(written()), 20);
    /* Another name has a rate of its own. */
    journal_log(&journal, JOURNAL_CLIENT_REFUSED, 3, "x");
    ck_assert_uint_eq(n_lines(written()), 1);
    /* Later it is told, and the name may be written again. */
    journal.counts[JOURNAL_CLIENT_BROKEN].window_ms -= 10000;
    journal_log(&journal, JOURNAL_CLIENT_BROKEN, 3, "x");
    ck_assert_str_eq(written(), "<4>5 more lines of client-broken [left-out]\n"
                                "<4>client 3: x [client-broken]\n");
    journal_flush(&journal);
    ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(what_was_left_out_is_told_at_the_end)
{
    for (int i = 0; i < 21; i++)
        journal_log(&journal, JOURNAL_CLIENT_BROKEN, 3, "x");
    (void)written();
    journal_flush(&journal);
    ck_assert_str_eq(written(), "<4>1 more lines of client-broken [left-out]\n");
}
END_TEST

START_TEST(debugging_is_not_counted)
{
    for (int i = 0; i < 100; i++)
        journal_log(&journal, JOURNAL_CLIENT_GONE, 3, "x");
    ck_assert_uint_eq(n_lines(written()), 100);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads_stops_nobody)
{
    int flags = fcntl(ends[1], F_GETFL);

    memset(text, 'x', sizeof(text));
    while (write(ends[1], text, sizeof(text)) > 0)
        ;
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, flags & ~O_NONBLOCK), 0);
    for (int i = 0; i < 1000; i++)
        journal_log(&journal, JOURNAL_CLIENT_GONE, 3, "has gone");
    while (written()[0] != '\0')
        ;
    journal_log(&journal, JOURNAL_CLIENT_GONE, 4, "has gone");
    ck_assert_str_eq(written(), "<7>client 4: has gone [client-gone]\n");
}
END_TEST

START_TEST(a_reader_that_has_gone_stops_nobody)
{
    for (int i = 0; i < 10000; i++)
        journal_log(&journal, JOURNAL_CLIENT_GONE, 3, "the pipe is full long before this");
}
END_TEST

START_TEST(the_manual_page_names_every_line)
{
    static const char *const names[] = {
#define LINE(NAME, name, level, subject, when) name,
#include "daemon/journal.def"
    };
    const char *top = getenv("top_srcdir");
    char file[512];
    size_t n_entries = 0, len;
    FILE *from;

    snprintf(file, sizeof(file), "%s/doc/wsplexd.8", top ? top : ".");
    from = fopen(file, "r");
    ck_assert_msg(from != NULL, "%s", file);
    len = fread(text, 1, sizeof(text) - 1, from);
    fclose(from);
    text[len] = '\0';
    for (size_t i = 0; i < JOURNAL_N_LINES; i++) {
        char entry[64];

        snprintf(entry, sizeof(entry), "\n.It Li %s\n", names[i]);
        ck_assert_msg(strstr(text, entry) != NULL, "wsplexd.8 says nothing of %s", names[i]);
    }
    for (const char *at = text; (at = strstr(at, "\n.It Li ")) != NULL; at++)
        n_entries++;
    ck_assert_uint_eq(n_entries, JOURNAL_N_LINES);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("journal");
    TCase *lines = unit_case(suite, "lines");
    TCase *manual = unit_case(suite, "manual");

    tcase_add_checked_fixture(lines, make_journal, close_journal);
    tcase_add_test(lines, a_line_names_its_subject_and_itself);
    tcase_add_test(lines, elsewhere_a_line_begins_with_time_and_level);
    tcase_add_test(lines, what_is_less_important_than_the_level_is_left_out);
    tcase_add_test(lines, nobody_begins_another_line);
    tcase_add_test(lines, a_long_line_is_cut_and_keeps_its_name);
    tcase_add_test(lines, what_comes_too_often_is_counted);
    tcase_add_test(lines, what_was_left_out_is_told_at_the_end);
    tcase_add_test(lines, debugging_is_not_counted);
    tcase_add_test(lines, a_pipe_that_nobody_reads_stops_nobody);
    tcase_add_test(lines, a_reader_that_has_gone_stops_nobody);
    tcase_add_test(manual, the_manual_page_names_every_line);
    return suite;
}
