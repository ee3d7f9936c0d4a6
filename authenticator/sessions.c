/* SPDX-License-Identifier: BSD-2-Clause */

/* A session counts from the moment its facts are known, until it is closing or not listed any more. */

#include "authenticator/sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void session_free(struct sessions *t, struct session *s) {
        if (t->on_remove)
                t->on_remove(s);
        free(s->id);
        free(s->path);
        free(s);
}

void sessions_done(struct sessions *t) {
        for (size_t i = 0; i < t->n; i++)
                session_free(t, t->all[i]);
        t->n = 0;
}

void sessions_begin_list(struct sessions *t) {
        for (size_t i = 0; i < t->n; i++)
                t->all[i]->listed = false;
}

static struct session *find(const struct sessions *t, const char *id, uid_t uid, const char *path) {
        for (size_t i = 0; i < t->n; i++) {
                struct session *s = t->all[i];

                if (strcmp(s->id, id) == 0 && s->uid == uid && strcmp(s->path, path) == 0)
                        return s;
        }
        return NULL;
}

int sessions_list(struct sessions *t, const char *id, uid_t uid, const char *path,
                  struct session **ret) {
        struct session *s = find(t, id, uid, path);

        if (!s) {
                if (t->n == SESSIONS_MAX)
                        return -ENOSPC;
                s = calloc(1, sizeof(*s));
                if (!s)
                        return -ENOMEM;
                s->uid = uid;
                s->id = strdup(id);
                s->path = strdup(path);
                if (!s->id || !s->path) {
                        free(s->id);
                        free(s->path);
                        free(s);
                        return -ENOMEM;
                }
                t->all[t->n++] = s;
        }
        s->listed = true;
        *ret = s;
        return 0;
}

bool sessions_end_list(struct sessions *t) {
        bool changed = false;
        size_t n = 0;

        for (size_t i = 0; i < t->n; i++) {
                struct session *s = t->all[i];

                if (s->listed) {
                        t->all[n++] = s;
                        continue;
                }
                changed = changed || s->known;
                session_free(t, s);
        }
        t->n = n;
        return changed;
}

bool session_set_facts(struct session *s, const struct session_facts *facts) {
        const struct session_facts *old = &s->facts;
        bool same = s->known && old->of_user == facts->of_user && old->remote == facts->remote &&
                    old->active == facts->active && old->locked == facts->locked &&
                    old->closing == facts->closing && old->on_seat == facts->on_seat &&
                    old->on_seat0 == facts->on_seat0 && old->graphical == facts->graphical;

        s->known = true;
        s->facts = *facts;
        return !same;
}

struct session *sessions_at_path(const struct sessions *t, const char *path) {
        for (size_t i = 0; i < t->n; i++)
                if (strcmp(t->all[i]->path, path) == 0)
                        return t->all[i];
        return NULL;
}

bool session_class_is_of_user(const char *class) {
        static const char *const classes[] = { "user", "user-early", "user-light",
                                               "user-early-light" };

        for (size_t i = 0; i < ELEMENTSOF(classes); i++)
                if (strcmp(class, classes[i]) == 0)
                        return true;
        return false;
}

bool session_type_is_graphical(const char *type) {
        return strcmp(type, "x11") == 0 || strcmp(type, "wayland") == 0;
}

static bool is_there(const struct session *s) {
        return s->known && s->facts.of_user && !s->facts.closing;
}

static bool counts(const struct sessions *t, const struct session *s) {
        return is_there(s) && !(t->no_remote && s->facts.remote);
}

size_t sessions_users(const struct sessions *t, uid_t ret[static SESSIONS_MAX]) {
        size_t n = 0;

        for (size_t i = 0; i < t->n; i++) {
                bool there = !counts(t, t->all[i]);

                for (size_t k = 0; k < n && !there; k++)
                        there = ret[k] == t->all[i]->uid;
                if (!there)
                        ret[n++] = t->all[i]->uid;
        }
        return n;
}

bool sessions_has(const struct sessions *t, uid_t uid) {
        for (size_t i = 0; i < t->n; i++)
                if (t->all[i]->uid == uid && counts(t, t->all[i]))
                        return true;
        return false;
}

bool sessions_is_turned_away(const struct sessions *t, uid_t uid) {
        bool there = false;

        for (size_t i = 0; i < t->n; i++)
                there = there || (t->all[i]->uid == uid && is_there(t->all[i]));
        return there && !sessions_has(t, uid);
}

static bool is_open(const struct session *s) {
        return is_there(s) && !s->facts.remote && s->facts.active && !s->facts.locked;
}

/* logind calls each session without a seat active: its user may have locked the screen and gone. */
bool sessions_is_usable(const struct sessions *t, uid_t uid) {
        bool locked = false, elsewhere = false;

        for (size_t i = 0; i < t->n; i++) {
                const struct session *s = t->all[i];

                if (s->uid != uid || !is_there(s))
                        continue;
                if (is_open(s) && s->facts.on_seat)
                        return true;
                locked = locked || s->facts.locked;
                elsewhere = elsewhere || (is_open(s) && s->facts.graphical);
        }
        return elsewhere && !locked;
}

const char *sessions_front(const struct sessions *t, uid_t uid) {
        const char *elsewhere = NULL;

        for (size_t i = 0; i < t->n; i++) {
                const struct session *s = t->all[i];

                if (s->uid != uid || !is_open(s))
                        continue;
                if (s->facts.on_seat)
                        return s->id;
                if (s->facts.graphical)
                        elsewhere = s->id;
        }
        return elsewhere;
}

/* Only one is in front there; when it changes, what is known of two may say so for a moment. */
bool sessions_at_seat0(const struct sessions *t, uid_t *ret) {
        const struct session *front = NULL;

        for (size_t i = 0; i < t->n; i++) {
                const struct session *s = t->all[i];

                if (!s->known || !s->facts.on_seat0 || !s->facts.active)
                        continue;
                if (!is_open(s) || (front && front->uid != s->uid))
                        return false;
                front = s;
        }
        if (front)
                *ret = front->uid;
        return front;
}

bool session_forget_front(struct session *s) {
        bool was = s->facts.active;

        s->facts.active = false;
        return was;
}

bool sessions_forget_front(struct sessions *t) {
        bool was = false;

        for (size_t i = 0; i < t->n; i++)
                was |= session_forget_front(t->all[i]);
        return was;
}
