/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The agent socket, as the daemon and tpmauthn-agent both see it: a SOCK_SEQPACKET socket in the
 * runtime directory. A packet is one JSON object with a "type". The daemon decides; an agent shows
 * what it is told and says what the person did.
 *
 *   agent  {"type":"hello","v":1,"ui":"gtk4","pin":true,"hold":true}
 *   daemon {"type":"welcome","v":1,"device":"TPM Passkey","phys":"tpmauthn/1000","machine":"lab"}
 *   daemon {"type":"ask","id":7,"phys":"tpmauthn/1000","verb":"use","rp_id":"example.org",
 *           "account":"alice","accounts":1,"passive":false,"verify":true,"again":false,"tries":8,
 *           "hold":0,"finger":true,"timeout":30000}
 *   agent  {"type":"shown","id":7}
 *   daemon {"type":"finger","id":7,"state":"retry"}
 *   agent  {"type":"answer","id":7,"answer":"yes","pin":"..."}
 *   daemon {"type":"withdraw","id":7,"why":"cancelled"}
 *
 * A user may have several devices. "phys" of an "ask" is that of the device that asks; where it is
 * missing, that of "welcome" is meant.
 *
 * The daemon sends nothing before hello, which comes within AGENT_HELLO_MS. One question is up at a
 * time: an "ask" takes the place of the one before. An answer to any other than the one that is up
 * is ignored, and so are types and members that are not known; a packet that cannot be read or
 * breaks a rule of this file ends the connection. "shown" comes before "answer", within
 * AGENT_SHOWN_MS of the question. A question that has an answer is taken away by the agent itself;
 * "withdraw" takes away one that has none. Texts of sites and clients are sent as they came (NUL is
 * U+FFFD, and what is too long is cut: of an account the end, of an RP ID the beginning): who shows
 * them makes them harmless. A PIN travels as it was typed: the socket is between two processes of one
 * machine.
 *
 * Of several agents of one user the one that connected last is asked; when it goes, the one before.
 * The daemon ends a connection whose user has no device here, so that an agent that lost it, or got
 * none, tries again every few seconds. An agent that does not take what is sent is dropped.
 */

#define AGENT_PROTOCOL_VERSION 1
#define AGENT_SOCKET           "agent.sock"
#define AGENT_PACKET_MAX       8192 /* bytes */
#define AGENT_HELLO_MS         3000
#define AGENT_SHOWN_MS         8000 /* an agent that takes longer hangs; a first window may be slow */
#define AGENT_RP_ID_MAX        512 /* bytes */
#define AGENT_ACCOUNT_MAX      256 /* bytes */
#define AGENT_PIN_MIN          4   /* characters: nobody means to spend a try on less */
#define AGENT_PIN_MAX          63  /* bytes */

/* Types. */
#define AGENT_HELLO    "hello"    /* "v"; "ui": gtk4, pinentry or tty; "pin", "hold": it has them */
#define AGENT_WELCOME  "welcome"  /* "v"; "device"; "phys": of the first; "machine": its name */
#define AGENT_ASK      "ask"      /* see above; "timeout" in milliseconds, "hold" in seconds */
#define AGENT_SHOWN    "shown"    /* "id": a person can see it now */
#define AGENT_ANSWER   "answer"   /* "id"; "answer": yes or no; with yes to "verify" the "pin" */
#define AGENT_WITHDRAW "withdraw" /* "id"; "why": one of those below */
#define AGENT_FINGER   "finger"   /* "id"; "state": a word of fingers below */

/* Why a question goes. */
#define AGENT_WHY_FINGER    "finger" /* a finger matched */
#define AGENT_WHY_CANCELLED "cancelled"
#define AGENT_WHY_TIMEOUT   "timeout"
#define AGENT_WHY_LOCKED    "locked" /* the session was locked, or another one is in front */

/* Verbs: enum ctap_ask in the same order. */
#define AGENT_VERB_CREATE    "create"
#define AGENT_VERB_USE       "use"
#define AGENT_VERB_SELECT    "select"
#define AGENT_VERB_RESET     "reset"
#define AGENT_VERB_VERIFY    "verify"
#define AGENT_VERB_MANAGE    "manage"
#define AGENT_VERB_FORBIDDEN "forbidden" /* no question: the policy has no passkeys of "rp_id" */

/* States of fingers. */
#define AGENT_FINGER_WAITING  "waiting"  /* put it on */
#define AGENT_FINGER_NO_MATCH "no-match" /* another try */
#define AGENT_FINGER_RETRY    "retry"    /* hold still, in the middle, longer */
#define AGENT_FINGER_MATCH    "match"    /* "withdraw" follows */
#define AGENT_FINGER_GONE     "gone"     /* no reader any more: the PIN is the way out */
