/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One authenticator as the specification describes it: what it remembers and what it answers, with
 * the numbers of the rules (tests/rules.txt). It is small because nothing in it is secret, fails or
 * takes time, and it shares no code with ctap/, only the names of statuses, answers and questions.
 *
 * Each model_*() takes a request in the terms of the specification, does to the model what the
 * request does to the authenticator, and returns the status byte of the reply; behind `ret` is what
 * else is in it. What is random (ids, keys, tokens) is told to the model afterwards.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ctap/env.h"
#include "ctap/status.h"

enum {
        MODEL_CHANNELS = 2,
        MODEL_SITES = 4,
        MODEL_ACCOUNTS = 6,
        MODEL_PASSKEYS = 32, /* there is room for */
        MODEL_LIST = 6,      /* descriptors in a request */
        MODEL_SALTS = 3,
        MODEL_BLOBS = 2048,            /* the largest array of large blobs */
        MODEL_NOBODY = MODEL_ACCOUNTS, /* the account of a U2F registration */
        MODEL_NO_SITE = -1,
};

/* ---- what is told apart ---- */

struct model_account {
        const char *id;                  /* up to 64 bytes without NUL */
        const char *name, *display_name; /* NULL: there is none */
};

/* The last one is what clients ask for to find out which key is meant (H5). */
extern const char *const model_sites[MODEL_SITES];
extern const struct model_account model_accounts[MODEL_ACCOUNTS];

/* An option, or another member that is a boolean. */
enum maybe { LEFT_OUT, FALSE, TRUE };

struct model_id {
        uint8_t b[48];
};

/* ---- state ---- */

struct passkey {
        struct model_id id;
        unsigned site;
        unsigned account; /* whose user id it has */
        bool has_name, has_display_name;
        char name[64], display_name[64];
        uint64_t number; /* ascending with creation */
        bool discoverable;
        bool behind_pin; /* signs, with presence, only for a verified person */
        uint8_t protect; /* 1..3 */
        int alg;
        size_t field; /* of a coordinate; 0: it is an RSA key */
        uint8_t x[48], y[48], modulus[256];
        bool may_have_risen;              /* the count, without being shown */
        uint32_t count;                   /* last shown */
        uint8_t hmac[2][MODEL_SALTS][32]; /* without and with verification */
        bool knows_hmac[2][MODEL_SALTS];
        size_t blob_len; /* credBlob */
        uint8_t blob[32];
        bool has_large_blob_key, payment;
        uint8_t large_blob_key[32];
};

struct model_pin {
        const char *text;  /* NULL: none is set */
        unsigned tries;    /* that are left */
        unsigned wrong;    /* in a row since power-up */
        unsigned uv_tries; /* of built-in verification */
};

/* A pinUvAuthToken. */
struct model_token {
        unsigned protocol; /* 0: there is none */
        uint8_t value[32];
        unsigned permissions;
        int site; /* MODEL_NO_SITE: not yet bound to one */
        bool used;
        bool present; /* whoever got it was asked here, for this site */
        uint64_t issued_ms;
        unsigned restarts; /* of the key device, when it was issued */
        bool by_finger;    /* of which that device knows nothing */
};

/* The platform's half of a key agreement is good while the authenticator's is the same. */
struct model_agreement {
        unsigned protocol; /* 0: there is none */
        uint64_t serial;
};

/* Salts of hmac-secret. */
struct model_salts {
        bool there;
        struct model_agreement by;
        unsigned n, salt[2];
        bool bad_mac, bad_length;
};

/* What a request wants to hear of the passkey that it uses. */
struct model_wants {
        struct model_salts salts;
        enum maybe blob, large_blob_key, payment;
};

enum walk_kind { WALK_NONE, WALK_ASSERTIONS, WALK_SITES, WALK_PASSKEYS, WALK_BLOBS };

struct model_walk {
        enum walk_kind kind;
        unsigned channel;
        uint64_t ends_ms;
        uint64_t token_ends_ms; /* UINT64_MAX: it needs none */
        bool by_token;          /* that a restart of the key device ends */
        unsigned restarts;
        unsigned remaining;
        unsigned site;
        unsigned sites; /* bits: those that were listed */
        uint64_t below; /* numbers of passkeys */
        bool up, uv;
        struct model_wants wants;
};

