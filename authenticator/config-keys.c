/* SPDX-License-Identifier: BSD-2-Clause */

/* The table of all keys, with how the value of each is read and written. */

#include "authenticator/config-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "authenticator/log.h"
#include "authenticator/store.h"
#include "build-config.h"

/* ---- values: text to field and back ---- */

static int parse_optional(const char *text, void *field) {
        char **to = field, *copy = strdup(text);

        if (!copy)
                return -ENOMEM;
        free(*to);
        *to = copy;
        return 0;
}

static int parse_string(const char *text, void *field) {
        return *text ? parse_optional(text, field) : -EINVAL;
}

static void print_string(const void *field, FILE *to) {
        fputs(*(char *const *)field, to);
}

static int parse_path(const char *text, void *field) {
        return text[0] == '/' ? parse_string(text, field) : -EINVAL;
}

static int parse_optional_path(const char *text, void *field) {
        return *text && text[0] != '/' ? -EINVAL : parse_optional(text, field);
}

/* Names of hosts as they stand in a certificate or in a browser's request: lower case, ASCII. */
static int parse_rp_ids(const char *text, void *field) {
        if (text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-. \t")])
                return -EINVAL;
        return parse_optional(text, field);
}

static int parse_device(const char *text, void *field) {
        if (strcmp(text, "uhid") != 0 && strncmp(text, "uhid:/", 6) != 0 &&
            strncmp(text, "socket:/", 8) != 0)
                return -EINVAL;
        return parse_string(text, field);
}

static int parse_name(const char *text, void *field) {
        return strlen(text) <= 100 ? parse_string(text, field) : -EINVAL;
}

static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret) {
        unsigned long long v;
        char *end;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        errno = 0;
        v = strtoull(text, &end, 0);
        if (errno != 0 || *end || v < min || v > max)
                return -EINVAL;
        *ret = v;
        return 0;
}

static int parse_count(const char *text, void *field) {
        uint64_t v;

        if (parse_number(text, 1, CONFIG_DEVICES_MAX, &v) < 0)
                return -EINVAL;
        *(unsigned *)field = (unsigned)v;
        return 0;
}

static void print_count(const void *field, FILE *to) {
        fprintf(to, "%u", *(const unsigned *)field);
}

static int parse_pin_length(const char *text, void *field) {
        uint64_t v;

        if (parse_number(text, CTAP_MIN_PIN_LENGTH, CTAP_PIN_BYTES_MAX, &v) < 0)
                return -EINVAL;
        *(uint8_t *)field = (uint8_t)v;
        return 0;
}

static void print_pin_length(const void *field, FILE *to) {
        fprintf(to, "%u", *(const uint8_t *)field);
}

static int parse_credentials(const char *text, void *field) {
        uint64_t v;

        if (parse_number(text, 1, 1000000, &v) < 0)
                return -EINVAL;
        *(uint32_t *)field = (uint32_t)v;
        return 0;
}

static void print_uint32(const void *field, FILE *to) {
        fprintf(to, "%" PRIu32, *(const uint32_t *)field);
}

/* None, or at least what CTAP 2.3 §6.4 asks of who keeps any. */
static int parse_large_blobs(const char *text, void *field) {
        uint64_t v;

        if (parse_number(text, 0, STORE_LARGE_BLOBS_MAX, &v) < 0 || (v > 0 && v < 1024))
                return -EINVAL;
        *(uint32_t *)field = (uint32_t)v;
        return 0;
}

static int parse_bool(const char *text, void *field) {
        static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcmp(text, words[i]) == 0) {
                        *(bool *)field = i % 2 == 1;
                        return 0;
                }
        return -EINVAL;
}

static void print_bool(const void *field, FILE *to) {
        fputs(*(const bool *)field ? "yes" : "no", to);
}

/* A duration: a number and ms, s or min; seconds if there is no unit. */
static int parse_duration(const char *text, void *field) {
        static const struct {
                const char *suffix;
                uint64_t ms;
        } units[] = { { "ms", 1 }, { "", 1000 }, { "s", 1000 }, { "min", 60000 } };
        unsigned long long v;
        char *end;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        errno = 0;
        v = strtoull(text, &end, 10);
        if (errno != 0 || v > 600000)
                return -EINVAL;
        while (*end == ' ')
                end++;
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strcmp(end, units[i].suffix) == 0 && v * units[i].ms >= 100 &&
                    v * units[i].ms <= 600000) {
                        *(uint64_t *)field = v * units[i].ms;
                        return 0;
                }
        return -EINVAL;
}

