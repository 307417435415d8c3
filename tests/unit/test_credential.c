/*
 * test_credential: the contract of daemon/credential.h: what a text may name, which file may be read, what a
 * value may be; and that no failure says it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "proto/local/errors.h"
#include "tests/harness/allocation.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#define SECRET "s3cr3t-0f-the-h0use"

static char directory[64], other[64];

static void write_file(const char *in, const char *name, const void *bytes, size_t len, mode_t mode)
{
    char path[PATH_MAX];
    FILE *to;

    snprintf(path, sizeof(path), "%s/%s", in, name);
    to = fopen(path, "we");
    ck_assert_ptr_nonnull(to);
    ck_assert_uint_eq(fwrite(bytes, 1, len, to), len);
    ck_assert_int_eq(fclose(to), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void setup(void)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    snprintf(directory, sizeof(directory), "/tmp/test_credential.XXXXXX");
    snprintf(other, sizeof(other), "/tmp/test_credential.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_ptr_nonnull(mkdtemp(other));
    write_file(directory, "token", SECRET "\n", sizeof(SECRET), 0600);
}

static void teardown(void)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf '%s' '%s'", directory, other);
    ck_assert_int_eq(system(command), 0);
}

/* The text expanded, which the caller frees; NULL with the failure. It lies at the end of its page. */
static char *expand(const char *text, enum credential_kind kind, struct failure *ret_failure)
{
    struct wsp_buffer to;
    struct guard guard;
    char *expanded = NULL;
    int r;

    wsp_buffer_init(&to, 1 << 20);
    guard_init(&guard, text, strlen(text));
    r = credential_expand(directory, (struct wsp_view){guard.data, guard.len}, kind, &to, NULL,
                          ret_failure);
    guard_deinit(&guard);
    if (r == 0)
        expanded = wsp_view_to_string((struct wsp_view){wsp_buffer_peek(&to), wsp_buffer_len(&to)});
    else
        ck_assert_int_eq(r, 1);
    wsp_buffer_deinit(&to);
    return expanded;
}

static void assert_expands(const char *text, enum credential_kind kind, const char *expected)
{
    struct failure failure;
    char *expanded = expand(text, kind, &failure);

    ck_assert_msg(expanded != NULL, "%s", failure.text);
    ck_assert_str_eq(expanded, expected);
    free(expanded);
}

static void assert_fails(const char *text, enum credential_kind kind, const char *why)
{
    struct failure failure = {.text = ""};

    ck_assert_ptr_null(expand(text, kind, &failure));
    ck_assert_msg(strstr(failure.text, why) != NULL, "\"%s\" is not in \"%s\"", why, failure.text);
    ck_assert_ptr_null(strstr(failure.text, SECRET));
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_CREDENTIAL);
}

/* --- texts --- */

static const struct {
    const char *text, *expanded;
} texts[] = {
    {"", ""},
    {"no name", "no name"},
    {"%{credential:token}", SECRET},
    {"Bearer %{credential:token}", "Bearer " SECRET},
    {"%{credential:token}%{credential:token}.", SECRET SECRET "."},
    {"100%", "100%"},
    {"a%20b%7Bc%", "a%20b%7Bc%"},
    {"%%", "%%"},
    {"%%{credential:token}", "%{credential:token}"},
    {"%%%{credential:token}", "%%{credential:token}"},
    {"%%{%{credential:token}}", "%{" SECRET "}"},
    {"%7Bcredential:token%7D", "%7Bcredential:token%7D"},
    {"{credential:token}", "{credential:token}"},
    {"% {credential:token}", "% {credential:token}"},
};

START_TEST(names_are_replaced_and_nothing_else)
{
    struct wsp_view text = wsp_view_of_string(texts[_i].text);
    bool has_secret = strstr(texts[_i].expanded, SECRET) != NULL;

    assert_expands(texts[_i].text, CREDENTIAL_HEADER, texts[_i].expanded);
    ck_assert_ptr_null(credential_flaw(text));
    ck_assert_int_eq(credential_is_in(text), has_secret);
}
END_TEST

static const struct {
    const char *text, *why;
} flaws[] = {
    {"%{", "begins the name"},
    {"%{}", "begins the name"},
    {"%{credentail:token}", "begins the name"},
    {"%{credential:token} %{Credential:token}", "begins the name"},
    {"%{credential:token", "no closing brace"},
    {"%{credential:", "no closing brace"},
    {"%{credential:}", "is none"},
    {"%{credential:.}", "is none"},
    {"%{credential:..}", "is none"},
    {"%{credential:../token}", "is none"},
    {"%{credential:a/b}", "is none"},
    {"%{credential: token}", "is none"},
    {"%{credential:%{credential:token}}", "is none"},
    {"%{credential:0123456789012345678901234567890123456789012345678901234567890123x}", "is none"},
};

START_TEST(flaws_are_found_without_a_file)
{
    const char *flaw = credential_flaw(wsp_view_of_string(flaws[_i].text));

    ck_assert_ptr_nonnull(flaw);
    ck_assert_ptr_nonnull(strstr(flaw, flaws[_i].why));
    ck_assert(credential_is_in(wsp_view_of_string(flaws[_i].text)));
    assert_fails(flaws[_i].text, CREDENTIAL_HEADER, flaws[_i].why);
}
END_TEST