/* Something said of one U2F request, until a time. */
struct model_mark {
        uint64_t until_ms; /* 0: nothing */
        uint64_t request;
};

struct model_u2f {
        struct model_mark asking, granted, denied;
        unsigned channel;
};

/* What the person was asked since the model was told of a new request, the last question. */
struct model_question {
        unsigned n;
        enum ctap_ask ask;
        bool passive;
        bool verify, again; /* for the PIN */
        bool pin_only;      /* and no finger */
        unsigned tries;
        unsigned hold_s;
        int site; /* MODEL_NO_SITE: none is named */
        char account[512];
        unsigned n_accounts;
};

struct model {
        /* The world, as it is told. */
        uint64_t now_ms;
        uint64_t thinking_ms; /* how long the person takes */
        enum ctap_answer answer;
        const char *typed;   /* with a yes, where the PIN is asked for */
        unsigned n_mistyped; /* but so often something else before it */
        bool display;
        bool verifies;       /* there is a way to ask for the PIN */
        bool fingers;        /* or for a finger in its place */
        bool gives_finger;   /* that the person gives, where it may be */
        bool holds;          /* and one to have a button held */
        unsigned restarts;   /* of the key device */
        bool same_clock;     /* the key device goes by it too */
        unsigned algorithms; /* bits of enum ctap_key_type that it offers */

        /* What lasts. */
        struct passkey passkeys[MODEL_PASSKEYS];
        unsigned n_passkeys; /* in the order of their creation */
        uint64_t n_made;
        uint64_t n_changes; /* of what is discoverable */
        uint64_t n_resets;
        struct model_pin pin;
        unsigned least_pin; /* code points */
        bool must_change_pin;
        bool complexity, always_uv, enterprise, long_touch;
        uint8_t blobs[MODEL_BLOBS];
        size_t n_blobs;
        unsigned least_pin_sites; /* bits: those who may be told */
        bool knows_persistent;    /* the persistent token, which somebody was given */
        uint8_t persistent[32];

        /* What does not. */
        uint64_t powered_ms;
        struct model_token token;
        uint64_t agreements[3]; /* by protocol; each one has another number */
        uint64_t n_agreements;
        struct model_walk walk;
        uint8_t coming[MODEL_BLOBS]; /* of the array that is being written */
        size_t n_coming, announced;
        struct model_u2f u2f;
        struct model_question question;
};

void model_init(struct model *m, uint64_t now_ms);
bool model_always_uv(const struct model *m);
/* The name that the person sees. */
const char *model_account_shown(const struct passkey *p);
void model_set_names(struct passkey *p, const char *name, const char *display_name);
void model_end_persistent(struct model *m);
/* What was said to U2F is of no effect any more. */
void model_forget_answers(struct model *m);
unsigned model_pin_length(const char *pin); /* code points */
bool model_pin_is_complex(const char *pin);
void model_empty_blobs(struct model *m);

/* ---- the world ---- */

void model_power_up(struct model *m);
void model_sleep(struct model *m);
/* Another process on the same store and key device. */
void model_start(struct model *m);
/* The last one ended out of order. */
void model_crash(struct model *m);
/* Time passed; a question of U2F may have ended. */
void model_expire(struct model *m);
void model_delete(struct model *m, const struct passkey *p);
struct passkey *model_find(struct model *m, const struct model_id *id);

/* ---- shared by commands ---- */

/* Asks the person; what U2F asked is taken away first. */
enum ctap_answer model_ask(struct model *m, enum ctap_ask ask, bool passive, int site,
                           const char *account, unsigned n_accounts);
/* Whoever has a PIN and can be asked for it (GI5). */
bool model_uv_is_configured(const struct model *m);
unsigned model_uv_tries(const struct model *m);
/* Asks for the PIN, here, or for a finger. */
uint8_t model_verify_person(struct model *m, enum ctap_ask ask, bool pin_only, int site,
                            const char *account, unsigned n_accounts, bool *ret_finger);