static void print_duration(const void *field, FILE *to) {
        uint64_t ms = *(const uint64_t *)field;

        if (ms % 1000 == 0)
                fprintf(to, "%" PRIu64 "s", ms / 1000);
        else
                fprintf(to, "%" PRIu64 "ms", ms);
}

/* "0x01800200-0x018002ff", all of whose handles have the type that the first byte says. */
static int parse_range(const char *text, uint8_t handle_type, struct config_range *ret) {
        char copy[64], *dash;
        uint64_t first, last;

        if (strlen(text) >= sizeof(copy))
                return -EINVAL;
        strcpy(copy, text);
        dash = strchr(copy, '-');
        if (!dash)
                return -EINVAL;
        *dash = '\0';
        if (parse_number(copy, 0, UINT32_MAX, &first) < 0 ||
            parse_number(dash + 1, 0, UINT32_MAX, &last) < 0)
                return -EINVAL;
        if (first >> 24 != handle_type || last >> 24 != handle_type || last < first)
                return -EINVAL;
        *ret = (struct config_range){ (uint32_t)first, (uint32_t)last };
        return 0;
}

static int parse_nv_range(const char *text, void *field) {
        return parse_range(text, 0x01, field);
}

static int parse_persistent_range(const char *text, void *field) {
        return parse_range(text, 0x81, field);
}

static void print_range(const void *field, FILE *to) {
        const struct config_range *r = field;

        fprintf(to, "0x%08" PRIx32 "-0x%08" PRIx32, r->first, r->last);
}

static int parse_access(const char *text, void *field) {
        if (strcmp(text, "owner") != 0 && strcmp(text, "seat") != 0)
                return -EINVAL;
        *(bool *)field = strcmp(text, "seat") == 0;
        return 0;
}

static void print_access(const void *field, FILE *to) {
        fputs(*(const bool *)field ? "seat" : "owner", to);
}

static int parse_presence(const char *text, void *field) {
        return presence_mode_from_string(text, field);
}

/* Is a touch enough? */
static int parse_require(const char *text, void *field) {
        *(bool *)field = strcmp(text, "verify") == 0;
        return *(bool *)field || strcmp(text, "touch") == 0 ? 0 : -EINVAL;
}

static void print_require(const void *field, FILE *to) {
        fputs(*(const bool *)field ? "verify" : "touch", to);
}

static void print_presence(const void *field, FILE *to) {
        fputs(presence_mode_to_string(*(const enum presence_mode *)field), to);
}

static const char *const session_words[_TPM_SESSIONS] = {
        [TPM_SESSIONS_AUTO] = "auto",
        [TPM_SESSIONS_SALTED] = "salted",
        [TPM_SESSIONS_PASSWORD] = "password",
};

static int parse_sessions(const char *text, void *field) {
        for (size_t i = 0; i < ELEMENTSOF(session_words); i++)
                if (strcmp(text, session_words[i]) == 0) {
                        *(enum tpm_sessions *)field = (enum tpm_sessions)i;
                        return 0;
                }
        return -EINVAL;
}

static void print_sessions(const void *field, FILE *to) {
        fputs(session_words[*(const enum tpm_sessions *)field], to);
}

static int parse_level(const char *text, void *field) {
        return log_level_from_string(text, field);
}

static void print_level(const void *field, FILE *to) {
        fputs(log_level_to_string(*(const int *)field), to);
}

static int parse_audit_level(const char *text, void *field) {
        return audit_level_from_string(text, field);
}

static void print_audit_level(const void *field, FILE *to) {
        fputs(audit_level_to_string(*(const enum audit_level *)field), to);
}

static int parse_audit_rp_ids(const char *text, void *field) {
        return audit_rp_ids_from_string(text, field);
}

static void print_audit_rp_ids(const void *field, FILE *to) {
        fputs(audit_rp_ids_to_string(*(const enum audit_rp_ids *)field), to);
}

/* ---- the table ---- */

