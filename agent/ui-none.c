/* SPDX-License-Identifier: BSD-2-Clause */

/* In place of ui-gtk.c in a build without GTK. */

#include <errno.h>

#include "agent/ui.h"

int ui_gtk_new(_unused_ sd_event *event, _unused_ const struct ui_events *events,
               _unused_ void *userdata, _unused_ struct ui **ret) {
        return -ENOTSUP;
}
