/*
 * test_protocol_document: proto/PROTOCOL.md says what the code does. Its hex examples are fed to
 * the decoder, and its tables are those that messages.def and errors.def make.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/message.h"
#include "proto/local/wire.h"
#include "tests/harness/local_text.h"
#include "tests/harness/unit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FENCE "```"

static char *document_load(void)
{
    const char *srcdir = getenv("top_srcdir");
    char path[4096];
    FILE *file;
    char *text = NULL;
    size_t capacity = 0;

    snprintf(path, sizeof(path), "%s/proto/PROTOCOL.md", srcdir == NULL ? "." : srcdir);
    file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    ck_assert_int_gt(getdelim(&text, &capacity, '\0', file), 0);
    fclose(file);
    return text;
}

/* Copies a line without its end to ret_line and returns where the next one begins. */
static const char *line_take(const char *at, char *ret_line, size_t capacity)
{
    size_t len = strcspn(at, "\n");

    ck_assert_uint_lt(len, capacity);
    memcpy(ret_line, at, len);
    ret_line[len] = '\0';
    return at[len] == '\n' ? at + len + 1 : at + len;
}

/* Appends the bytes that a line begins with, to its end or two spaces; returns what is behind. */
static const char *bytes_take(const char *line, struct wsp_buffer *bytes)
{
    while (isxdigit((unsigned char)line[0]) && isxdigit((unsigned char)line[1])) {
        char digits[] = {line[0], line[1], '\0'};

        ck_assert_int_eq(wsp_buffer_append_u8(bytes, (uint8_t)strtoul(digits, NULL, 16)), 0);
        line += 2;
        if (line[0] == '\0' || line[1] == ' ')
            break;
        ck_assert_msg(line[0] == ' ', "hex digits end with \"%s\"", line);
        line++;
    }
    return line + strspn(line, " ");
}

static struct wsp_view held(const struct wsp_buffer *buffer)
{
    return (struct wsp_view){wsp_buffer_peek(buffer), wsp_buffer_len(buffer)};
}

/* Reads the one frame that the bytes are, behind magic and HELLO unless it is HELLO itself. */
static void frame_read(struct wsp_view bytes, enum wsp_side from, struct wsp_message *ret_message,
                       struct wsp_wire_reader *reader)
{
    /* The zero that ends the literal is the last byte of the header. */
    static const uint8_t start[] = WSP_WIRE_MAGIC "\0\0\0\0\1\0\0\0\0\0\0";
    bool is_hello = bytes.data[4] == WSP_LOCAL_HELLO;
    struct wsp_view window = {start, is_hello ? WSP_WIRE_MAGIC_LEN : sizeof(start)};
    struct wsp_wire_frame frame;

    wsp_wire_reader_init(reader);
    wsp_wire_reader_feed(reader, window);
    ck_assert_int_eq(wsp_wire_reader_next(reader, &frame), is_hello ? WSP_MORE : 0);
    if (!is_hello)
        ck_assert_int_eq(wsp_wire_reader_next(reader, &frame), WSP_MORE);
    wsp_wire_reader_feed(reader, bytes);
    ck_assert_int_eq(wsp_wire_reader_next(reader, &frame), 0);
    ck_assert_int_eq(wsp_message_decode(&frame, from, ret_message), 0);
    ck_assert_int_eq(wsp_wire_reader_next(reader, &frame), WSP_MORE);
    ck_assert(wsp_wire_reader_is_at_boundary(reader));
}

/* An example: its bytes are one frame, its text is what we say of them, and we write the same. */
static uint8_t example_check(struct wsp_view bytes, enum wsp_side from, const char *text,
                             size_t text_len)
{
    struct wsp_wire_reader reader;
    struct wsp_message message;
    struct wsp_buffer again;
    char *expected = NULL;
    size_t expected_len = 0;
    FILE *stream = open_memstream(&expected, &expected_len);

    ck_assert_uint_ge(bytes.len, WSP_WIRE_HEADER_LEN);
    frame_read(bytes, from, &message, &reader);
    local_text_write_frame(stream, bytes);
    fclose(stream);
    ck_assert_msg(expected_len == text_len && memcmp(expected, text, text_len) == 0,
                  "the example\n%.*s\nshould read\n%s", (int)text_len, text, expected);
    wsp_buffer_init(&again, WSP_WIRE_MAX_FRAME);
    ck_assert_int_eq(wsp_message_encode(&again, &message), 0);
    unit_assert_bytes(wsp_buffer_peek(&again), wsp_buffer_len(&again), bytes.data, bytes.len);
    wsp_buffer_deinit(&again);
    wsp_wire_reader_deinit(&reader);
    free(expected);
    return message.type;
}

