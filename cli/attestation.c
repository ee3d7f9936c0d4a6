/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * attestation: the enrolment of this machine, by files that go to a certificate authority and come back.
 * How they travel is nobody's business here. What they hold the daemon makes and judges.
 */

#include "cli/attestation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "authenticator/protocol.h"
#include "cli/ask.h"
#include "cli/client.h"
#include "cli/file.h"
#include "cli/text.h"

/* So that the name says nothing of /etc/machine-id, which other programs know. */
#define APPLICATION SD_ID128_MAKE(6f, 2a, 91, c0, 3d, 5e, 4b, 7f, 8a, 14, d9, 60, 77, e5, 0b, c3)

/* ---- files ---- */

static json_t *read_answer(const char *file) {
        json_t *answer = file_read_json(file, "answer");

        if (answer && (!json_is_object(answer) ||
                       json_dumpb(answer, NULL, 0, JSON_COMPACT) > PROTOCOL_LINE_MAX - 256)) {
                file_complain(file, "this is no answer of a certificate authority");
                json_decref(answer);
                return NULL;
        }
        return answer;
}

static int write_bundle(const json_t *bundle, const char *file) {
        FILE *to;
        int failed;

        if (!file || strcmp(file, "-") == 0) {
                print_json(bundle);
                return EXIT_OK;
        }
        to = fopen(file, "we");
        if (!to)
                return file_complain(file, strerror(errno));
        failed = json_dumpf(bundle, to, JSON_INDENT(2) | JSON_ENSURE_ASCII) < 0 ||
                 fputc('\n', to) == EOF;
        if (fclose(to) != 0 || failed)
                return file_complain(file, strerror(errno));
        return EXIT_OK;
}

/* ---- show ---- */

static const char *text(const json_t *from, const char *name) {
        const char *s = json_string_value(json_object_get(from, name));

        return s ? s : "";
}

static void print_line(const char *name, const char *value) {
        printf("%-16s ", name);
        print_text(stdout, value, 0);
        putchar('\n');
}

static const char *sentence_of(const char *state) {
        static const char *const sentences[][2] = {
                { "none", "This machine has no attestation key." },
                { "key", "This machine has an attestation key, and no certificate for it yet." },
                { "installed", "This machine attests to its passkeys, by its own key." },
                { "expired", "The certificate of this machine has expired. Get another: tpmauthn "
                             "attestation renew." },
                { "unusable", "The certificate is not of this machine's key, and is not used." },
        };

        for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
                if (strcmp(sentences[i][0], state) == 0)
                        return sentences[i][1];
        return state;
}

static void print_shown(const json_t *shown) {
        const json_t *key = json_object_get(shown, "key"), *chain = json_object_get(shown, "chain");
        const json_t *request = json_object_get(shown, "request"), *c;
        size_t i;

        puts(sentence_of(text(shown, "state")));
        if (key)
                print_line("key", text(key, "name"));
        if (json_object_get(shown, "ek"))
                print_line("endorsement key", text(shown, "ek"));
        json_array_foreach(chain, i, c) {
                print_line(i == 0 ? "certificate" : "authority", text(c, "sha256"));
                print_line("  issuer", text(c, "issuer"));
                print_line("  valid until", text(c, "until"));
        }
        if (request)
                print_line("open request", text(request, "created"));
        if (json_object_get(shown, "note"))
                print_line("note", text(shown, "note"));
}

static int finish(const struct options *o, int status, json_t *shown) {
        if (status == EXIT_OK && o->json)
                print_json(shown);
        else if (status == EXIT_OK)
                print_shown(shown);
        json_decref(shown);
        return status;
}

static int show(const struct options *o, const char *file) {
        json_t *shown = NULL;
        int status = client_run_on_machine(o, PROTOCOL_ATTESTATION_SHOW, NULL, &shown);

        (void)file;
        return finish(o, status, shown);
}

/* ---- request, renew ---- */

