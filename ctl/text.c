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

/* The character at the start; *ret_len of its bytes. Only of those lengths that harmful ones have is a
 * longer one than a byte told; any other byte stands for itself, and above 0x7f for nothing harmful. */
static unsigned character_at(const unsigned char *bytes, size_t len, size_t *ret_len)
{
    *ret_len = 1;
    if (len >= 2 && (bytes[0] & 0xe0) == 0xc0 && (bytes[1] & 0xc0) == 0x80) {
        *ret_len = 2;
        return (bytes[0] & 0x1fu) << 6 | (bytes[1] & 0x3fu);
    }
    if (len >= 3 && (bytes[0] & 0xf0) == 0xe0 && (bytes[1] & 0xc0) == 0x80 &&
        (bytes[2] & 0xc0) == 0x80) {
        *ret_len = 3;
        return (bytes[0] & 0x0fu) << 12 | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu);
    }
    return bytes[0] < 0x80 ? bytes[0] : 0x100;
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
            fprintf(to, character < 0x80 ? "\\x%02x" : "\\u%04x", character);
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
