/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A table for a terminal: 80 columns wide, or as wide as the terminal where that has more. What does
 * not fit into its column is cut, by what a terminal makes of the text and not by its bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct column {
        const char *head;
        int width; /* all of them, with a blank between two, are 80 at most */
        int share; /* parts of what a wider terminal has to give */
        bool right;
};

/* Gives the columns what a wider terminal has. */
void table_fit(struct column *columns, size_t n);
void table_head(const struct column *columns, size_t n);
void table_row(const struct column *columns, size_t n, const char *const *cells);

#define CELL_MAX 24

/* "2026-11-23" in local time, or "never" for 0. */
const char *table_date(int64_t seconds, char cell[static CELL_MAX]);
/* "2026-11-23 23:48", likewise. */
const char *table_time(int64_t seconds, char cell[static CELL_MAX]);
/* At most five columns: 99999, 100k, 4294M. */
const char *table_number(int64_t n, char cell[static CELL_MAX]);