START_TEST(text_of_a_program_is_left_alone)
{
    struct failure failure;
    struct wsp_buffer to;

    wsp_buffer_init(&to, 100);
    for (int i = 0; i < N_OF(flaws); i++) {
        struct wsp_view text = wsp_view_of_string(flaws[i].text);

        ck_assert_int_eq(credential_expand(NULL, text, CREDENTIAL_QUERY, &to, NULL, &failure), 0);
        unit_assert_bytes(wsp_buffer_peek(&to), wsp_buffer_len(&to), text.data, text.len);
        wsp_buffer_truncate(&to, 0);
    }
    wsp_buffer_deinit(&to);
}
END_TEST

/* --- files --- */

START_TEST(file_is_read_anew_each_time)
{
    assert_expands("%{credential:token}", CREDENTIAL_TEXT, SECRET);
    write_file(directory, "token", "another", 7, 0400);
    assert_expands("%{credential:token}", CREDENTIAL_TEXT, "another");
}
END_TEST

START_TEST(one_newline_at_the_end_is_not_the_value)
{
    write_file(directory, "bare", "value", 5, 0600);
    assert_expands("%{credential:bare}", CREDENTIAL_HEADER, "value");
    write_file(directory, "crlf", "value\r\n", 7, 0600);
    assert_expands("%{credential:crlf}", CREDENTIAL_HEADER, "value");
    write_file(directory, "two", "value\n\n", 7, 0600);
    assert_fails("%{credential:two}", CREDENTIAL_HEADER, "second line");
}
END_TEST

START_TEST(file_must_be_its_owners_alone)
{
    static const mode_t modes[] = {0640, 0604, 0610, 0620, 0601, 0666};

    for (int i = 0; i < N_OF(modes); i++) {
        write_file(directory, "token", SECRET, sizeof(SECRET) - 1, modes[i]);
        assert_fails("%{credential:token}", CREDENTIAL_HEADER, "chmod 600");
    }
    write_file(directory, "token", SECRET, sizeof(SECRET) - 1, 0600);
    if (geteuid() == 0) {
        char path[128];

        snprintf(path, sizeof(path), "%s/token", directory);
        ck_assert_int_eq(chown(path, 65533, 0), 0);
        assert_fails("%{credential:token}", CREDENTIAL_HEADER, "it belongs to user 65533");
    }
}
END_TEST

START_TEST(only_a_regular_file_is_read)
{
    char path[128], target[128];

    assert_fails("%{credential:none}", CREDENTIAL_HEADER, "there is no such file");
    snprintf(path, sizeof(path), "%s/fifo", directory);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_fails("%{credential:fifo}", CREDENTIAL_HEADER, "not a regular file");
    snprintf(path, sizeof(path), "%s/folder", directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    assert_fails("%{credential:folder}", CREDENTIAL_HEADER, "not a regular file");
    snprintf(path, sizeof(path), "%s/link", directory);
    snprintf(target, sizeof(target), "%s/token", directory);
    ck_assert_int_eq(symlink(target, path), 0);
    assert_fails("%{credential:link}", CREDENTIAL_HEADER, "symbolic link");
}
END_TEST

START_TEST(systemd_goes_first_and_decides_by_itself)
{
    write_file(other, "token", "from systemd\n", 13, 0444);
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", other, 1), 0);
    assert_expands("%{credential:token}", CREDENTIAL_HEADER, "from systemd");
    write_file(directory, "second", "from the directory", 18, 0600);
    assert_expands("%{credential:second}", CREDENTIAL_HEADER, "from the directory");
    write_file(other, "token", "", 0, 0400);
    assert_fails("%{credential:token}", CREDENTIAL_HEADER, "it is empty");
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "relative", 1), 0);
    assert_expands("%{credential:token}", CREDENTIAL_HEADER, SECRET);
    unsetenv("CREDENTIALS_DIRECTORY");
}
END_TEST

/* --- values --- */

START_TEST(length_is_bounded)
{
    static char value[MAX_CREDENTIAL + 3];
    char *expanded;
    struct failure failure;

    memset(value, 'v', sizeof(value));
    write_file(directory, "long", value, MAX_CREDENTIAL, 0600);
    expanded = expand("%{credential:long}", CREDENTIAL_HEADER, &failure);
    ck_assert_ptr_nonnull(expanded);
    ck_assert_uint_eq(strlen(expanded), MAX_CREDENTIAL);
    free(expanded);
    write_file(directory, "long", value, MAX_CREDENTIAL + 1, 0600);
    assert_fails("%{credential:long}", CREDENTIAL_HEADER, "too long");
    write_file(directory, "long", value, MAX_CREDENTIAL + 3, 0600);
    assert_fails("%{credential:long}", CREDENTIAL_HEADER, "longer than 16384");
}
END_TEST

