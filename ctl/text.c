/*
 * text: see text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ctl/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct range {
    unsigned first, last;
};

/* What a terminal obeys, or what turns the direction of the text around it; the tabulator aside. */
static const struct range harmful[] = {
    {0x00, 0x08},     {0x0a, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c},
    {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
};

static bool is_harmful(unsigned character)
{
    for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++)
        if (character >= harmful[i].first && character <= harmful[i].last)
            return true;
    return false;
}

static bool is_continued(const unsigned char *bytes, size_t len)
{
    for (size_t i = 1; i < len; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return false;
    return true;
}

/* The character at the start; *ret_len of its bytes. A byte that is part of none stands for itself: a terminal that
 * is not set to UTF-8 obeys those of C1. */
static unsigned character_at(const unsigned char *bytes, size_t len, size_t *ret_len)
{
    *ret_len = 1;
    if (len >= 2 && (bytes[0] & 0xe0) == 0xc0 && is_continued(bytes, 2)) {
        *ret_len = 2;
        return (bytes[0] & 0x1fu) << 6 | (bytes[1] & 0x3fu);
    }
    if (len >= 3 && (bytes[0] & 0xf0) == 0xe0 && is_continued(bytes, 3)) {
        *ret_len = 3;
        return (bytes[0] & 0x0fu) << 12 | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu);
    }
    if (len >= 4 && (bytes[0] & 0xf8) == 0xf0 && is_continued(bytes, 4)) {
        *ret_len = 4;
        return (bytes[0] & 0x07u) << 18 | (bytes[1] & 0x3fu) << 12 | (bytes[2] & 0x3fu) << 6 |
               (bytes[3] & 0x3fu);
    }
    return bytes[0];
}

void text_print_visible(FILE *to, const char *data, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)data;
    size_t n;
    for (size_t i = 0; i < len; i += n) {
        unsigned character = character_at(bytes + i, len - i, &n);
        if (!is_harmful(character))
            fwrite(bytes + i, 1, n, to);
        else
            fprintf(to, n == 1 ? "\\x%02x" : "\\u%04x", character);
    }
}

char *text_visible(const char *text)
{
    char *result = NULL;
    size_t len;
    FILE *memory = open_memstream(&result, &len);
    if (!memory)
        return NULL;
    text_print_visible(memory, text, strlen(text));
    return fclose(memory) == 0 ? result : NULL;
}

void text_print_json(FILE *to, const char *json)
{
    const unsigned char *bytes = (const unsigned char *)json;
    size_t len = strlen(json), n;
    for (size_t i = 0; i < len; i += n) {
        unsigned character = character_at(bytes + i, len - i, &n);
        if (is_harmful(character) && character != '\n')
            fprintf(to, "\\u%04x", character);
        else
            fwrite(bytes + i, 1, n, to);
    }
}
