/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The control socket, as the daemon and its clients both see it: a SOCK_STREAM socket in the runtime
 * directory that carries one JSON object per line.
 *
 *   {"v":1,"id":7,"method":"show","params":{"device":0,"credential":"3f2a"}}
 *   {"v":1,"id":7,"result":{...}}
 *   {"v":1,"id":7,"error":{"code":"not-found","message":"..."}}
 *
 * Requests are answered in order, one at a time. One that waits for the device to be free is dropped
 * when its client closes the connection. `id` is any integer and comes back; it is null if
 * the request could not be read. Unknown members of a request are an error, of a reply they are not.
 * PINs and passwords travel in it as they are: the socket is between two processes of one machine.
 * A connection that follows a simulator is answered by lines {"v":1,"event":{...}} from then on.
 *
 * Everybody may connect who has a device, and reaches that one alone; root and the daemon's account
 * reach all. Who may not is told so in a line with the id null, and the connection ends.
 */

#define PROTOCOL_VERSION     1
#define PROTOCOL_SOCKET      "control.sock"
#define PROTOCOL_LINE_MAX    65536  /* bytes with the newline; a longer line ends the connection */
#define PROTOCOL_CLIENTS_MAX 8      /* of one user at a time */
#define PROTOCOL_BACKLOG_MAX 262144 /* bytes of events that wait for who follows; more ends it */
#define PROTOCOL_PREFIX_MIN  4      /* hex digits that may stand for a credential id */

/*
 * Methods, and the members of params beside "device" (the index among those of one user, default 0) and
 * "user" (a uid: whose; by default the caller's own, and for who reaches all the only one there is).
 * register, and pin-set for an enrolment, are for administrators: root, the daemon's account, and who
 * polkit says is one. Their user need not be logged in; to root, nor need that of list, show,
 * credentials, inventory, events, pin-status, delete and reset, once there is a store.
 */
#define PROTOCOL_STATUS "status" /* every device, or that user's; takes no "device" */
#define PROTOCOL_LIST   "list"   /* "after": sequence of the last entry that was seen */
#define PROTOCOL_SHOW   "show"   /* "credential": id in hex, or a prefix of one */
#define PROTOCOL_DELETE "delete" /* "credential" */
/*
 * The same as list in the terms of WebAuthn: "id", "type", "rp_id", "user", "publicKey" (as getPublicKey()
 * gives it), "publicKeyCose", "publicKeyAlgorithm", "counter", "transports", "discoverable". Bytes are
 * base64url.
 */
#define PROTOCOL_CREDENTIALS "credentials" /* "after", as of list */
/*
 * Makes passkeys of a fixture (seed.h) in a simulator, without asking anybody: "credentials", an array
 * of at most PROTOCOL_SEED_MAX. All of them are made or none. The result has of each, in their order, what
 * "credentials" has but for "rp_id", "user" and "discoverable".
 */
#define PROTOCOL_SEED     "seed"
#define PROTOCOL_SEED_MAX 64
/*
 * Makes a passkey for its user, by an administrator, whose act is the presence that it takes. "options":
 * a site's PublicKeyCredentialCreationOptionsJSON (WebAuthn Level 3), or an object with that as its
 * member "publicKey"; "origin": by default https:// and the RP ID; "secret": the PIN that pin-set set for
 * an enrolment, which verifies until the user has changed it. The result is a RegistrationResponseJSON.
 */
#define PROTOCOL_REGISTER  "register"
#define PROTOCOL_INVENTORY "inventory" /* "after", as of list; no names in it */
#define PROTOCOL_EVENTS \
        "events" /* the newest first; "before": sequence of the last that was seen */
/*
 * A backup in pages of hex. "offset": bytes that were read; "copy": of the page before, from the second
 * on. The result has "copy", "size" and "data".
 */
#define PROTOCOL_BACKUP "backup"
/* "offset": bytes that were sent; "size" of all; "data". The last page's result says what came back. */
#define PROTOCOL_RESTORE    "restore"
#define PROTOCOL_PAGE_BYTES 24576 /* the most in one page */
/*
 * Erases every passkey; the caller has confirmed it. Answers of presence that wait, its delay, uv and
 * fail-next are forgotten too, its mode and the PIN that it was told are not.
 */
#define PROTOCOL_RESET "reset"
/* Removes the device, opens the TPM anew, plugs it in again; not before a second after the last time. */
#define PROTOCOL_REPLUG   "replug"
#define PROTOCOL_PRESENCE "presence"    /* "mode": a word of presence below; "pin" for some */
#define PROTOCOL_DOCTOR   "doctor-info" /* the TPM and the store, asked now */
#define PROTOCOL_TPM      "tpm"         /* what is provisioned where, and what it costs to use */
/*
 * What happens at simulators, as events, until the connection is closed: anything more that is sent on
 * it ends it, and so does who does not read. Without "device": of all devices of that user. "frames":
 * whether events of that type are among them; "secrets": with these, whether the secrets in them are.
 */
#define PROTOCOL_FOLLOW "follow"

/*
 * Words of presence. From now on: auto (yes), deny, ask (as configured). To the question that waits,
 * or else to the next one: once (yes), no. For a simulator, which has no person to type it: pin, from
 * now on a yes is given with this PIN; pin-once, yes with this one to the next question that takes a
 * PIN; no-pin, the former is forgotten. "pin" goes with those two, and has 1 to 63 bytes. For a
 * simulator also: ignore, the question that waits, or else the next one, gets no answer; delay, from
 * now on auto and once say yes to no question before it was up for "ms".
 */
