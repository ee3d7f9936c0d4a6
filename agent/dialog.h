/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One question as a window of GTK's: from when it is shown until it has an answer or is taken away. */

#include "agent/prompt.h"
#include "agent/question.h"
#include "agent/ui.h"

struct dialog;

/*
 * Shows it. With `quietly` it does not ask for the focus. Once it has an answer the window is gone, and
 * the events are called last; who hears of it frees the dialog. NULL: no memory.
 */
struct dialog *dialog_new(const struct question *q, const struct prompt *p, bool quietly,
                          const struct ui_events *events, void *userdata);
/* Takes the window away, if it is still there. */
struct dialog *dialog_free(struct dialog *d);
void dialog_finger(struct dialog *d, enum finger state);
