/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Whole sentences are translated, never put together: only names stand in a field of their own. The
 * name of a site is never one that the site chose for itself, but its RP ID, as the client sent it.
 */

#include "agent/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/intl.h"
#include "authenticator/agent-protocol.h"
#include "ctap/bytes.h"
#include "ctap/text.h"

static const struct words {
        const char *title, *headline, *ssh, *detail, *confirm;
        bool names_site;
} words[_VERBS] = {
        [VERB_CREATE] = { N_("Create a passkey"), N_("Create a passkey for"), N_("Create a key:"),
                          NULL, N_("_Create"), true },
        [VERB_USE] = { N_("Use a passkey"), N_("Use a passkey for"), N_("Use a key:"), NULL,
                       N_("_Use"), true },
        [VERB_SELECT] = { N_("Use this computer?"), N_("Use this computer as the security key?"),
                          NULL, N_("Nothing is created and nobody is signed in by this."),
                          N_("_Use this computer"), false },
        [VERB_RESET] = { N_("Erase all passkeys"), N_("Erase all passkeys of this computer?"), NULL,
                         N_("Every passkey and the PIN are erased. They cannot be brought back."),
                         N_("_Erase all passkeys"), false },
        [VERB_VERIFY] = { N_("Create or use a passkey"), N_("Create or use a passkey for"),
                          N_("Create or use a key:"), NULL, N_("_Continue"), true },
        [VERB_MANAGE] = { N_("Manage passkeys"), N_("Let a program manage your passkeys?"), NULL,
                          N_("It can then see, change and delete all passkeys of this computer, "
                             "and change the settings of this key."),
                          N_("_Allow"), false },
        [VERB_FORBIDDEN] = { N_("Not allowed here"), N_("No passkeys are allowed here for"), NULL,
                             N_("Whoever administers this computer does not allow them. Use another "
                                "security key, or end the request here."),
                             N_("_End the request"), true },
};

static struct buf buf_of(char *to, size_t size) {
        return (struct buf){ (uint8_t *)to, 0, size - 1, false };
}

/* A text that did not fit, which no field here allows for, is rather not shown. */
static void end_text(char *to, const struct buf *b) {
        to[b->failed ? 0 : b->len] = '\0';
}

static bool is_ssh(const struct question *q) {
        return strncmp(q->rp_id, "ssh:", 4) == 0;
}

static void put_site(const struct question *q, char *to, size_t size) {
        struct buf b = buf_of(to, size);

        if (!*q->rp_id)
                buf_put(&b, BYTES_TEXT(_("a site that was not named")));
        else if (is_ssh(q)) {
                buf_put(&b, BYTES_TEXT(_("SSH key")));
                /* ssh-keygen -O application=ssh:NAME */
                if (q->rp_id[4]) {
                        buf_put(&b, BYTES_TEXT(" "));
                        text_put_end(&b, BYTES_TEXT(q->rp_id), PROMPT_RP_ID_SHOWN);
                }
        } else
                text_put_end(&b, BYTES_TEXT(q->rp_id), PROMPT_RP_ID_SHOWN);
        end_text(to, &b);
}

static void put_account(const struct question *q, char *to, size_t size) {
        struct buf b = buf_of(to, size);

        text_put_start(&b, BYTES_TEXT(q->account), PROMPT_ACCOUNT_SHOWN);
        if (*q->account && q->accounts > 1) {
                buf_put(&b, BYTES_TEXT(" "));
                buf_put(&b, BYTES_TEXT(_("(or another of your accounts there)")));
        }
        end_text(to, &b);
}

static void put_machine(const char *machine, char *to, size_t size) {
        struct buf b = buf_of(to, size);

        text_put_start(&b, BYTES_TEXT(machine), PROMPT_MACHINE_SHOWN);
        end_text(to, &b);
}

static void put_holders(const struct holders *h, char *to, size_t size) {
        struct buf b = buf_of(to, size);

        for (unsigned i = 0; i < h->n; i++) {
                buf_put(&b, BYTES_TEXT(i > 0 ? ", " : ""));
                text_put_start(&b, BYTES_TEXT(h->names[i]), HOLDER_NAME_MAX);
        }
        end_text(to, &b);
}

static void put_note(const struct question *q, char *to, size_t size) {
        const char *last = _("This is the last try: after another wrong PIN none is taken here.");
        char left[256] = "";

        if (q->verify && q->tries == 0) {
                snprintf(to, size, "%s",
                         _("Too many wrong PINs were typed: none is taken here any more. The "
                           "command \"tpmauthn pin status\" says what can be done."));
                return;
        }
        if (q->verify && q->tries == 1)
                snprintf(left, sizeof(left), "%s", last);
        else if (q->verify && q->again)
                snprintf(left, sizeof(left),
                         ngettext("%u try is left.", "%u tries are left.", q->tries), q->tries);
        snprintf(to, size, "%s%s%s", q->verify && q->again ? _("Wrong PIN.") : "",
                 q->verify && q->again ? " " : "", left);
}