START_TEST(value_cannot_end_its_line)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"a\r\nX: y", 7}, {"a\rb", 3},  {"a\nb", 3},    {"a\0b", 3},
               {"a\tb", 3},      {"a\x7f", 2}, {"\x1b[2J", 4}, {"\n\n", 2}};

    for (int i = 0; i < N_OF(bad); i++) {
        for (int kind = CREDENTIAL_HEADER; kind <= CREDENTIAL_PLAIN; kind++) {
            write_file(directory, "bad", bad[i].bytes, bad[i].len, 0600);
            assert_fails("%{credential:bad}", (enum credential_kind)kind, "control character");
        }
    }
    write_file(directory, "bad", "\n", 1, 0600);
    assert_fails("%{credential:bad}", CREDENTIAL_HEADER, "it is empty");
    write_file(directory, "bad", "caf\xe9", 4, 0600);
    assert_fails("%{credential:bad}", CREDENTIAL_TEXT, "not UTF-8");
    assert_expands("%{credential:bad}", CREDENTIAL_PLAIN, "caf\xe9");
}
END_TEST

START_TEST(query_gets_it_encoded)
{
    write_file(directory, "odd", "a&b=c d+%/?#'\"{}~._-\xc3\xa9Z9", 24, 0600);
    assert_expands("x=%20&token=%{credential:odd}&y=%", CREDENTIAL_QUERY,
                   "x=%20&token=a%26b%3Dc%20d%2B%25%2F%3F%23%27%22%7B%7D~._-%C3%A9Z9&y=%");
}
END_TEST

START_TEST(values_are_told_as_they_are_and_as_they_were_put)
{
    struct wsp_buffer to, values;
    struct failure failure;
    struct wsp_view rest, value;

    write_file(directory, "odd", "a b", 3, 0600);
    wsp_buffer_init(&to, 100);
    wsp_buffer_init(&values, 100);
    ck_assert_int_eq(credential_expand(directory,
                                       WSP_VIEW_LITERAL("%{credential:token}%{credential:odd}"),
                                       CREDENTIAL_QUERY, &to, &values, &failure),
                     0);
    ck_assert(to.is_secret);
    ck_assert(values.is_secret);
    rest = (struct wsp_view){wsp_buffer_peek(&values), wsp_buffer_len(&values)};
    ck_assert(credential_next(&rest, &value));
    unit_assert_bytes(value.data, value.len, SECRET, sizeof(SECRET) - 1);
    ck_assert(credential_next(&rest, &value));
    unit_assert_bytes(value.data, value.len, SECRET, sizeof(SECRET) - 1);
    ck_assert(credential_next(&rest, &value));
    unit_assert_bytes(value.data, value.len, "a b", 3);
    ck_assert(credential_next(&rest, &value));
    unit_assert_bytes(value.data, value.len, "a%20b", 5);
    ck_assert(!credential_next(&rest, &value));
    wsp_buffer_deinit(&to);
    wsp_buffer_deinit(&values);
}
END_TEST

START_TEST(full_buffer_and_no_memory_are_told)
{
    struct wsp_view text = WSP_VIEW_LITERAL("Bearer %{credential:token}");
    struct wsp_buffer to;
    struct failure failure;

    for (size_t max = 0; max < 7 + sizeof(SECRET) - 1; max++) {
        wsp_buffer_init(&to, max);
        ck_assert_int_eq(credential_expand(directory, text, CREDENTIAL_HEADER, &to, NULL, &failure),
                         -ENOBUFS);
        wsp_buffer_deinit(&to);
    }
    wsp_buffer_init(&to, 100);
    allocation_fail_after(0);
    ck_assert_int_eq(credential_expand(directory, text, CREDENTIAL_HEADER, &to, NULL, &failure),
                     -ENOMEM);
    ck_assert(allocation_disarm());
    wsp_buffer_deinit(&to);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("credential");
    TCase *text = unit_case(suite, "text");
    TCase *file = unit_case(suite, "file");
    TCase *value = unit_case(suite, "value");

    tcase_add_checked_fixture(text, setup, teardown);
    tcase_add_checked_fixture(file, setup, teardown);
    tcase_add_checked_fixture(value, setup, teardown);
    tcase_add_loop_test(text, names_are_replaced_and_nothing_else, 0, N_OF(texts));
    tcase_add_loop_test(text, flaws_are_found_without_a_file, 0, N_OF(flaws));
    tcase_add_test(text, text_of_a_program_is_left_alone);
    tcase_add_test(file, file_is_read_anew_each_time);
    tcase_add_test(file, one_newline_at_the_end_is_not_the_value);
    tcase_add_test(file, file_must_be_its_owners_alone);
    tcase_add_test(file, only_a_regular_file_is_read);
    tcase_add_test(file, systemd_goes_first_and_decides_by_itself);
    tcase_add_test(value, length_is_bounded);
    tcase_add_test(value, value_cannot_end_its_line);
    tcase_add_test(value, query_gets_it_encoded);
    tcase_add_test(value, values_are_told_as_they_are_and_as_they_were_put);
    tcase_add_test(value, full_buffer_and_no_memory_are_told);
    return suite;
}