#define PROTOCOL_DELAY_MAX_MS 600000

/*
 * Types of events. Each has "type", "device" and "time", in milliseconds since the epoch.
 *   question  "verb" (AGENT_VERB_* of agent-protocol.h), "passive", "verify", with that "tries" and
 *             "again"; "rp_id" and "account" as far as they are known
 *   verdict   "verdict": yes, no, timeout or cancelled
 *   done      "command", "status", "status_name", and "rp_id" where the request names one; "injected"
 *             is true if it came of fail-next
 *   plugged   "path"
 *   unplugged
 *   frame     a CTAPHID message; "direction": in, from a client, or out; "cid": the channel; "command",
 *             without its bit 7; "payload" in hex. "time" is a text, in nanoseconds. What the PIN/UV auth
 *             protocols encrypt and authenticate, the inputs and outputs of hmac-secret, large-blob keys
 *             and credBlob are zeros, and so is what nobody understands; unless they were asked for
 */
#define PROTOCOL_EVENT_QUESTION  "question"
#define PROTOCOL_EVENT_VERDICT   "verdict"
#define PROTOCOL_EVENT_DONE      "done"
#define PROTOCOL_EVENT_PLUGGED   "plugged"
#define PROTOCOL_EVENT_UNPLUGGED "unplugged"
#define PROTOCOL_EVENT_FRAME     "frame"

/*
 * What built-in verification by a simulator comes to from now on, by the PIN that it was given: "result"
 * is ok; fail, the next verifications are given a wrong PIN, and then refused; or blocked, they are
 * given wrong ones for as long as there are tries, and have been now. Answered as pin-status.
 */
#define PROTOCOL_UV "uv"
/*
 * The next CTAP2 command of a client of a simulator, or the next of that name, is answered by this
 * status and not carried out; getInfo is never meant. "status": 1 to 255, or 0: none any more;
 * "command": such as makeCredential.
 */
#define PROTOCOL_FAIL_NEXT "fail-next"

#define PROTOCOL_PIN_STATUS "pin-status"
/* "pin"; "enrolment": it is an administrator's one-time secret, which has to be changed before use. */
#define PROTOCOL_PIN_SET    "pin-set"
#define PROTOCOL_PIN_CHANGE "pin-change" /* "old", "pin" */

/*
 * Makes the keys of a device that failed because the TPM's owner hierarchy has a password; answered
 * when the device is ready or has failed again. "owner_auth": that password, which reset takes too.
 */
#define PROTOCOL_PROVISION "provision"

/*
 * The enrolment of the machine, for the administrator alone; these take neither "device" nor "user".
 *   attestation-request   "machine": a name to go into it; "renew": true for one of a key that is there;
 *                         "owner_auth". The result's "bundle" is for a certificate authority
 *   attestation-activate  "answer": of smallstep's protocol, its first; the result's "secret" is the proof
 *   attestation-install   "answer": of the authority. Answered as attestation-show
 *   attestation-show      "state": none, key, installed, expired or unusable; with these "key", "chain";
 *                         "request" if one is open; "ek": the endorsement key of the last one
 *   attestation-remove    "owner_auth". The key and all that goes with it; "removed": there was one
 */
#define PROTOCOL_ATTESTATION_REQUEST  "attestation-request"
#define PROTOCOL_ATTESTATION_ACTIVATE "attestation-activate"
#define PROTOCOL_ATTESTATION_INSTALL  "attestation-install"
#define PROTOCOL_ATTESTATION_SHOW     "attestation-show"
#define PROTOCOL_ATTESTATION_REMOVE   "attestation-remove"

/* Error codes. */
#define PROTOCOL_E_BAD_JSON       "bad-json"
#define PROTOCOL_E_BAD_REQUEST    "bad-request"
#define PROTOCOL_E_BAD_VERSION    "bad-version"
#define PROTOCOL_E_UNKNOWN_METHOD "unknown-method"
#define PROTOCOL_E_TOO_LONG       "too-long"
#define PROTOCOL_E_BUSY           "busy"
#define PROTOCOL_E_NOT_ALLOWED    "not-allowed"
#define PROTOCOL_E_NO_DEVICE      "no-device"
#define PROTOCOL_E_NOT_READY      "not-ready"
#define PROTOCOL_E_NOT_FOUND      "not-found"
#define PROTOCOL_E_AMBIGUOUS      "ambiguous"
#define PROTOCOL_E_NOT_SIMULATOR  "not-simulator"
#define PROTOCOL_E_OWNER_AUTH     "owner-auth" /* it takes the owner's password, or another one */
#define PROTOCOL_E_PIN            "pin-refused"
#define PROTOCOL_E_FOREIGN        "foreign" /* a backup or an answer that is not of this machine */
#define PROTOCOL_E_FULL           "full"    /* there is no room for so many passkeys */
#define PROTOCOL_E_ANSWER         "answer-refused" /* of a certificate authority; the message says why */
#define PROTOCOL_E_EXCLUDED       "excluded"       /* a passkey that the site excludes is there */
#define PROTOCOL_E_FAILED         "failed"
