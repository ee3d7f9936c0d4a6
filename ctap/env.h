/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Everything CTAP asks of the world: keys, store, presence, clock, rng, and, where an organisation
 * wants it, an attester. ctap/ declares the ports, tpm/ and authenticator/ implement them,
 * tests/fake scripts them. Each port is a struct that its implementation embeds first. All calls
 * come from the one thread that runs commands.
 *
 * int functions return 0 or a negative errno: the machine failed. What a person or a site may hear
 * is decided in ctap/ alone.
 */

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctap/bytes.h"
#include "ctap/macro.h"
#include "ctap/secret.h"
#include "ctap/status.h"

/* ---- keys ------------------------------------------------------------------------------- */

enum ctap_key_type {
        CTAP_KEY_P256,    /* signs a SHA-256 digest */
        CTAP_KEY_P384,    /* signs a SHA-384 digest */
        CTAP_KEY_RSA2048, /* signs a SHA-256 digest by RSASSA-PKCS1-v1_5; the exponent is 65537 */
        _CTAP_KEY_TYPES,
};

/* What the key itself demands before it signs. */
enum ctap_key_class {
        CTAP_CLASS_A = 1, /* presence only */
        CTAP_CLASS_B = 2, /* a PIN verified by the TPM */
};

#define CTAP_KEY_BLOB_MAX 2048

/* A wrapped key; only the keys port knows what is inside. */
struct ctap_key_blob {
        uint16_t len;
        uint8_t data[CTAP_KEY_BLOB_MAX];
};

struct ctap_public_key {
        enum ctap_key_type type;
        union {
                /* Each left-padded to the size of the field: 32 bytes on P-256, 48 on P-384. */
                struct {
                        uint8_t x[48];
                        uint8_t y[48];
                };
                uint8_t modulus[256];
        };
};

/* ECDSA: a DER SEQUENCE of two INTEGERs; RSA: as long as the modulus (WebAuthn §6.5.5). */
struct ctap_signature {
        uint16_t len;
        uint8_t data[256];
};

/* A wrapped CredRandom of hmac-secret; only the keys port knows what is inside. */
#define CTAP_SECRET_BLOB_MAX 768

struct ctap_secret_blob {
        uint16_t len; /* 0: there is none */
        uint8_t data[CTAP_SECRET_BLOB_MAX];
};

/* A PIN as it comes over the wire and goes to the key device: LEFT(SHA-256(PIN), 16). A secret. */
struct ctap_pin_hash {
        uint8_t b[16];
};

static inline void ctap_pin_hash_wipe(struct ctap_pin_hash *p) {
        OPENSSL_cleanse(p, sizeof(*p));
}

#define CTAP_PIN_TRIES_MAX 8

enum ctap_pin_verdict {
        CTAP_PIN_RIGHT,
        CTAP_PIN_WRONG,   /* and one try less */
        CTAP_PIN_BLOCKED, /* no tries are left; the PIN was not looked at */
        CTAP_PIN_LATER,   /* the device looks at no PIN for some time; no try was used up */
};

/*
 * The key device's word that it was given the right PIN, good for a while and any number of uses. It
 * ends by itself when the device is restarted. Only the keys port knows what is inside. A secret.
 */
#define CTAP_TICKET_MAX 256

struct ctap_ticket {
        uint16_t len; /* 0: there is none */
        uint8_t data[CTAP_TICKET_MAX];
};

static inline void ctap_ticket_wipe(struct ctap_ticket *t) {
        OPENSSL_cleanse(t, sizeof(*t));
}

struct ctap_loaded_key; /* a key that can sign now */

struct ctap_keys {
        const struct ctap_keys_ops *ops;
};

