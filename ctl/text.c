/*
 * text: see text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ctl/text.h"

#include <stdlib.h>
#include <string.h>

void text_print_visible(FILE *to, const char *data, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)data;
    for (size_t i = 0; i < len; i++) {
        /* C1 controls are two bytes in UTF-8. */
        if (bytes[i] == 0xc2 && i + 1 < len && bytes[i + 1] >= 0x80 && bytes[i + 1] < 0xa0)
            fprintf(to, "\\u%04x", bytes[++i]);
        else if ((bytes[i] < 0x20 && bytes[i] != '\t') || bytes[i] == 0x7f)
            fprintf(to, "\\x%02x", bytes[i]);
        else
            fputc(bytes[i], to);
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
