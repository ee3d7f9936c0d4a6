/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A reader in use: claimed, started, stopped, released, in this order, whatever happens in between. A
 * question can go at any moment, and the next one can come while the reader is still being let go for the
 * one before: so each answer only says that the last call is over, and what comes next follows from who
 * wants the reader then.
 *
 * A signal can be sent to us by everybody on the bus, in fprintd's words and from a path of its own. The
 * answer to our call cannot: whoever gave that is who is listened to.
 */

#include "authenticator/fprint-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "authenticator/util.h"
#include "ctap/bytes.h"

static void go_on(struct fprint *f);

/* What was claimed is, or will be, let go. */
static void give_up(struct fprint *f) {
        struct fprint_user *u = f->claim.user;

        f->claim.user = NULL;
        if (u)
                fprint_user_gave_up(u);
}

/* It was claimed for the question that is up, which may have come after another user's. */
static bool serves(const struct fprint_claim *c) {
        return c->user && c->claimed && c->claimed_turn == c->turn;
}

/* ---- calls ---- */

static int on_called(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct fprint *f = userdata;
        struct fprint_claim *c = &f->claim;
        const char *why = fprint_error(m), *sender = sd_bus_message_get_sender(m);
        const enum fprint_claim_state was = c->state;

        (void)error;
        c->call = sd_bus_slot_unref(c->call);
        if (was == FPRINT_CLAIMING) {
                c->claimed = !why;
                snprintf(c->sender, sizeof(c->sender), "%s", !why && sender ? sender : "");
        }
        if (why && (was == FPRINT_CLAIMING || was == FPRINT_STARTING)) {
                fprint_note(f, NULL, "no finger can be given", why);
                if (c->claimed_turn == c->turn)
                        give_up(f);
        }
        if (was == FPRINT_STARTING && !why)
                c->state = FPRINT_VERIFYING;
        else if (was == FPRINT_RELEASING || (was == FPRINT_CLAIMING && why))
                c->state = FPRINT_FREE;
        if (c->state == FPRINT_FREE)
                c->claimed = false;
        if (c->state == FPRINT_VERIFYING && serves(c) && c->user->failed_question == 0)
                c->user->options.on_finger(c->user->options.userdata, AGENT_FINGER_IS_WAITED_FOR);
        go_on(f);
        return 0;
}

/* `text`: its one argument, or NULL. */
static void call(struct fprint *f, enum fprint_claim_state state, const char *method,
                 const char *text) {
        struct fprint_claim *c = &f->claim;
        int r = sd_bus_call_method_async(f->connection, &c->call, FPRINT_NAME, c->reader,
                                         FPRINT_DEVICE, method, on_called, f, text ? "s" : NULL,
                                         text);

        c->state = state;
        if (r >= 0)
                return;
        fprint_note(f, NULL, method, strerror(-r));
        fprint_claim_lost(f);
}

/* ---- what comes next ---- */

static void claim(struct fprint *f) {
        struct fprint_claim *c = &f->claim;

        snprintf(c->reader, sizeof(c->reader), "%s", c->user->reader);
        c->claimed_turn = c->turn;
        call(f, FPRINT_CLAIMING, "Claim", c->user->name);
}

static void go_on(struct fprint *f) {
        struct fprint_claim *c = &f->claim;

        if (c->call || !f->connection)
                return;
        switch (c->state) {
        case FPRINT_FREE:
                if (c->user)
                        claim(f);
                break;
        case FPRINT_VERIFYING:
                if (!serves(c))
                        call(f, FPRINT_STOPPING, "VerifyStop", NULL);
                break;
        case FPRINT_CLAIMING:
        case FPRINT_STARTING:
        case FPRINT_STOPPING:
                if (serves(c) && c->state != FPRINT_STARTING)
                        call(f, FPRINT_STARTING, "VerifyStart", "any");
                else
                        call(f, FPRINT_RELEASING, "Release", NULL);
                break;
        case FPRINT_RELEASING:
                break;
        }
}

bool fprint_claim_begin(struct fprint_user *u) {
        struct fprint_claim *c = &u->fprint->claim;

        if ((c->user && c->user != u) || !u->fprint->connection)
                return false;
        c->user = u;
        c->turn++;
        go_on(u->fprint);
        return true;
}

void fprint_claim_end(struct fprint_user *u) {
        struct fprint_claim *c = &u->fprint->claim;

        if (c->user != u)
                return;
        c->user = NULL;
        go_on(u->fprint);
}

void fprint_claim_lost(struct fprint *f) {
        struct fprint_claim *c = &f->claim;

        c->call = sd_bus_slot_unref(c->call);
        c->state = FPRINT_FREE;
        c->claimed = false;
        give_up(f);
}

/* ---- fingers ---- */

enum verdict {
        MATCH,
        NO_MATCH,
        UNCLEAR, /* it goes on by itself */
        OVER,    /* it does not go on */
};

static enum verdict verdict_of(const char *result, bool done) {
        if (strcmp(result, "verify-match") == 0)
                return MATCH;
        if (strcmp(result, "verify-no-match") == 0)
                return NO_MATCH;
        return done ? OVER : UNCLEAR;
}

static void tell(struct fprint_user *u, enum agent_finger state) {
        u->options.on_finger(u->options.userdata, state);
}

static void judge(struct fprint *f, enum verdict verdict) {
        struct fprint_user *u = f->claim.user;

        switch (verdict) {
        case MATCH:
                f->claim.user = NULL;
                fprint_user_matched(u);
                break;
        case NO_MATCH:
                tell(u, AGENT_FINGER_DID_NOT_MATCH);
                if (!fprint_user_failed(u) && f->claim.user == u)
                        give_up(f);
                break;
        case UNCLEAR:
                tell(u, AGENT_FINGER_IS_UNCLEAR);
                return;
        case OVER:
                give_up(f);
                break;
        }
        /* Each try is started anew. */
        if (f->claim.state == FPRINT_VERIFYING && !f->claim.call)
                call(f, FPRINT_STOPPING, "VerifyStop", NULL);
}

static bool is_meant(const struct fprint_claim *c, sd_bus_message *m) {
        const char *sender = sd_bus_message_get_sender(m), *path = sd_bus_message_get_path(m);

        return c->state == FPRINT_VERIFYING && serves(c) && sender && path &&
               strcmp(sender, c->sender) == 0 && strcmp(path, c->reader) == 0;
}

static int on_status(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct fprint *f = userdata;
        const char *result;
        int done;

        (void)error;
        if (!is_meant(&f->claim, m) || sd_bus_message_read(m, "sb", &result, &done) < 0)
                return 0;
        fprint_note(f, f->claim.user->options.id, "finger", result);
        judge(f, verdict_of(result, done));
        return 0;
}

int fprint_claim_listen(struct fprint *f) {
        return sd_bus_match_signal_async(f->connection, NULL, FPRINT_NAME, NULL, FPRINT_DEVICE,
                                         "VerifyStatus", on_status, NULL, f);
}