struct ctap_keys_ops {
        /* One bit per enum ctap_key_type that this device can make; never asks the device. */
        unsigned (*offered)(struct ctap_keys *k);
        _must_check_ int (*create)(struct ctap_keys *k, enum ctap_key_type type,
                                   enum ctap_key_class class, struct ctap_key_blob *ret_blob,
                                   struct ctap_public_key *ret_public);
        /*
         * Reads it out of the blob; never asks the device. -EKEYREJECTED: the blob is not one of
         * this kind of device.
         */
        _must_check_ int (*public_key)(struct ctap_keys *k, struct bytes blob,
                                       struct ctap_public_key *ret);
        /*
         * Makes a key ready to sign once. One of class B needs a ticket, for others it may be NULL; it
         * is borrowed until unload. Free the key with unload.
         *   -EKEYREJECTED  the blob is not one of this device's
         *   -EKEYEXPIRED   the ticket is not good any more, or there is none and the key wants one
         */
        _must_check_ int (*load)(struct ctap_keys *k, struct bytes blob,
                                 const struct ctap_ticket *ticket, struct ctap_loaded_key **ret);
        /* -EKEYEXPIRED, as above: a ticket can end between load and sign. */
        _must_check_ int (*sign)(struct ctap_keys *k, struct ctap_loaded_key *key,
                                 struct bytes digest, struct ctap_signature *ret);
        /* Gives the key up. The device may be told later, after the answer went out. NULL is fine. */
        void (*unload)(struct ctap_keys *k, struct ctap_loaded_key *key);

        /* A new random HMAC-SHA-256 key (CredRandom, CTAP 2.3 §12.7) that never leaves the device. */
        _must_check_ int (*secret_create)(struct ctap_keys *k, enum ctap_key_class class,
                                          struct ctap_secret_blob *ret);
        /*
         * HMAC-SHA-256 over each salt: `salts` is one of 32 bytes or two, and so is what is returned.
         * Errors and ticket as with load.
         */
        _must_check_ int (*secret_hmac)(struct ctap_keys *k, struct bytes blob,
                                        const struct ctap_ticket *ticket, struct bytes salts,
                                        struct secret64 *ret);

        /*
         * Asks the device if this is the PIN (NULL: if none is set); it counts the wrong tries itself,
         * and a right one gives them back. The ticket, which is set for CTAP_PIN_RIGHT, is good for
         * `seconds`.
         */
        _must_check_ int (*pin_verify)(struct ctap_keys *k, const struct ctap_pin_hash *pin,
                                       uint32_t seconds, enum ctap_pin_verdict *ret,
                                       struct ctap_ticket *ret_ticket);
        /*
         * Puts a new PIN in place of the old one (NULL: none is set yet), which counts as a try of the
         * old one. Tickets given before may stay good until they end: forget them.
         */
        _must_check_ int (*pin_change)(struct ctap_keys *k, const struct ctap_pin_hash *old,
                                       const struct ctap_pin_hash *new, enum ctap_pin_verdict *ret);
        /* How many wrong tries are left, by the device's own count; asks it only if that is unknown. */
        _must_check_ int (*pin_retries)(struct ctap_keys *k, uint8_t *ret);
        /* 0 or -EKEYEXPIRED: the device was restarted since. Asks it only after a new connection. */
        _must_check_ int (*ticket_check)(struct ctap_keys *k, const struct ctap_ticket *ticket);
};

/* ---- store ------------------------------------------------------------------------------ */

#define CTAP_CREDENTIAL_ID_SIZE 48

/* 16 random bytes and a MAC of 32 that binds them to an RP: credential.h. */
struct ctap_credential_id {
        uint8_t b[CTAP_CREDENTIAL_ID_SIZE];
};

enum {
        CTAP_ROW_DISCOVERABLE = 1 << 0,
        CTAP_ROW_U2F = 1 << 1, /* made by U2F_REGISTER */
        CTAP_ROW_LARGE_BLOB_KEY = 1 << 2,
        CTAP_ROW_THIRD_PARTY_PAYMENT = 1 << 3,
};

/*
 * A credential as it is kept. RP and account appear as tags (HMACs under a key derived from the
 * store key) and inside the sealed record, so that a stolen disk names neither.
 */