/* NULL: what is no PIN. `protocol`: of the agreement that a wrong one ends (CP6); 0: of none. */
uint8_t model_try_pin(struct model *m, unsigned protocol, const char *pin);
/* The status of an answer that was not yes; CTAP_OK for yes. */
uint8_t model_status(enum ctap_answer answer, uint8_t on_timeout);
void model_note_question(struct model *m, enum ctap_ask ask, bool passive, int site,
                         const char *account, unsigned n_accounts);
void model_withdraw(struct model *m);
void model_end_token(struct model *m);
uint64_t model_token_ends_ms(const struct model *m);
void model_end_agreement(struct model *m, unsigned protocol);

/* ---- authorization ---- */

/* A token as a client got it. */
struct model_copy {
        unsigned protocol;
        uint8_t value[32];
};

/* pinUvAuthParam and pinUvAuthProtocol. */
struct model_proof {
        enum { PROOF_NONE, PROOF_EMPTY, PROOF_GIVEN } kind;
        int protocol; /* as the request says; 0: left out */
        struct model_copy by;
        bool spoiled; /* it is over another message */
};

enum model_permission {
        PERMISSION_MC = 0x01,
        PERMISSION_GA = 0x02,
        PERMISSION_CM = 0x04,
        PERMISSION_BE = 0x08,
        PERMISSION_LBW = 0x10,
        PERMISSION_ACFG = 0x20,
        PERMISSION_PCMR = 0x40,
};

/* Whether the proof is one by the present token. That counts as its use. */
uint8_t model_prove(struct model *m, const struct model_proof *p);
/* Whether the token allows it for the site, which it is bound to then. */
uint8_t model_permit(struct model *m, unsigned permission, unsigned site);
/* MC1, MC2: the shape of a proof. */
uint8_t model_proof_shape(struct model *m, const struct model_proof *p, int site);
void model_begin_walk(struct model *m, enum walk_kind kind, unsigned channel, bool by_token,
                      uint64_t token_ends_ms);
/* False: it is over, or another client's. */
bool model_walk_goes_on(struct model *m, int kind, unsigned channel);
void model_walk_stepped(struct model *m);
/* The newest discoverable passkey of a site below a number, up to a level of credProtect. */
struct passkey *model_newest(struct model *m, unsigned site, unsigned protect, uint64_t below);
unsigned model_count(struct model *m, unsigned site, unsigned protect);

/* ---- makeCredential, getAssertion, getNextAssertion ---- */

struct model_list {
        bool there;
        unsigned n;
        struct model_id ids[MODEL_LIST];
        bool other_type[MODEL_LIST]; /* than "public-key" */
};

enum model_format { FORMAT_LEFT_OUT, FORMAT_NONE, FORMAT_UNKNOWN, FORMAT_PACKED_FIRST, _FORMATS };

struct model_creation {
        unsigned channel, site, account;
        int algs[3];
        unsigned n_algs;
        struct model_list exclude;
        enum maybe rk, up, uv;
        struct model_proof proof;
        int enterprise; /* 0: left out */
        enum model_format format;
        int protect; /* -1: left out */
        enum maybe hmac_secret;
        struct model_salts salts; /* hmac-secret-mc */
        int blob_len;             /* credBlob; -1: left out */
        enum maybe large_blob_key, least_pin, complexity, payment;
};

struct model_created {
        int alg;
        bool uv, packed, enterprise, kept;
        /* Extension outputs. */
        int protect; /* -1: none */
        bool hmac_secret;
        struct model_salts salts;
        enum maybe keeps_blob;
        unsigned least_pin;     /* 0: none */
        enum maybe complexity;  /* likewise */
        bool large_blob_key;    /* a member of the reply */
        struct passkey passkey; /* as it will be kept, but for what is random */
};

struct model_use {
        unsigned channel, site;
        struct model_list allow;
        enum maybe rk, up, uv;
        struct model_proof proof;
        struct model_wants wants;
};

struct model_used {
        struct passkey *passkey;
        bool up, uv;
        bool pin;   /* which a finger, that uv is as well, is not */
        unsigned n; /* numberOfCredentials; 0: left out */
        bool names; /* of the user, not just the id */
        struct model_wants wants;
};

uint8_t model_make_credential(struct model *m, const struct model_creation *rq,
                              struct model_created *ret);
