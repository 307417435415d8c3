/*
 * local_text: frames of the local protocol as text for people; see local_text.h.
 *
 * Between messages.def and the test that compares PROTOCOL.md with it.
 *
 * Invariant: a line begins with the bytes that it is about, and no byte is left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/local_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "proto/local/message.h"

enum {
    BYTES_PER_LINE = 12,
    LABEL_COLUMN = 3 * BYTES_PER_LINE + 1,
    MAX_LABEL = 512,
};

void local_text_write_bytes(FILE *to, struct wsp_view bytes, const char *label)
{
    size_t at = 0;

    do {
        size_t len = bytes.len - at > BYTES_PER_LINE ? BYTES_PER_LINE : bytes.len - at;

        for (size_t i = 0; i < len; i++)
            fprintf(to, "%02x%s", bytes.data[at + i],
                    i + 1 == len && (at > 0 || *label == '\0') ? "" : " ");
        if (at == 0 && *label != '\0')
            fprintf(to, "%*s%s", (int)(LABEL_COLUMN - 3 * len), "", label);
        fputc('\n', to);
        at += len;
    } while (at < bytes.len);
}

/* The next len bytes of the payload, with a label. */
__attribute__((format(printf, 4, 5))) static void line(FILE *to, struct wsp_view *from, size_t len,
                                                       const char *format, ...)
{
    char label[MAX_LABEL];
    struct wsp_view bytes;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(label, sizeof(label), format, arguments);
    va_end(arguments);
    if (wsp_view_take(from, len, &bytes))
        local_text_write_bytes(to, bytes, label);
}

static bool is_printable(struct wsp_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return true;
}

/* A text in quotes, or nothing where it is not fit for a line. */
static const char *quoted(struct wsp_view text)
{
    static char quotes[MAX_LABEL - 100];

    if (text.len + 4 > sizeof(quotes) || !is_printable(text))
        return "";
    snprintf(quotes, sizeof(quotes), " \"%.*s\"", (int)text.len, (const char *)text.data);
    return quotes;
}

/* What a number stands for, or NULL. */
static const char *number_meaning(uint8_t type, const char *field, uint64_t value)
{
    static const char *const sharing[] = {"default", "private", "shared"};

    if (strcmp(field, "frame_type") == 0)
        return wsp_message_type_to_string((unsigned)value);
    if (strcmp(field, "cause") == 0)
        return wsp_cause_to_string((unsigned)value);
    if (strcmp(field, "status") == 0)
        return wsp_status_to_string((unsigned)value);
    if (strcmp(field, "code") == 0 && type == WSP_LOCAL_ERROR)
        return wsp_fatal_to_string((unsigned)value);
    if (strcmp(field, "reason") == 0)
        return wsp_gap_to_string((unsigned)value);
    if (strcmp(field, "sharing") == 0 && value < 3)
        return sharing[value];
    return NULL;
}

static void show_number(FILE *to, struct wsp_view *from, uint8_t type, const char *field,
                        size_t len)
{
    uint64_t value = 0;
    const char *meaning;

    for (size_t i = len; i > 0; i--)
        value = value << 8 | from->data[i - 1];
    meaning = number_meaning(type, field, value);
    line(to, from, len, "%s %" PRIu64 "%s%s", field, value, meaning == NULL ? "" : " ",
         meaning == NULL ? "" : meaning);
}

static void show_str(FILE *to, struct wsp_view *from, uint8_t type, const char *field)
{
    struct wsp_view rest = *from;
    struct wsp_view text = {0};
    uint16_t len = 0;

    (void)type;
    if (wsp_view_take_u16le(&rest, &len) && wsp_view_take(&rest, len, &text))
        line(to, from, sizeof(len) + len, "%s%s", field, quoted(text));
}

static void show_list(FILE *to, struct wsp_view *from, uint8_t type, const char *field)
{
    struct wsp_view rest = *from;
    struct wsp_view items = {0};
    uint32_t len = 0;

    if (!wsp_view_take_u32le(&rest, &len) || !wsp_view_take(&rest, len, &items))
        return;
    line(to, from, sizeof(len), "%s, %" PRIu32 " bytes", field, len);
    while (items.len > 0)
        show_str(to, &items, type, " ");
    *from = rest;
}

