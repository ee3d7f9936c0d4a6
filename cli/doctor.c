/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * doctor: everything between a browser and a key, checked from both ends, with what to do about
 * each. It works without a daemon too; what the daemon says of itself only changes what is needed:
 * a device on a socket needs no /dev/uhid, a simulator no /dev/tpmrm0.
 */

#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "authenticator/protocol.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/doctor.h"
#include "cli/text.h"
#include "cli/tpm.h"

#define UHID_NODE "/dev/uhid"
#define TPM_NODE  "/dev/tpmrm0"

static const char *const level_names[] = { "ok", "warn", "fail" };

struct doctor {
        const struct options *options;
        json_t *findings;
        unsigned n_failed;
        /* What the daemon said; as if it used the real things while it is not known. */
        bool uses_uhid, uses_tpm, uses_agent;
};

static void __attribute__((format(printf, 4, 5)))
say(struct doctor *d, enum level level, const char *subject, const char *format, ...) {
        char text[1024];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        json_array_append_new(d->findings, json_pack("{s:s,s:s,s:s}", "check", subject, "result",
                                                     level_names[level], "text", text));
        d->n_failed += level == LEVEL_FAIL;
        if (d->options->json)
                return;
        style(level == LEVEL_OK ? STYLE_GOOD : level == LEVEL_WARN ? STYLE_WARN : STYLE_BAD);
        printf("%-4s", level_names[level]);
        style(STYLE_PLAIN);
        printf("  %-8s ", subject);
        print_text(stdout, text, 0);
        putchar('\n');
}

/* ---- the daemon ---- */

static json_t *ask(const struct doctor *d, const char *method, json_t *params) {
        struct client *c = client_open(d->options->socket);
        json_t *body = NULL;

        if (c)
                body = client_call(c, method, params);
        else
                json_decref(params);
        client_close(c);
        return body;
}

static const char *text_of(const json_t *object, const char *name) {
        const char *s = json_string_value(json_object_get(object, name));

        return s ? s : "";
}

/* The params that name this device. */
static json_t *which(const json_t *device) {
        json_t *params = json_pack("{s:O}", "device", json_object_get(device, "device"));
        json_t *user = json_object_get(device, "user");

        if (user)
                json_object_set(params, "user", user);
        return params;
}

/* The TPM and the store, as the device's worker sees them now. */
static void check_inside(struct doctor *d, int device, const json_t *of, const char *name) {
        json_t *body = ask(d, PROTOCOL_DOCTOR, which(of));
        const json_t *result = json_object_get(body, "result");
        const json_t *tpm = json_object_get(result, "tpm");

        if (!result)
                say(d, LEVEL_FAIL, "tpm", "device %d: %s", device,
                    text_of(json_object_get(body, "error"), "message"));
        else if (json_is_true(json_object_get(tpm, "in_lockout")))
                say(d, LEVEL_FAIL, "tpm",
                    "device %d: the TPM is locked out after wrong passwords. Wait, or clear it with "
                    "tpm2_dictionarylockout -c",
                    device);
        else
                say(d, LEVEL_OK, "tpm", "device %d: %s, revision %d.%02d; %lld passkeys kept",
                    device, name, (int)json_integer_value(json_object_get(tpm, "revision")) / 100,
                    (int)json_integer_value(json_object_get(tpm, "revision")) % 100,
                    (long long)json_integer_value(json_object_get(result, "credentials")));
        json_decref(body);
}

/* What the TPM was found able to do, or what stands in for it. */
static void check_kind(struct doctor *d, int device, const char *sentence, bool is_best) {
        if (sentence)
                say(d, is_best ? LEVEL_OK : LEVEL_WARN, "tpm", "device %d: %s", device, sentence);
}