struct ctap_row {
        struct ctap_credential_id id;
        struct sha256 rp_tag;
        struct sha256 account_tag; /* all zero unless discoverable */
        int32_t alg;               /* the COSE algorithm that was asked for */
        uint8_t class;             /* enum ctap_key_class */
        uint8_t cred_protect;      /* 1..3 */
        uint32_t flags;            /* CTAP_ROW_* */
        uint32_t count;            /* the signature counter last shown; set by the store */
        uint64_t sequence;         /* ascending with creation; set by the store */
        int64_t created;           /* seconds since the epoch; set by the store */
        int64_t last_used;         /* seconds since the epoch, 0 = never; set by the store */
        struct ctap_key_blob key;
        /* CredRandomWithoutUV and CredRandomWithUV; empty until they are first needed. */
        struct ctap_secret_blob cred_random, cred_random_uv;
        uint16_t sealed_len;
        uint8_t sealed[1024]; /* the sealed record: credential.h */
};

#define CTAP_MIN_PIN_LENGTH     4
#define CTAP_UV_RETRIES_MAX     3
#define CTAP_MIN_PIN_LENGTH_RPS 16

/* What is not a credential and outlives a power cycle; a reset puts it back to its defaults. */
struct ctap_settings {
        uint8_t pin_length;     /* code points of the PIN; 0: none is set */
        uint8_t min_pin_length; /* code points, at least CTAP_MIN_PIN_LENGTH */
        bool force_pin_change;
        /* The PIN is the administrator's one-time secret (enrolment.c): it is to be changed as well. */
        bool pin_is_for_enrolment;
        /*
         * A PIN was about to be set or changed: whether that came about, only the key device knows.
         * pin_length is then the least that it can be.
         */
        bool pin_in_doubt;
        uint8_t uv_retries;          /* of built-in verification, at most CTAP_UV_RETRIES_MAX */
        bool always_uv;              /* turned on by authenticatorConfig */
        bool enterprise_attestation; /* likewise */
        bool long_touch_for_reset;   /* likewise */
        bool pin_complexity;         /* likewise */
        bool pin_is_complex; /* the PIN that is set was found to be what pin-complexity.h asks for */
        /* Counts the persistent tokens that were given up; part of what the present one is made of. */
        uint32_t persistent_token_epoch;
        /* RP tags (ctap_rp_tag()) of those who may be told the least length of a PIN. */
        uint8_t n_min_pin_length_rps;
        struct sha256 min_pin_length_rps[CTAP_MIN_PIN_LENGTH_RPS];
};

#define CTAP_SETTINGS_DEFAULT                          \
        ((struct ctap_settings){                       \
                .min_pin_length = CTAP_MIN_PIN_LENGTH, \
                .uv_retries = CTAP_UV_RETRIES_MAX,     \
        })

/* What the large-blob array is without a single blob (CTAP 2.3 §6.10): an empty array, its hash. */
#define CTAP_LARGE_BLOBS_EMPTY_SIZE 17

/* Changes whenever a discoverable credential does, and never comes back. */
struct ctap_store_state {
        uint8_t b[16];
};

struct ctap_store {
        const struct ctap_store_ops *ops;
};