START_TEST(examples_are_frames_of_each_type)
{
    char *document = document_load();
    bool was_seen[256][3] = {{false}};
    char line[1000];

    for (const char *at = document; *at != '\0';) {
        struct wsp_buffer bytes;
        const char *text;
        enum wsp_side from;

        at = line_take(at, line, sizeof(line));
        if (strncmp(line, FENCE "frame", strlen(FENCE "frame")) != 0)
            continue;
        ck_assert(strcmp(line, FENCE "frame client") == 0 ||
                  strcmp(line, FENCE "frame daemon") == 0);
        from = strstr(line, "client") != NULL ? WSP_SIDE_CLIENT : WSP_SIDE_DAEMON;
        wsp_buffer_init(&bytes, WSP_WIRE_MAX_FRAME);
        for (text = at; strncmp(at, FENCE, strlen(FENCE)) != 0;) {
            at = line_take(at, line, sizeof(line));
            bytes_take(line, &bytes);
        }
        was_seen[example_check(held(&bytes), from, text, (size_t)(at - text))][from] = true;
        wsp_buffer_deinit(&bytes);
    }
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields)                  \
    ck_assert_msg(was_seen[number][WSP_SIDE_CLIENT] || was_seen[number][WSP_SIDE_DAEMON], \
                  "%s has no example", #NAME);
#include "proto/messages.def"
    ck_assert(was_seen[WSP_LOCAL_HELLO][WSP_SIDE_CLIENT]);
    ck_assert(was_seen[WSP_LOCAL_HELLO][WSP_SIDE_DAEMON]);
    free(document);
}
END_TEST

/* One direction of the session: the bytes of a frame come in lines, the first with its name. */
struct direction {
    struct wsp_wire_reader reader;
    enum wsp_side side;
    size_t n_frames;
};