static void check_verify(struct doctor *d, int index, const json_t *device) {
        json_t *body = ask(d, PROTOCOL_PIN_STATUS, which(device));
        const json_t *pin = json_object_get(body, "result");
        const char *why_not = text_of(device, "verify_off");

        /* Whoever asks for it: browsers that offer no change only say that it did not work. */
        if (json_is_true(json_object_get(pin, "must_change")) &&
            json_integer_value(json_object_get(pin, "retries")) > 0)
                say(d, LEVEL_WARN, "verify",
                    "device %d: the PIN must be changed before it can be used: tpmauthn pin change",
                    index);
        else if (*why_not)
                say(d, LEVEL_OK, "verify",
                    "device %d: clients ask for the PIN themselves (uv is off): %s", index,
                    why_not);
        else if (!pin)
                say(d, LEVEL_FAIL, "verify", "device %d: %s", index,
                    text_of(json_object_get(body, "error"), "message"));
        else if (!json_is_true(json_object_get(pin, "set")))
                say(d, LEVEL_OK, "verify",
                    "device %d: nobody can be verified (uv is off): there is no PIN. To set one: "
                    "tpmauthn pin set",
                    index);
        else if (json_integer_value(json_object_get(pin, "uv_retries")) == 0)
                say(d, LEVEL_WARN, "verify",
                    "device %d: the PIN was typed wrong too often, and clients ask for it themselves. "
                    "What to do: tpmauthn pin status",
                    index);
        else
                say(d, LEVEL_OK, "verify",
                    "device %d: the PIN can be given to the daemon, and clients need not ask for it "
                    "(uv is on)",
                    index);
        json_decref(body);
}

static void check_device(struct doctor *d, const json_t *device) {
        int index = (int)json_integer_value(json_object_get(device, "device"));
        const char *state = text_of(device, "state");

        if (strcmp(state, "ready") != 0) {
                say(d, LEVEL_FAIL, "device", "device %d is %s. %s", index, state,
                    text_of(device, "reason"));
                return;
        }
        if (strcmp(text_of(device, "presence"), "agent") == 0)
                d->uses_agent = true;
        say(d, LEVEL_OK, "device", "device %d is ready: %s at %s", index, text_of(device, "name"),
            text_of(device, "path"));
        if (json_is_true(json_object_get(device, "simulator")))
                say(d, LEVEL_WARN, "device",
                    "device %d uses a simulator: its keys are not in hardware. For testing only",
                    index);
        if (strcmp(text_of(device, "presence"), "deny") == 0)
                say(d, LEVEL_WARN, "presence",
                    "device %d refuses every request. To be asked: tpmauthn presence ask, or take "
                    "[presence] presence = deny out of /etc/tpmauthn/tpmauthn.conf",
                    index);
        check_verify(d, index, device);
        if (*text_of(device, "note"))
                say(d, LEVEL_WARN, "store", "device %d: %s", index, text_of(device, "note"));
        if (*text_of(device, "attestation_note"))
                say(d, LEVEL_WARN, "attest", "device %d: %s", index,
                    text_of(device, "attestation_note"));
        check_inside(d, index, device, text_of(device, "tpm"));
        check_kind(d, index, pin_kind_sentence(device),
                   strcmp(text_of(device, "pin_kind"), "tpm") == 0);
        check_kind(d, index, hmac_kind_sentence(device),
                   strcmp(text_of(device, "hmac_kind"), "unseal") != 0);

        d->uses_uhid = d->uses_uhid || strncmp(text_of(device, "path"), "/dev/", 5) == 0;
        d->uses_tpm = d->uses_tpm || !json_is_true(json_object_get(device, "simulator"));
}