static const struct config_key keys[] = {
        { "daemon", "state-directory", parse_path, print_string,
          offsetof(struct config, state_directory), TPMAUTHN_STATE_DIR, "an absolute path",
          "where the stores are kept" },
        { "daemon", "runtime-directory", parse_path, print_string,
          offsetof(struct config, runtime_directory), TPMAUTHN_RUN_DIR, "an absolute path",
          "where the sockets are" },
        { "daemon", "log-level", parse_level, print_level, offsetof(struct config, log_level),
          "info", "err, warning, notice, info or debug",
          "what is logged; names of sites only at debug" },
        { "daemon", "sandbox", parse_bool, print_bool, offsetof(struct config, sandbox), "yes",
          "yes or no", "limit the daemon to the files and the system calls that it needs" },
        { "device", "device", parse_device, print_string, offsetof(struct config, device), "uhid",
          "uhid, uhid:/PATH or socket:/PATH",
          "uhid: a virtual USB device; socket: the same reports on a Unix socket, of several users "
          "each on PATH.UID" },
        { "device", "count", parse_count, print_count, offsetof(struct config, count), "1",
          "a number from 1 to 16", "how many virtual devices there are, or each user has" },
        { "device", "access", parse_access, print_access, offsetof(struct config, per_seat),
          "owner", "owner or seat",
          "with presence = agent: owner, each user who is logged in has a device; seat, one is shared "
          "by who sits at the machine" },
        { "device", "name", parse_name, print_string, offsetof(struct config, name), "TPM Passkey",
          "a text of at most 100 bytes", "what clients show as the device's name" },
        { "tpm", "tpm", parse_string, print_string, offsetof(struct config, tpm),
          "device:/dev/tpmrm0", "a TCTI such as device:/dev/tpmrm0, or swtpm",
          "the TPM; swtpm starts a private simulator" },
        { "tpm", "nv-range", parse_nv_range, print_range, offsetof(struct config, nv),
          "0x01800200-0x018002ff", "two NV handles FIRST-LAST within 0x01000000-0x01ffffff",
          "NV indexes are taken from here" },
        { "tpm", "persistent-range", parse_persistent_range, print_range,
          offsetof(struct config, persistent), "0x81018000-0x810180ff",
          "two persistent handles FIRST-LAST within 0x81000000-0x81ffffff",
          "persistent objects are put here" },
        { "tpm", "persist-srk", parse_bool, print_bool, offsetof(struct config, persist_srk), "no",
          "yes or no", "keep a storage root key that had to be made at 0x81000001" },
        { "tpm", "sessions", parse_sessions, print_sessions, offsetof(struct config, sessions),
          "auto", "auto, salted or password",
          "what hides the PIN on the way to the TPM; auto: salted, but password for one in firmware" },
        { "policy", "always-uv", parse_bool, print_bool, offsetof(struct config, always_uv), "no",
          "yes or no", "ask for the PIN whenever a passkey is made or used" },
        { "policy", "min-pin-length", parse_pin_length, print_pin_length,
          offsetof(struct config, min_pin_length), "4", "a number from 4 to 63",
          "the least number of characters of a PIN; clients can only raise it" },
        { "policy", "pin-complexity", parse_bool, print_bool,
          offsetof(struct config, pin_complexity), "no", "yes or no",
          "take no PIN that is guessed first, such as 1111 or 1234" },
        { "policy", "rp-allow", config_parse_rp_rules, config_print_list,
          offsetof(struct config, rp_allow), "",
          "names such as example.com, *.example.com or ssh:* with blanks between them, or nothing",
          "sites whose passkeys may be made and used here, and no others; nothing: all" },
        { "policy", "rp-deny", config_parse_rp_rules, config_print_list,
          offsetof(struct config, rp_deny), "",
          "names such as example.com, *.example.com or ssh:* with blanks between them, or nothing",
          "sites whose passkeys may not be made and used here" },
        { "policy", "enterprise-attestation", config_parse_enterprise, config_print_enterprise,
          offsetof(struct config, enterprise), "client", "client, off, listed or on",
          "client: a client turns it on; listed: on, for [attestation] rp-ids alone; on: and for sites "
          "that a browser's policy names" },
        { "policy", "reset", config_parse_reset, config_print_reset,
          offsetof(struct config, reset_by_administrator), "anyone", "anyone or administrator",
          "who may erase all passkeys; administrator: no client and no user" },
        { "policy", "remote", config_parse_remote, config_print_remote,
          offsetof(struct config, remote), "quiet", "quiet or deny",
          "who is logged in from elsewhere alone has a device that refuses what takes a yes (quiet), or "
          "none (deny)" },
        { "policy", "locked", config_parse_locked, config_print_list,
          offsetof(struct config, locked), "",
          "keys of [policy], or SECTION.KEY, with blanks between them; or all; or nothing",
          "what no later file changes, and no client (authenticatorConfig)" },
        { "policy", "ctap-2.3", parse_bool, print_bool, offsetof(struct config, ctap_2_3), "yes",
          "yes or no", "say FIDO_2_3; no: for clients that stumble over it" },
        { "policy", "large-blobs", parse_large_blobs, print_uint32,
          offsetof(struct config, large_blobs), "65536", "0 or a number from 1024 to 1048576",
          "bytes that a device keeps for sites beside its passkeys; 0: none" },
        { "attestation", "key", parse_optional_path, print_string,
          offsetof(struct config, attestation_key), "", "an absolute path, or nothing",
          "an organisation's key (PEM, P-256) to attest to passkeys with; nothing: they do it themselves" },
        { "attestation", "certificates", parse_optional_path, print_string,
          offsetof(struct config, attestation_certificates), "", "an absolute path, or nothing",
          "the certificates of that key (PEM), its own first; without the root" },
        { "attestation", "rp-ids", parse_rp_ids, print_string,
          offsetof(struct config, attestation_rp_ids), "",
          "names such as example.com with blanks between them, or nothing",
          "sites that get this attestation where they ask for it; a browser's policy can name others" },
        { "attestation", "root", parse_optional_path, print_string,
          offsetof(struct config, attestation_root), "", "an absolute path, or nothing",
          "certificates (PEM) that those of this machine's attestation key have to lead to one of" },
        { "attestation", "persistent", parse_bool, print_bool,
          offsetof(struct config, attestation_persistent), "yes", "yes or no",
          "put the TPM's own attestation key at a handle of persistent-range; no: it is loaded for each use" },
        { "presence", "presence", parse_presence, print_presence, offsetof(struct config, presence),
          "agent", "agent, tty, auto, script or deny",
          "who answers: the agent of the user's session, the terminal, or on a simulator auto or "
          "script; deny refuses all" },
        { "presence", "timeout", parse_duration, print_duration,
          offsetof(struct config, presence_timeout_ms), "30s",
          "a time from 100ms to 10min, such as 30s", "how long a question waits" },
        { "presence", "verify", parse_bool, print_bool, offsetof(struct config, presence_verify),
          "yes", "yes or no",
          "ask for the PIN here, so that clients need not; no: they always do" },
        { "presence", "require", parse_require, print_require,
          offsetof(struct config, presence_verified), "touch", "touch or verify",
          "verify: PIN or finger at each use, also where a site wants a touch; U2F is off" },
        { "presence", "fingerprint", parse_bool, print_bool,
          offsetof(struct config, presence_fingerprint), "yes", "yes or no",
          "a finger that fprintd knows does in the PIN's place, where the TPM does not want that" },
        { "presence", "pin-file", parse_optional_path, print_string,
          offsetof(struct config, presence_pin_file), "", "an absolute path, or nothing",
          "the PIN that auto and script answer with is the first line of this file" },
        { "store", "max-credentials", parse_credentials, print_uint32,
          offsetof(struct config, max_credentials), "10000", "a number from 1 to 1000000",
          "how many passkeys a device keeps" },
        { "audit", "level", parse_audit_level, print_audit_level,
          offsetof(struct config, audit_level), "notable", "off, notable or all",
          "events in the journal: what failed and what an administrator should know of; all: each use of "
          "a passkey too" },
        { "audit", "rp-ids", parse_audit_rp_ids, print_audit_rp_ids,
          offsetof(struct config, audit_rp_ids), "off", "off, hashed or full",
          "how events name sites: not at all, by the SHA-256 of the RP ID, or by the RP ID" },
        { "audit", "socket", parse_optional_path, print_string,
          offsetof(struct config, audit_socket), "", "an absolute path, or nothing",
          "journald's socket; nothing: its usual one in a service of systemd's, else events go to the log" },
};