/* EXIT_OK: done, or not asked for. */
static int name_machine(const struct options *o, json_t *params) {
        char name[SD_ID128_STRING_MAX];
        sd_id128_t id;
        int r;

        if (!o->machine && !o->machine_id)
                return EXIT_OK;
        r = o->machine ? 0 : sd_id128_get_machine_app_specific(APPLICATION, &id);
        if (r < 0)
                return file_complain("/etc/machine-id", strerror(-r));
        if (json_object_set_new(params, "machine",
                                json_string(o->machine ? o->machine
                                                       : sd_id128_to_string(id, name))) == 0)
                return EXIT_OK;
        fputs("tpmauthn: --machine takes a text in UTF-8\n", stderr);
        return EXIT_USAGE;
}

static int ask_for_certificate(const struct options *o, const char *file, bool renew) {
        json_t *params = json_pack("{s:b}", "renew", renew), *made = NULL;
        int status = name_machine(o, params);

        if (status != EXIT_OK) {
                json_decref(params);
                return status;
        }
        status = client_run_on_machine(o, PROTOCOL_ATTESTATION_REQUEST, params, &made);
        if (status == EXIT_OK)
                status = write_bundle(json_object_get(made, "bundle"), file);
        json_decref(made);
        return status;
}

static int request(const struct options *o, const char *file) {
        return ask_for_certificate(o, file, false);
}

static int renew(const struct options *o, const char *file) {
        return ask_for_certificate(o, file, true);
}

/* ---- install, activate ---- */

static int give_answer(const struct options *o, const char *method, const char *file,
                       json_t **ret) {
        json_t *answer = read_answer(file);

        if (!answer)
                return EXIT_FAILED;
        return client_run_on_machine(o, method, json_pack("{s:o}", "answer", answer), ret);
}

static int install(const struct options *o, const char *file) {
        json_t *shown = NULL;
        int status = give_answer(o, PROTOCOL_ATTESTATION_INSTALL, file, &shown);

        return finish(o, status, shown);
}

static int activate(const struct options *o, const char *file) {
        json_t *proof = NULL;
        int status = give_answer(o, PROTOCOL_ATTESTATION_ACTIVATE, file, &proof);

        if (status == EXIT_OK)
                print_json(proof);
        json_decref(proof);
        return status;
}

/* ---- remove ---- */

int attestation_remove(const struct options *o, bool *ret_removed) {
        json_t *done = NULL;
        int status = client_run_on_machine(o, PROTOCOL_ATTESTATION_REMOVE, NULL, &done);

        if (status == EXIT_OK)
                *ret_removed = json_is_true(json_object_get(done, "removed"));
        json_decref(done);
        return status;
}

static int remove_all(const struct options *o, const char *file) {
        bool removed = false;
        int status;

        (void)file;
        if (!ask_to_erase(o,
                          "REMOVE THE ATTESTATION KEY of this machine? It takes a new certificate "
                          "to attest again."))
                return EXIT_FAILED;
        status = attestation_remove(o, &removed);
        if (status == EXIT_OK && !o->json)
                puts(removed ? "The attestation key of this machine is removed."
                             : "This machine had no attestation key.");
        return status;
}

static const struct action {
        const char *name;
        int (*run)(const struct options *o, const char *file);
        int n_files; /* at most */
        bool needs_file;
} actions[] = {
        { "request", request, 1, false },   { "install", install, 1, true },
        { "show", show, 0, false },         { "renew", renew, 1, false },
        { "remove", remove_all, 0, false }, { "activate", activate, 1, true },
};

int cmd_attestation(const struct options *o, char **operands) {
        for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
                const struct action *a = &actions[i];

                if (strcmp(a->name, operands[0]) != 0)
                        continue;
                if ((operands[1] && a->n_files == 0) || (!operands[1] && a->needs_file)) {
                        fprintf(stderr, "tpmauthn: attestation %s takes %s\n", a->name,
                                a->needs_file ? "a file" : "no file");
                        return EXIT_USAGE;
                }
                return a->run(o, operands[1]);
        }
        fprintf(stderr,
                "tpmauthn: attestation takes request, install, show, renew, remove or activate, not "
                "%s\n",
                operands[0]);
        return EXIT_USAGE;
}