static void check_daemon(struct doctor *d) {
        json_t *body = ask(d, PROTOCOL_STATUS, NULL), *device;
        const json_t *result = json_object_get(body, "result"), *devices;
        size_t i;

        d->uses_uhid = d->uses_tpm = true;
        if (!body && errno == EACCES)
                say(d, LEVEL_FAIL, "daemon",
                    "the control socket %s may not be opened by this account", d->options->socket);
        else if (!body)
                say(d, LEVEL_FAIL, "daemon",
                    "no daemon answers at %s (%s). Start it as root: tpmauthnd --presence=tty",
                    d->options->socket, strerror(errno));
        else if (!result)
                say(d, LEVEL_FAIL, "daemon", "the daemon refuses: %s",
                    text_of(json_object_get(body, "error"), "message"));
        else {
                say(d, LEVEL_OK, "daemon", "tpmauthnd %s answers at %s", text_of(result, "version"),
                    d->options->socket);
                devices = json_object_get(result, "devices");
                d->uses_uhid = d->uses_tpm = false;
                json_array_foreach(devices, i, device) check_device(d, device);
                /* What a device that failed would use is not known. */
                if (d->n_failed > 0)
                        d->uses_uhid = d->uses_tpm = true;
        }
        json_decref(body);
}

/* ---- the machine ---- */

static void check_uhid(struct doctor *d) {
        struct stat st;

        if (stat(UHID_NODE, &st) < 0) {
                if (!d->uses_uhid)
                        say(d, LEVEL_OK, "uhid", UHID_NODE " is not there, and not needed");
                else if (access("/sys/module/uhid", F_OK) == 0)
                        say(d, LEVEL_FAIL, "uhid",
                            "the module uhid is loaded, but " UHID_NODE
                            " is not there. In a container, pass it in (--device " UHID_NODE ")");
                else
                        say(d, LEVEL_FAIL, "uhid",
                            UHID_NODE " is not there. Load the kernel's module: modprobe uhid; for "
                                      "every start: echo uhid > /etc/modules-load.d/tpmauthn.conf");
                return;
        }
        if (st.st_mode & 0006)
                say(d, LEVEL_FAIL, "uhid",
                    UHID_NODE " is open to everybody (mode %04o): every program can type on the "
                              "keyboard. Remove the udev rule that does it; chmod 0600 " UHID_NODE,
                    st.st_mode & 07777);
        else if (geteuid() != 0 && access(UHID_NODE, R_OK | W_OK) == 0)
                say(d, LEVEL_WARN, "uhid",
                    UHID_NODE " is open to this account: every program of yours can type on the "
                              "keyboard. It should belong to the daemon's account alone");
        else
                say(d, LEVEL_OK, "uhid", UHID_NODE " is there (mode %04o, group %u)",
                    st.st_mode & 07777, (unsigned)st.st_gid);
}

static void check_tpm(struct doctor *d) {
        const struct group *group;
        struct stat st;

        if (stat(TPM_NODE, &st) < 0) {
                if (!d->uses_tpm)
                        say(d, LEVEL_OK, "tpm", TPM_NODE " is not there, and not needed");
                else
                        say(d, LEVEL_FAIL, "tpm",
                            TPM_NODE " is not there: switch the TPM on in the firmware setup "
                                     "(often called PTT, fTPM or Security Device)%s",
                            access("/dev/tpm0", F_OK) == 0 ? "; /dev/tpm0 alone is a TPM 1.2" : "");
                return;
        }
        group = getgrgid(st.st_gid);
        if ((st.st_mode & 0060) != 0060)
                say(d, LEVEL_WARN, "tpm",
                    TPM_NODE " is for its owner alone (mode %04o). Debian's package tpm-udev gives "
                             "it to the group tss: apt-get install tpm-udev, and reboot",
                    st.st_mode & 07777);
        else if (!group || strcmp(group->gr_name, "tss") != 0)
                say(d, LEVEL_WARN, "tpm",
                    TPM_NODE
                    " belongs to the group %s and not to tss. The daemon's account must be "
                    "in that group",
                    group ? group->gr_name : "without a name");
        else
                say(d, LEVEL_OK, "tpm", TPM_NODE " is there and belongs to the group tss");
}