const struct config_key *config_keys(size_t *ret_n) {
        *ret_n = ELEMENTSOF(keys);
        return keys;
}

bool config_key_is_list(const struct config_key *k) {
        return k->print == config_print_list;
}

/* ---- the nearest known key ---- */

#define NAME_MAX_COMPARED 64

/* Levenshtein distance; names longer than any key are far from all. */
static size_t distance(const char *a, const char *b) {
        size_t row[NAME_MAX_COMPARED + 1], la = strlen(a), lb = strlen(b);

        if (la > NAME_MAX_COMPARED || lb > NAME_MAX_COMPARED)
                return SIZE_MAX;

        for (size_t j = 0; j <= lb; j++)
                row[j] = j;
        for (size_t i = 1; i <= la; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= lb; j++) {
                        size_t best = diagonal + (a[i - 1] != b[j - 1]);

                        if (row[j] + 1 < best)
                                best = row[j] + 1;
                        if (row[j - 1] + 1 < best)
                                best = row[j - 1] + 1;
                        diagonal = row[j];
                        row[j] = best;
                }
        }
        return row[lb];
}

/* The name decides; the section breaks a tie. */
const struct config_key *config_key_nearest(const char *section, const char *name) {
        const struct config_key *best = &keys[0];
        size_t least = SIZE_MAX;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                size_t by_name = distance(name, keys[i].name), total;

                if (by_name == SIZE_MAX)
                        continue;
                total = by_name * 8 + (strcmp(section, keys[i].section) != 0);
                if (total < least) {
                        least = total;
                        best = &keys[i];
                }
        }
        return best;
}
