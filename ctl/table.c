/*
 * table: see table.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ctl/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "ctl/text.h"

struct table {
    size_t n_columns;
    const char *const *titles;
    const bool *is_right;
    struct cell {
        char *text;
        bool is_alarm;
    } * cells;
    size_t n_cells, capacity;
};

struct table *table_new(size_t n_columns, const char *const *titles, const bool *is_right)
{
    struct table *table = calloc(1, sizeof(*table));
    if (table) {
        table->n_columns = n_columns;
        table->titles = titles;
        table->is_right = is_right;
    }
    return table;
}

struct table *table_free(struct table *table)
{
    if (!table)
        return NULL;
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
    return NULL;
}

int table_add(struct table *table, const char *text, bool is_alarm)
{
    if (table->n_cells == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 64;
        struct cell *cells = reallocarray(table->cells, capacity, sizeof(*cells));
        if (!cells)
            return -ENOMEM;
        table->cells = cells;
        table->capacity = capacity;
    }
    char *cell = text_visible(text);
    if (!cell)
        return -ENOMEM;
    table->cells[table->n_cells++] = (struct cell){cell, is_alarm};
    return 0;
}

/* Columns on the screen; bytes where the text is not of the locale. */
static size_t width_of(const char *text)
{
    mbstate_t state = {0};
    size_t width = 0;
    while (*text) {
        wchar_t character;
        size_t n = mbrtowc(&character, text, MB_CUR_MAX, &state);
        if (n == (size_t)-1 || n == (size_t)-2)
            return width + strlen(text);
        int columns = wcwidth(character);
        width += columns > 0 ? (size_t)columns : 0;
        text += n;
    }
    return width;
}

static void print_cell(const char *text, size_t width, bool is_right, bool is_last, FILE *to)
{
    size_t own = width_of(text);
    int padding = (int)(width > own ? width - own : 0);
    if (is_right)
        fprintf(to, "%*s%s", padding, "", text);
    else
        fprintf(to, "%s%*s", text, is_last ? 0 : padding, "");
    if (!is_last)
        fputs("  ", to);
}

void table_print(const struct table *table, FILE *to, bool is_terminal)
{
    size_t n = table->n_columns;
    size_t *widths = calloc(n, sizeof(*widths));
    if (!widths)
        return;
    for (size_t i = 0; i < n; i++)
        widths[i] = width_of(table->titles[i]);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t width = width_of(table->cells[i].text);
        if (width > widths[i % n])
            widths[i % n] = width;
    }
    fputs(is_terminal ? "\033[1m" : "", to);
    for (size_t i = 0; i < n; i++)
        print_cell(table->titles[i], widths[i], table->is_right[i], i + 1 == n, to);
    fputs(is_terminal ? "\033[0m\n" : "\n", to);
    for (size_t i = 0; i < table->n_cells; i++) {
        bool is_red = is_terminal && table->cells[i].is_alarm;
        fputs(is_red ? TABLE_ALARM : "", to);
        print_cell(table->cells[i].text, widths[i % n], table->is_right[i % n], i % n + 1 == n, to);
        fputs(is_red ? TABLE_ALARM_END : "", to);
        if (i % n + 1 == n)
            fputc('\n', to);
    }
    free(widths);
}