struct ctap_store_ops {
        /* 32 bytes that exist outside the device only in memory; they change with reset. */
        const struct secret32 *(*key)(struct ctap_store *s);
        /*
         * Adds a credential, in one durable transaction. A discoverable one takes the place of that
         * with the same account_tag. -ENOSPC: the limit is reached or the disk is full.
         */
        _must_check_ int (*insert)(struct ctap_store *s, const struct ctap_row *row);
        /* -ENOENT: no such credential. */
        _must_check_ int (*find)(struct ctap_store *s, const struct ctap_credential_id *id,
                                 struct ctap_row *ret);
        /*
         * The newest discoverable credential of an RP whose sequence is below `before` and whose
         * credProtect is at most `max_protect`. -ENOENT: there is none.
         */
        _must_check_ int (*newest)(struct ctap_store *s, const struct sha256 *rp_tag,
                                   uint8_t max_protect, uint64_t before, struct ctap_row *ret);
        /* Makes ready what use() will need, so that use() costs no more than one commit. */
        _must_check_ int (*prepare_use)(struct ctap_store *s);
        /*
         * Raises the signature counter of a credential and gives the new value once that is durable.
         * No value is ever given twice, whatever happens to the file. -ENOENT; -EOVERFLOW.
         */
        _must_check_ int (*use)(struct ctap_store *s, const struct ctap_credential_id *id,
                                uint32_t *ret_count);
        /* Keeps the CredRandom pair of a credential that had none. -ENOENT; -EEXIST: it has one. */
        _must_check_ int (*set_cred_random)(struct ctap_store *s,
                                            const struct ctap_credential_id *id,
                                            const struct ctap_secret_blob *cred_random,
                                            const struct ctap_secret_blob *cred_random_uv);
        /*
         * Of each RP with discoverable credentials one of them, in the order of their rp_tag: the
         * first one above `after` (NULL: of all). -ENOENT: there is none.
         */
        _must_check_ int (*next_rp)(struct ctap_store *s, const struct sha256 *after,
                                    struct ctap_row *ret);
        /* How many RPs next_rp() would give, and how many discoverable credentials they have. */
        _must_check_ int (*totals)(struct ctap_store *s, uint32_t *ret_rps,
                                   uint32_t *ret_credentials);
        /*
         * Puts the row's sealed record in the place of that which is kept. -ENOENT; -ENOSPC: the
         * disk is full.
         */
        _must_check_ int (*update)(struct ctap_store *s, const struct ctap_row *row);
        /* Durable when it returns. -ENOENT. */
        _must_check_ int (*remove)(struct ctap_store *s, const struct ctap_credential_id *id);
        /* In memory; borrowed. */
        const struct ctap_store_state *(*state)(struct ctap_store *s);
        /* In memory; borrowed until the next call that changes them. */
        const struct ctap_settings *(*settings)(struct ctap_store *s);
        /* Durable when it returns. */
        _must_check_ int (*set_settings)(struct ctap_store *s,
                                         const struct ctap_settings *settings);
        /* How long the large-blob array is: CTAP_LARGE_BLOBS_EMPTY_SIZE at least. */
        uint32_t (*large_blobs_size)(struct ctap_store *s);
        /* Appends `n` bytes of it from `offset` on, which are there. -EINVAL: they are not. */
        _must_check_ int (*large_blobs_read)(struct ctap_store *s, uint32_t offset, uint32_t n,
                                             struct buf *out);
        /*
         * Puts a whole array in its place, or, if anything fails, leaves the old one (LB9).
         * -ENOSPC: the disk is full.
         */
        _must_check_ int (*large_blobs_write)(struct ctap_store *s, struct bytes array);
        /* How many more discoverable credentials fit. Never asks the device. */
        uint32_t (*remaining)(struct ctap_store *s);
        /*
         * Erases everything, PIN and settings too, in the key device first, and begins anew. The store
         * key changes.
         */
        _must_check_ int (*reset)(struct ctap_store *s);
};

/* ---- presence --------------------------------------------------------------------------- */

enum ctap_ask {
        CTAP_ASK_CREATE, /* create a passkey for rp_id */
        CTAP_ASK_USE,    /* use a passkey of rp_id */
        CTAP_ASK_SELECT, /* use this key? Nothing is created and nobody signed in */
        CTAP_ASK_RESET,  /* erase everything */
        /* A program wants a token: for rp_id, either of the first two; else for all passkeys. */
        CTAP_ASK_VERIFY, /* create or use a passkey of rp_id */
        CTAP_ASK_MANAGE, /* see, change and delete passkeys; change how this key works */
        /* No question: no passkey of rp_id may be made or used here. It ends with the request. */
        CTAP_ASK_FORBIDDEN,
        _CTAP_ASKS,
};

