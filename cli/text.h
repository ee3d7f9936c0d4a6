/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Text from elsewhere on a terminal: sites choose names, so none of it may act on the terminal. */

#include <stdint.h>
#include <stdio.h>

/*
 * Prints UTF-8 with control, bidirectional and invisible characters replaced. A width above 0 cuts
 * or pads to so many columns, one below 0 only cuts.
 */
void print_text(FILE *to, const char *utf8, int width);

/* "2026-11-23 23:48" in local time, or "never" for 0. Width as above. */
void print_time(FILE *to, int64_t seconds, int width);

/* Columns of the terminal on standard output, at least 80, and 80 where it is none. */
int text_columns(void);

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_GOOD, STYLE_WARN, STYLE_BAD };

/*
 * What is printed to standard output from now on. Without effect where that is no terminal, or one
 * that shows no colours, or NO_COLOR is set (no-color.org).
 */
void style(enum style s);