/* What is kept with the passkey (D6, D7) stands behind the PIN where its key does. */
bool model_is_open(const struct passkey *p, bool pin);
/* After it: the passkey with its random parts. */
void model_keep(struct model *m, const struct passkey *p);
uint8_t model_get_assertion(struct model *m, const struct model_use *rq, struct model_used *ret);
uint8_t model_get_next_assertion(struct model *m, unsigned channel, struct model_used *ret);

/* ---- clientPIN ---- */

enum model_pin_member {
        HAS_PROTOCOL = 1 << 0,
        HAS_KEY = 1 << 1,
        HAS_PARAM = 1 << 2,
        HAS_NEW_PIN = 1 << 3,
        HAS_PIN_HASH = 1 << 4,
        HAS_PERMISSIONS = 1 << 5,
        HAS_SITE = 1 << 6,
};

enum model_padding { PADDING_GOOD, PADDING_NO_END, PADDING_SHORT, PADDING_LONG, _PADDINGS };

struct model_pin_request {
        unsigned subcommand;
        unsigned members; /* enum model_pin_member */
        int protocol;
        struct model_agreement by;
        bool bad_key, bad_mac, bad_cipher;
        const char *new_pin;
        enum model_padding padding;
        const char *old_pin;
        unsigned permissions;
        unsigned site;
};

struct model_pin_reply {
        unsigned tries;
        bool power_cycle;
        bool persistent; /* the token that was given */
        bool unreadable; /* it was encrypted under a secret that the platform has not */
};

uint8_t model_client_pin(struct model *m, const struct model_pin_request *rq,
                         struct model_pin_reply *ret);
/* After a token was issued. False: the persistent one is another than before. */
void model_token_is(struct model *m, const uint8_t value[32]);
bool model_persistent_is(struct model *m, const uint8_t value[32]);
/* What the owner's tool does with the PIN. */
uint8_t model_owner_sets_pin(struct model *m, const char *pin);
uint8_t model_owner_changes_pin(struct model *m, const char *old, const char *pin);

/* ---- credentialManagement ---- */

enum model_manage_param { HAS_SITE_HASH = 1 << 0, HAS_ID = 1 << 1, HAS_USER = 1 << 2 };

struct model_management {
        unsigned channel, subcommand;
        unsigned params; /* enum model_manage_param */
        struct model_proof proof;
        unsigned site; /* MODEL_SITES: one that nobody has heard of */
        struct model_id id;
        unsigned account;                /* its user id, and these names */
        const char *name, *display_name; /* NULL: left out */
};

struct model_managed {
        unsigned n, remaining; /* passkeys; or n of what is listed, 0: left out */
        unsigned sites;        /* bits: one of these comes next */
        struct passkey *passkey;
};

uint8_t model_manage(struct model *m, const struct model_management *rq, struct model_managed *ret);
/* After a site was listed. */
void model_listed(struct model *m, unsigned site);

/* ---- authenticatorConfig, authenticatorLargeBlobs ---- */

struct model_config {
        unsigned subcommand;
        bool has_params;
        struct model_proof proof;
        int least; /* -1: left out */
        bool has_sites, too_many_sites;
        unsigned sites; /* bits */
        enum maybe force, complexity;
};

struct model_blobs {
        unsigned channel;
        int get, offset, length; /* -1: left out */
        bool has_set;
        struct bytes fragment;
        struct model_proof proof;
};

uint8_t model_configure(struct model *m, const struct model_config *rq);
uint8_t model_large_blobs(struct model *m, const struct model_blobs *rq, struct bytes *ret);

/* ---- the rest of CTAP2 ---- */

uint8_t model_reset(struct model *m);
uint8_t model_selection(struct model *m);

/* ---- U2F ---- */

enum { U2F_REGISTER = 1, U2F_AUTHENTICATE = 2, U2F_VERSION = 3 };

struct model_u2f_request {
        unsigned channel;
        uint8_t ins, p1;
        unsigned site;
        uint8_t challenge; /* all 32 bytes of it */
        struct model_id handle;
        size_t handle_len;
};

struct model_u2f_reply {
        struct passkey *passkey; /* that signed */
        bool up;
        bool kept; /* a registration that is kept */
};

/* Returns the status word. */
uint16_t model_u2f(struct model *m, const struct model_u2f_request *rq,
                   struct model_u2f_reply *ret);