static void show_rest(FILE *to, struct wsp_view *from, const char *field)
{
    if (from->len > 0)
        line(to, from, from->len, "%s%s", field, quoted(*from));
}

#define SHOW_u8    show_number(to, &from, type, field, 1);
#define SHOW_u16   show_number(to, &from, type, field, 2);
#define SHOW_u32   show_number(to, &from, type, field, 4);
#define SHOW_u64   show_number(to, &from, type, field, 8);
#define SHOW_flag  show_number(to, &from, type, field, 1);
#define SHOW_epoch line(to, &from, 16, "%s", field);
#define SHOW_str   show_str(to, &from, type, field);
#define SHOW_list  show_list(to, &from, type, field);
#define SHOW_pairs show_list(to, &from, type, field);
#define SHOW_rest  show_rest(to, &from, field);
#define WSP_FIELD(kind, name) \
    field = #name;            \
    SHOW_##kind
#define WSP_OPTIONAL(kind, name) \
    if (from.len > 0) {          \
        WSP_FIELD(kind, name)    \
    }
#define WSP_LOCAL(number, NAME, name, from_, scope, shape, since, fields) \
    static void show_##name(FILE *to, struct wsp_view from, uint8_t type) \
    {                                                                     \
        const char *field = "";                                           \
        (void)type, (void)field;                                          \
        fields;                                                           \
        if (from.len > 0)                                                 \
            local_text_write_bytes(to, from, "ignored");                  \
    }
#include "proto/messages.def"

static void show_header(FILE *to, struct wsp_view header)
{
    uint8_t type = header.data[4];
    uint8_t flags = header.data[5];

    show_number(to, &header, type, "length", 4);
    line(to, &header, 1, "type 0x%02x %s", type, wsp_message_type_to_string(type));
    line(to, &header, 1, "flags%s%s", (flags & WSP_WIRE_MORE) != 0 ? " MORE" : "",
         (flags & WSP_WIRE_MUST_UNDERSTAND) != 0 ? " MUST_UNDERSTAND" : "");
    line(to, &header, 2, "zero");
    show_number(to, &header, type, "channel", 4);
}

void local_text_write_frame(FILE *to, struct wsp_view frame)
{
    struct wsp_view header = {0};

    if (!wsp_view_take(&frame, WSP_WIRE_HEADER_LEN, &header))
        return;
    show_header(to, header);
    switch (header.data[4]) {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    case number: {                                                       \
        show_##name(to, frame, number);                                  \
        break;                                                           \
    }
#include "proto/messages.def"
    default: local_text_write_bytes(to, frame, "payload");
    }
}

void local_text_write_types(FILE *to)
{
#define FROM_CLIENT              "client"
#define FROM_DAEMON              "daemon"
#define FROM_BOTH                "both"
#define FROM_RETIRED             "nobody any more"
#define SCOPE_CONNECTION         "0"
#define SCOPE_CHANNEL            "its own"
#define SHAPE_WHOLE              ""
#define SHAPE_PIECES             "MORE"
#define WSP_FIELD(kind, name)    #kind " " #name ", "
#define WSP_OPTIONAL(kind, name) "optional " #kind " " #name ", "
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields)                   \
    {                                                                                      \
        const char list[] = "" fields;                                                     \
        int list_len = sizeof(list) > 2 ? (int)sizeof(list) - 3 : 0;                       \
        fprintf(to, "| 0x%02x | %s | %s | %s | %s | %.*s |\n", number, #NAME, FROM_##from, \
                SCOPE_##scope, SHAPE_##shape, list_len, list);                             \
    }
#include "proto/messages.def"
}

void local_text_write_errors(FILE *to, const char *kind)
{
#define ROW(row_kind, number, name, meaning) \
    if (strcmp(kind, row_kind) == 0)         \
        fprintf(to, "| %d | %s | %s |\n", number, name, meaning);
#define WSP_FATAL(number, NAME, name, meaning)  ROW("fatal", number, name, meaning)
#define WSP_CAUSE(number, NAME, name, meaning)  ROW("cause", number, name, meaning)
#define WSP_STATUS(number, NAME, name, meaning) ROW("status", number, name, meaning)
#define WSP_GAP(number, NAME, name, meaning)    ROW("gap", number, name, meaning)
#include "proto/local/errors.def"
}