static void check_udev(struct doctor *d, const char *node, const char *sys_path) {
        char path[512], number[32], token[16];

        snprintf(path, sizeof(path), "%s/dev", sys_path);
        doctor_read_value(path, "", number, sizeof(number));
        snprintf(path, sizeof(path), "/run/udev/data/c%s", number);
        if (access(path, R_OK) < 0) {
                say(d, LEVEL_WARN, "udev",
                    "udev knows nothing of %s: browsers that start later still find it, access "
                    "rights were not set",
                    node);
                return;
        }
        doctor_read_value(path, "E:ID_FIDO_TOKEN=", token, sizeof(token));
        if (strcmp(token, "1") == 0)
                say(d, LEVEL_OK, "udev", "udev sees %s as a FIDO token", node);
        else
                say(d, LEVEL_FAIL, "udev",
                    "udev does not see %s as a FIDO token: its rule 60-fido-id.rules is missing or "
                    "failed. Try: udevadm test %s",
                    node, sys_path);
}

static void check_node(struct doctor *d, const char *sys_path) {
        char node[64];

        snprintf(node, sizeof(node), "/dev/%s", strrchr(sys_path, '/') + 1);
        if (access(node, R_OK | W_OK) == 0)
                say(d, LEVEL_OK, "hidraw", "%s is this device, and this account may open it", node);
        else
                say(d, LEVEL_FAIL, "hidraw",
                    "%s is this device, but this account may not open it: %s. Log in on the "
                    "machine itself, or see udev below",
                    node, strerror(errno));
        check_udev(d, node, sys_path);
}

static void check_hidraw(struct doctor *d) {
        glob_t found = { 0 };
        unsigned n = 0;

        if (glob("/sys/class/hidraw/hidraw*", 0, NULL, &found) == 0)
                for (size_t i = 0; i < found.gl_pathc; i++) {
                        char path[512], phys[128];

                        snprintf(path, sizeof(path), "%s/device/uevent", found.gl_pathv[i]);
                        doctor_read_value(path, "HID_PHYS=", phys, sizeof(phys));
                        if (strncmp(phys, "tpmauthn/", 9) != 0)
                                continue;
                        n++;
                        check_node(d, found.gl_pathv[i]);
                }
        globfree(&found);

        if (n == 0 && d->uses_uhid)
                say(d, LEVEL_FAIL, "hidraw",
                    "no hidraw node is of tpmauthn: browsers see no key. It appears when a device "
                    "is ready");
        else if (n == 0)
                say(d, LEVEL_OK, "hidraw", "no hidraw node is of tpmauthn, and none is needed");
}

/* ---- the session and what is installed ---- */

static void check_session(struct doctor *d) {
        int n = sd_uid_get_sessions(geteuid(), 0, NULL);

        if (!d->uses_agent || geteuid() == 0)
                return;
        if (n < 0)
                say(d, LEVEL_WARN, "session",
                    "logind does not answer (%s): there is one device, for the user who started the "
                    "daemon",
                    strerror(-n));
        else if (n == 0)
                say(d, LEVEL_FAIL, "session",
                    "logind knows no session of yours, and you have a device only while you have "
                    "one. Log in on the machine itself, and not with su or sudo");
        else
                say(d, LEVEL_OK, "session", "logind knows your session");
}

static void take(void *userdata, enum level level, const char *subject, const char *text) {
        say(userdata, level, subject, "%s", text);
}

static void check_machine(struct doctor *d) {
        const struct doctor_machine m = { .root = "",
                                          .user = geteuid(),
                                          .uses_uhid = d->uses_uhid,
                                          .uses_agent = d->uses_agent,
                                          .say = take,
                                          .userdata = d };

        doctor_check_uhid_group(&m);
        doctor_check_rule(&m);
        doctor_check_owners(&m);
        doctor_check_snaps(&m);
        check_session(d);
        doctor_check_agent(&m);
        doctor_check_fprintd(&m);
}

int cmd_doctor(const struct options *o, char **operands) {
        struct doctor d = { .options = o, .findings = json_array() };

        (void)operands;
        check_daemon(&d);
        check_uhid(&d);
        check_tpm(&d);
        check_hidraw(&d);
        check_machine(&d);
        if (o->json)
                print_json(d.findings);
        json_decref(d.findings);
        return d.n_failed > 0 ? EXIT_FAILED : EXIT_OK;
}
