/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Anybody can have thousands of sessions (ssh, su), and logind lists them in no order that means
 * anything. So each user has so many places and no more, and what matters most takes them first.
 */

#include "authenticator/session-list.h"

#include <stdint.h>

#define N_RANKS 4

static void add(struct session_list *list, const struct listed_session *one) {
        size_t of_user = 0;

        for (size_t i = 0; i < list->n; i++)
                of_user += list->all[i].uid == one->uid;
        if (of_user == SESSIONS_OF_USER_MAX) {
                list->crowded = true;
                list->crowder = one->uid;
        } else if (list->n == SESSIONS_MAX)
                list->too_many = true;
        else
                list->all[list->n++] = *one;
}

/* 0 comes first. */
static unsigned rank(const struct sessions *known, const struct listed_session *one,
                     const char *seat) {
        const struct session *s = sessions_at_path(known, one->path);
        unsigned rank = *seat ? 0 : 2;

        return s && s->uid == one->uid ? rank : rank + 1;
}

int session_list_read(struct session_list *ret, sd_bus_message *m, const struct sessions *known) {
        struct listed_session one;
        const char *user, *seat;
        uint32_t uid;
        int r = 0;

        *ret = (struct session_list){ 0 };
        for (unsigned round = 0; round < N_RANKS && r >= 0; round++) {
                r = sd_bus_message_rewind(m, true);
                if (r >= 0)
                        r = sd_bus_message_enter_container(m, 'a', "(susso)");
                while (r >= 0 && (r = sd_bus_message_read(m, "(susso)", &one.id, &uid, &user, &seat,
                                                          &one.path)) > 0) {
                        one.uid = uid;
                        if (rank(known, &one, seat) == round)
                                add(ret, &one);
                }
        }
        return r;
}