static void direction_feed(struct direction *direction, struct wsp_view bytes, const char *name)
{
    struct wsp_wire_frame frame;
    struct wsp_message message;
    int r;

    wsp_wire_reader_feed(&direction->reader, bytes);
    r = wsp_wire_reader_next(&direction->reader, &frame);
    if (strcmp(name, "magic") == 0) {
        ck_assert_int_eq(r, WSP_MORE);
        unit_assert_bytes(bytes.data, bytes.len, WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN);
        return;
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(wsp_message_decode(&frame, direction->side, &message), 0);
    ck_assert_str_eq(wsp_message_type_to_string(message.type), name);
    ck_assert_int_eq(wsp_wire_reader_next(&direction->reader, &frame), WSP_MORE);
    ck_assert(wsp_wire_reader_is_at_boundary(&direction->reader));
    direction->n_frames++;
}

/* Takes the lines of one frame: the first one has a name behind its bytes, the others have none. */
static const char *session_take(const char *at, struct wsp_buffer *bytes, char *ret_name,
                                size_t capacity)
{
    char line[200];
    const char *behind;
    char arrow = *at;

    at = line_take(at, line, sizeof(line));
    behind = bytes_take(line + 2, bytes);
    ck_assert_uint_gt(strlen(behind), 0);
    snprintf(ret_name, capacity, "%s", behind);
    while (*at == arrow) {
        size_t len = wsp_buffer_len(bytes);
        const char *next = line_take(at, line, sizeof(line));

        if (*bytes_take(line + 2, bytes) != '\0') {
            wsp_buffer_truncate(bytes, len);
            break;
        }
        at = next;
    }
    return at;
}

START_TEST(session_is_a_conversation)
{
    char *document = document_load();
    const char *at = strstr(document, FENCE "session\n");
    struct direction up = {.side = WSP_SIDE_CLIENT};
    struct direction down = {.side = WSP_SIDE_DAEMON};

    ck_assert_ptr_nonnull(at);
    wsp_wire_reader_init(&up.reader);
    wsp_wire_reader_init(&down.reader);
    for (at = strchr(at, '\n') + 1; strncmp(at, FENCE, strlen(FENCE)) != 0;) {
        struct direction *direction = *at == '>' ? &up : &down;
        struct wsp_buffer bytes;
        char name[100];

        ck_assert(*at == '>' || *at == '<');
        wsp_buffer_init(&bytes, WSP_WIRE_MAX_FRAME);
        at = session_take(at, &bytes, name, sizeof(name));
        direction_feed(direction, held(&bytes), name);
        wsp_buffer_deinit(&bytes);
    }
    ck_assert_uint_eq(up.n_frames, 5);
    ck_assert_uint_eq(down.n_frames, 6);
    wsp_wire_reader_deinit(&up.reader);
    wsp_wire_reader_deinit(&down.reader);
    free(document);
}
END_TEST

/* The rows stand in the document as they are, behind the head of a table, and are all of it. */
static void assert_table(const char *document, const char *rows)
{
    const char *at = strstr(document, rows);

    ck_assert_msg(at != NULL, "the document lacks this table, or a row of it differs:\n%s", rows);
    ck_assert_msg(at - document > 4 && memcmp(at - 4, "- |\n", 4) == 0, "more rows before\n%s",
                  rows);
    ck_assert_msg(at[strlen(rows)] == '\n', "more rows behind\n%s", rows);
}

START_TEST(table_of_frames_is_that_of_the_code)
{
    char *document = document_load();
    char *rows = NULL;
    size_t rows_len = 0;
    FILE *stream = open_memstream(&rows, &rows_len);

    local_text_write_types(stream);
    fclose(stream);
    ck_assert_uint_gt(rows_len, 0);
    assert_table(document, rows);
    free(rows);
    free(document);
}
END_TEST

START_TEST(tables_of_errors_are_those_of_the_code)
{
    static const char *const kinds[] = {"fatal", "cause", "status", "gap"};
    char *document = document_load();
    char *rows = NULL;
    size_t rows_len = 0;
    FILE *stream = open_memstream(&rows, &rows_len);

    if (_i == 2)
        fprintf(stream, "| 0 | %s | %s |\n", wsp_status_to_string(0), wsp_status_meaning(0));
    local_text_write_errors(stream, kinds[_i]);
    fclose(stream);
    ck_assert_uint_gt(rows_len, 100);
    assert_table(document, rows);
    free(rows);
    free(document);
}
END_TEST

START_TEST(numbers_are_those_of_the_code)
{
    char *document = document_load();
    char rows[1000];

    snprintf(rows, sizeof(rows),
             "| longest payload of a frame | %d |\n"
             "| length of the header | %d |\n"
             "| credit of a channel from the start | %d |\n"
             "| channel numbers in use before the daemon's HELLO was read | %d |\n"
             "| longest reason of CLOSE and CLOSED | %d |\n",
             WSP_MAX_LOCAL_PAYLOAD, WSP_WIRE_HEADER_LEN, WSP_INITIAL_CREDIT, WSP_INITIAL_CHANNELS,
             WSP_MAX_CLOSE_REASON);
    assert_table(document, rows);
    snprintf(rows, sizeof(rows), "MORE = %d, MUST_UNDERSTAND = %d", WSP_WIRE_MORE,
             WSP_WIRE_MUST_UNDERSTAND);
    ck_assert_ptr_nonnull(strstr(document, rows));
    snprintf(rows, sizeof(rows), "The minor version, now %d,", WSP_LOCAL_MINOR);
    ck_assert_ptr_nonnull(strstr(document, rows));
    free(document);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("protocol_document");
    TCase *examples = unit_case(suite, "examples");
    TCase *tables = unit_case(suite, "tables");

    tcase_add_test(examples, examples_are_frames_of_each_type);
    tcase_add_test(examples, session_is_a_conversation);
    tcase_add_test(tables, table_of_frames_is_that_of_the_code);
    tcase_add_loop_test(tables, tables_of_errors_are_those_of_the_code, 0, 4);
    tcase_add_test(tables, numbers_are_those_of_the_code);
    return suite;
}