struct ctap_prompt {
        enum ctap_ask ask;
        /*
         * Nobody has to answer: the question may belong to another key that is plugged in. It is
         * shown without getting in the way, and nothing answers it by itself at once.
         */
        bool passive;
        /* A yes takes the PIN, or a finger: wait_verified() is called. */
        bool verify;
        bool pin_only;        /* with verify: only the PIN will do */
        bool again;           /* with verify: the last PIN was wrong */
        uint8_t tries;        /* with verify: PINs that are left, this one included */
        uint8_t hold_s;       /* a yes takes so many seconds of holding on; 0: a short one */
        struct bytes rp_id;   /* UTF-8, as the client sent it; empty if the client named none */
        struct bytes account; /* UTF-8; empty if unknown */
        uint32_t n_accounts;  /* of rp_id; above 1 the first of them is `account` */
};

/* What a person said. Never an errno. */
enum ctap_answer {
        CTAP_ANSWER_PENDING, /* from poll() only */
        CTAP_ANSWER_YES,
        CTAP_ANSWER_NO,
        CTAP_ANSWER_TIMEOUT,
        CTAP_ANSWER_CANCELLED, /* by the client */
        CTAP_ANSWER_FINGER,    /* from wait_verified() only, never to pin_only: yes, by a finger */
};

/* A PIN that a person typed, as UTF-8. A secret. */
#define CTAP_PIN_BYTES_MAX 63 /* CTAP 2.3 §6.5.1 */

struct ctap_typed_pin {
        uint8_t len;
        uint8_t data[CTAP_PIN_BYTES_MAX];
};

static inline void ctap_typed_pin_wipe(struct ctap_typed_pin *p) {
        OPENSSL_cleanse(p, sizeof(*p));
}

/* What a way of asking is capable of, now. */
enum {
        CTAP_PRESENCE_DISPLAY = 1 << 0, /* a person reads the question: RS1 */
        CTAP_PRESENCE_VERIFY = 1 << 1,  /* a person can type the PIN: built-in verification */
        CTAP_PRESENCE_HOLD = 1 << 2,    /* a person can hold on: RS3 */
        CTAP_PRESENCE_FINGER = 1 << 3,  /* with VERIFY: a finger can be given in the PIN's place */
};

struct ctap_presence {
        const struct ctap_presence_ops *ops;
};

struct ctap_presence_ops {
        /* Shows the question. An error if it could not be shown. The prompt may be gone after. */
        _must_check_ int (*begin)(struct ctap_presence *p, const struct ctap_prompt *prompt);
        /* Blocks until there is an answer; never PENDING. Watches the client's CANCEL. */
        _must_check_ int (*wait)(struct ctap_presence *p, enum ctap_answer *ret);
        /*
         * The same for a prompt with `verify`. With YES comes what was typed, which nobody has
         * looked at; it may be longer or shorter than any PIN. FINGER was looked at, and comes alone.
         */
        _must_check_ int (*wait_verified)(struct ctap_presence *p, enum ctap_answer *ret,
                                          struct ctap_typed_pin *ret_pin);
        /* The answer so far; never blocks. */
        _must_check_ int (*poll)(struct ctap_presence *p, enum ctap_answer *ret);
        /* Takes the question away. Does nothing if there is none. */
        void (*end)(struct ctap_presence *p);
        /* CTAP_PRESENCE_*; never blocks. */
        unsigned (*abilities)(struct ctap_presence *p);
};

/* ---- attester ---------------------------------------------------------------------------- */

/*
 * A key with a certificate by which an organisation knows its machines: it attests to new credentials.
 * It is checked where it is made: MC19 holds. There are two kinds. One signs what it is given, in the
 * format "packed"; the organisation made it, and it may be the same in all machines. The other is of the
 * key device itself, signs nothing but what the device says of a key, and attests in the format "tpm".
 */
struct ctap_attester {
        const struct ctap_attester_ops *ops;
};

/*
 * Bytes of all certificates together. What is attested with them has to fit into the 2048 bytes that
 * libfido2 has for a reply (H39), and a certificate of this kind takes 500 to 700.
 */
#define CTAP_CERTIFICATES_MAX 1280