void prompt_make(const struct question *q, const char *machine, const struct holders *h,
                 struct prompt *ret) {
        const struct words *w = &words[q->verb];

        *ret = (struct prompt){
                .title = _(w->title),
                .headline = _(w->ssh && is_ssh(q) ? w->ssh : w->headline),
                .detail = w->detail ? _(w->detail) : NULL,
                .confirm = _(w->confirm),
                .refuse = _("_Refuse"),
                .is_blocked = q->verify && q->tries == 0,
        };
        if (q->passive && q->verb == VERB_FORBIDDEN)
                ret->refuse = _("_Dismiss");
        else if (q->passive) {
                ret->detail = _("This is probably meant for another security key.");
                ret->confirm = _("_Use this computer's passkey");
                ret->refuse = _("_Dismiss");
        }
        if (ret->is_blocked)
                ret->refuse = _("_Close");

        if (w->names_site)
                put_site(q, ret->site, sizeof(ret->site));
        if (w->names_site)
                put_account(q, ret->account, sizeof(ret->account));
        put_machine(machine, ret->machine, sizeof(ret->machine));
        put_holders(h, ret->holders, sizeof(ret->holders));
        put_note(q, ret->note, sizeof(ret->note));
}

const char *prompt_caption_account(void) {
        return _("Account");
}

const char *prompt_caption_machine(void) {
        return _("Computer");
}

const char *prompt_caption_holders(void) {
        return _("Probably asked by");
}

static void put_field(FILE *to, const char *caption, const char *value) {
        if (*value)
                fprintf(to, _("\n%s: %s"), caption, value);
}

char *prompt_text(const struct prompt *p) {
        char *text = NULL;
        size_t n;
        FILE *to = open_memstream(&text, &n);
        bool failed;

        if (!to)
                return NULL;
        fputs(p->headline, to);
        if (*p->site)
                fprintf(to, "\n%s", p->site);
        put_field(to, prompt_caption_account(), p->account);
        put_field(to, prompt_caption_machine(), p->machine);
        put_field(to, prompt_caption_holders(), p->holders);
        if (p->detail)
                fprintf(to, "\n%s", p->detail);
        if (*p->note)
                fprintf(to, "\n%s", p->note);
        failed = ferror(to);
        if (fclose(to) != 0 || failed) {
                free(text);
                return NULL;
        }
        return text;
}

const char *prompt_finger(enum finger state) {
        switch (state) {
        case FINGER_WAITING:
                return _("or touch the fingerprint reader");
        case FINGER_NO_MATCH:
                return _("That finger is not known. Try another one, or type the PIN.");
        case FINGER_RETRY:
                return _("The finger could not be read. Put it on again, flat and in the middle.");
        case FINGER_MATCH:
                return _("The finger is known.");
        case FINGER_GONE:
                return _("The fingerprint reader does not answer any more: type the PIN.");
        case FINGER_NONE:
        case _FINGERS:
                break;
        }
        return NULL;
}

const char *prompt_withdrawn(enum withdrawal why) {
        switch (why) {
        case WITHDRAWN_FINGER:
                return _("Answered by a finger.");
        case WITHDRAWN_TIMEOUT:
                return _("Nobody answered in time.");
        case WITHDRAWN_LOCKED:
                return _("The session was locked.");
        case WITHDRAWN_LOST:
                return _("The service that asked has ended.");
        case WITHDRAWN_CANCELLED:
        case _WITHDRAWALS:
                break;
        }
        return _("The question was withdrawn.");
}

char *prompt_plain(const char *label) {
        char *plain = strdup(label), *to = plain;

        for (const char *from = label; plain && *from; from++)
                if (*from != '_')
                        *to++ = *from;
        if (plain)
                *to = '\0';
        return plain;
}

bool prompt_can_be_pin(const char *utf8) {
        size_t n = strlen(utf8), code_points = 0;

        for (size_t i = 0; i < n; i++)
                code_points += ((unsigned char)utf8[i] & 0xc0) != 0x80;
        return code_points >= AGENT_PIN_MIN && n <= AGENT_PIN_MAX;
}

const char *prompt_no_pin(void) {
        return _("A PIN has at least 4 characters and at most 63 bytes.");
}
