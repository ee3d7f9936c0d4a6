/* SPDX-License-Identifier: BSD-2-Clause */

/* The last cell of a row is not padded, so that a line that was copied ends where its text does. */

#include "cli/table.h"

#include <stdio.h>
#include <time.h>

#include "cli/text.h"

#define TABLE_WIDTH 80

void table_fit(struct column *columns, size_t n) {
        int spare = text_columns() - TABLE_WIDTH, shares = 0;

        for (size_t i = 0; i < n; i++)
                shares += columns[i].share;
        for (size_t i = 0; i < n && spare > 0 && shares > 0; i++)
                columns[i].width += spare * columns[i].share / shares;
}

static void print_cell(const struct column *c, const char *text, bool last) {
        if (c->right)
                printf("%*s", c->width, text);
        else
                print_text(stdout, text, last ? -c->width : c->width);
        putchar(last ? '\n' : ' ');
}

void table_row(const struct column *columns, size_t n, const char *const *cells) {
        for (size_t i = 0; i < n; i++)
                print_cell(&columns[i], cells[i], i + 1 == n);
}

void table_head(const struct column *columns, size_t n) {
        style(STYLE_BOLD);
        for (size_t i = 0; i < n; i++)
                print_cell(&columns[i], columns[i].head, i + 1 == n);
        style(STYLE_PLAIN);
}

static const char *format_time(int64_t seconds, const char *format, char *cell) {
        time_t t = (time_t)seconds;
        struct tm tm;

        if (seconds <= 0)
                return "never";
        if (!localtime_r(&t, &tm) || strftime(cell, CELL_MAX, format, &tm) == 0)
                return "?";
        return cell;
}

const char *table_date(int64_t seconds, char cell[static CELL_MAX]) {
        return format_time(seconds, "%Y-%m-%d", cell);
}

const char *table_time(int64_t seconds, char cell[static CELL_MAX]) {
        return format_time(seconds, "%Y-%m-%d %H:%M", cell);
}

const char *table_number(int64_t n, char cell[static CELL_MAX]) {
        if (n < 100000)
                snprintf(cell, CELL_MAX, "%lld", (long long)n);
        else if (n < 10000000)
                snprintf(cell, CELL_MAX, "%lldk", (long long)n / 1000);
        else
                snprintf(cell, CELL_MAX, "%lldM", (long long)n / 1000000);
        return cell;
}