/* What the key device says of one of its keys (TPM 2.0 Part 2, 10.12), and who signed that. */
struct ctap_certification {
        uint16_t info_len, public_area_len;
        uint8_t info[192];               /* TPMS_ATTEST: "certInfo" */
        uint8_t public_area[320];        /* TPMT_PUBLIC: "pubArea" */
        struct ctap_signature signature; /* over the former, by ES256 */
};

struct ctap_attester_ops {
        /* In DER, leaf first, CTAP_CERTIFICATES_MAX together: the nth; empty behind the last. Borrowed. */
        struct bytes (*certificate)(struct ctap_attester *a, size_t nth);
        /* True if the RP is one that the organisation named. */
        bool (*serves)(struct ctap_attester *a, struct bytes rp_id);
        /* False: sites refuse what it attests, as once its certificates have expired. NULL: never. */
        bool (*is_good)(struct ctap_attester *a);
        /* ECDSA on P-256 over a SHA-256 digest (ES256). NULL: it is of the other kind. */
        _must_check_ int (*sign)(struct ctap_attester *a, struct bytes digest,
                                 struct ctap_signature *ret);
        /*
         * NULL: it is of the first kind. Makes a new key of the keys port ready to be certified, of
         * either class and without a ticket; it cannot sign. Free it with that port's unload.
         */
        _must_check_ int (*load)(struct ctap_attester *a, struct bytes blob,
                                 struct ctap_loaded_key **ret);
        /* `data` is part of what is certified; 64 bytes at most. */
        _must_check_ int (*certify)(struct ctap_attester *a, struct ctap_loaded_key *key,
                                    struct bytes data, struct ctap_certification *ret);
};

/* ---- clock and rng ---------------------------------------------------------------------- */

struct ctap_clock {
        const struct ctap_clock_ops *ops;
};

struct ctap_clock_ops {
        /* Milliseconds that never go back and go on during suspend (CLOCK_BOOTTIME). */
        uint64_t (*now_ms)(struct ctap_clock *c);
};

struct ctap_rng {
        const struct ctap_rng_ops *ops;
};

struct ctap_rng_ops {
        _must_check_ int (*fill)(struct ctap_rng *r, uint8_t *to, size_t n);
};

/* ---- witness ---------------------------------------------------------------------------- */

/* What somebody who looks after many of these wants to know and no answer tells. */
enum ctap_noted {
        CTAP_NOTED_CREATED,     /* credential, rp_id (U2F: none), uv */
        CTAP_NOTED_USED,        /* likewise */
        CTAP_NOTED_PIN_WRONG,   /* number: tries that are left */
        CTAP_NOTED_PIN_BLOCKED, /* it was the last */
        CTAP_NOTED_PIN_SET,
        CTAP_NOTED_PIN_CHANGED,
        CTAP_NOTED_SETTING, /* number: the subcommand of authenticatorConfig that changed it */
        /* What was asked for the options forbid: command, status, and rp_id if it is about one. */
        CTAP_NOTED_POLICY,
};

struct ctap_notice {
        enum ctap_noted what;
        struct bytes rp_id;
        const struct ctap_credential_id *credential;
        bool uv;
        uint8_t number;
        uint8_t command; /* the authenticator's; that of makeCredential for a registration by U2F */
        enum ctap_status status; /* what the client is answered; CTAP_OK: U2F has no such */
};

struct ctap_witness {
        const struct ctap_witness_ops *ops;
};

struct ctap_witness_ops {
        /* After it is durable. What the notice borrows may be gone after the call. */
        void (*note)(struct ctap_witness *w, const struct ctap_notice *notice);
};

struct ctap_env {
        struct ctap_keys *keys;
        struct ctap_store *store;
        struct ctap_presence *presence;
        struct ctap_clock *clock;
        struct ctap_rng *rng;
        struct ctap_attester *attester; /* NULL: there is none */
        struct ctap_witness *witness;   /* NULL: there is none */
};

/* Tells the witness, if there is one. */
static inline void ctap_note(const struct ctap_env *env, const struct ctap_notice *notice) {
        if (env->witness)
                env->witness->ops->note(env->witness, notice);
}
