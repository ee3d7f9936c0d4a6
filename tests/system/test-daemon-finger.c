/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A finger from end to end: the real tpmauthnd with its TPM, a client that knows no PIN (libfido2), an agent,
 * which is a thread of this test, and fprintd and logind, which python3-dbusmock plays on a private bus.
 */

#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "authenticator/agent-protocol.h"
#include "tests/system/bus-kit.h"
#include "tests/system/fido-kit.h"
#include "tests/unit/test.h"

#define PIN     "2468"
#define WRONG   "8642"
#define WAIT_MS 20000
#define ASKS    16

#define LOGIND  "org.freedesktop.login1"
#define FPRINTD "net.reactivated.Fprint"
#define MANAGER "/net/reactivated/Fprint/Manager"
#define MOCK    "org.freedesktop.DBus.Mock"

static const unsigned char challenge[32] = "a challenge of thirty-two bytes";

/* A question as the agent saw it. */
struct asked {
        char verb[16];
        bool verify, finger, again;
        char states[128]; /* of fingers, with a blank behind each */
        char ended[16];   /* why it was taken away, or "yes" or "no" */
};

struct world;

/* What the person does when the finger is in this state: "" when the question is shown. */
typedef void person_fn(struct world *w, const struct asked *q, const char *state);

struct world {
        struct daemon_kit kit;
        struct bus_kit private;
        pid_t logind, fprintd;
        sd_bus *bus;       /* the test's */
        sd_bus *agent_bus; /* the agent's, which is another thread */

        pthread_t agent;
        int agent_fd;
        person_fn *person;
        json_int_t id; /* of the question that is up; 0: none */
        struct asked asked[ASKS];
        atomic_uint n_asked;
        unsigned n_tries; /* for the person to count with */
};

/* ---- the services ---- */

static void nap(void) {
        const struct timespec step = { .tv_nsec = 20000000 };

        nanosleep(&step, NULL);
}

#define await(condition)                                   \
        do {                                               \
                uint64_t until_ms = kit_now() + WAIT_MS;   \
                while (!(condition)) {                     \
                        assert_true(kit_now() < until_ms); \
                        nap();                             \
                }                                          \
        } while (0)

static void start_fprintd(struct world *w) {
        w->fprintd = bus_kit_mock(&w->private, MOCK_FPRINTD, FPRINTD);
}

/* Logged in is who runs this test. */
static void start_logind(struct world *w) {
        const struct passwd *user = getpwuid(getuid());

        assert_non_null(user);
        w->logind = bus_kit_mock(&w->private, "logind", LOGIND);
        assert_true(sd_bus_call_method(w->bus, LOGIND, "/org/freedesktop/login1", MOCK,
                                       "AddSession", NULL, NULL, "ssusb", "1", "seat0",
                                       (uint32_t)user->pw_uid, user->pw_name, 1) >= 0);
}

static void finger(sd_bus *bus, const char *result, bool done) {
        assert_true(sd_bus_call_method(bus, FPRINTD, MANAGER, MOCK, "Finger", NULL, NULL, "sb",
                                       result, (int)done) >= 0);
}

static void set_failure(struct world *w, const char *method, const char *error) {
        assert_true(sd_bus_call_method(w->bus, FPRINTD, MANAGER, MOCK, "Fail", NULL, NULL, "ss",
                                       method, error) >= 0);
}

static bool reader_is_free(struct world *w) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *state;

        assert_true(sd_bus_call_method(w->bus, FPRINTD, MANAGER, MOCK, "Reader", NULL, &reply,
                                       NULL) >= 0);
        assert_true(sd_bus_message_read(reply, "s", &state) >= 0);
        return strcmp(state, "free") == 0;
}

/* ---- the agent ---- */

static void say(struct world *w, json_t *packet) {
        char *text = json_dumps(packet, JSON_COMPACT);

        json_decref(packet);
        assert_non_null(text);
        assert_true(send(w->agent_fd, text, strlen(text), MSG_NOSIGNAL) > 0);
        free(text);
}

static struct asked *question(struct world *w) {
        return &w->asked[(w->n_asked - 1) % ASKS];
}

static void answer(struct world *w, const char *answer, const char *pin) {
        json_t *packet =
                json_pack("{s:s,s:I,s:s}", "type", AGENT_ANSWER, "id", w->id, "answer", answer);

        if (pin)
                json_object_set_new(packet, "pin", json_string(pin));
        snprintf(question(w)->ended, sizeof(question(w)->ended), "%s", answer);
        w->id = 0;
        say(w, packet);
}

static void take_question(struct world *w, const json_t *packet) {
        struct asked *q;

        w->n_asked++;
        q = question(w);
        *q = (struct asked){
                .verify = json_is_true(json_object_get(packet, "verify")),
                .finger = json_is_true(json_object_get(packet, "finger")),
                .again = json_is_true(json_object_get(packet, "again")),
        };
        snprintf(q->verb, sizeof(q->verb), "%s",
                 json_string_value(json_object_get(packet, "verb")));
        w->id = json_integer_value(json_object_get(packet, "id"));
        say(w, json_pack("{s:s,s:I}", "type", AGENT_SHOWN, "id", w->id));
        w->person(w, q, "");
}

static void take_packet(struct world *w, const json_t *packet) {
        const char *type = json_string_value(json_object_get(packet, "type"));
        const char *state = json_string_value(json_object_get(packet, "state"));
        const char *why = json_string_value(json_object_get(packet, "why"));
        struct asked *q = w->n_asked > 0 ? question(w) : NULL;

        if (strcmp(type, AGENT_ASK) == 0)
                take_question(w, packet);
        if (!q || json_integer_value(json_object_get(packet, "id")) != w->id)
                return;
        if (strcmp(type, AGENT_FINGER) == 0) {
                size_t n = strlen(q->states);

                snprintf(q->states + n, sizeof(q->states) - n, "%s ", state);
                w->person(w, q, state);
        }
        if (strcmp(type, AGENT_WITHDRAW) == 0) {
                snprintf(q->ended, sizeof(q->ended), "%s", why);
                w->id = 0;
        }
}

static void *run_agent(void *userdata) {
        struct world *w = userdata;
        char text[AGENT_PACKET_MAX];
        ssize_t n;

        while ((n = recv(w->agent_fd, text, sizeof(text), 0)) > 0) {
                json_t *packet = json_loadb(text, (size_t)n, 0, NULL);

                assert_non_null(packet);
                take_packet(w, packet);
                json_decref(packet);
        }
        return NULL;
}

static void start_agent(struct world *w) {
        char path[80];

        snprintf(path, sizeof(path), "%s/run/" AGENT_SOCKET, w->kit.folder);
        await((w->agent_fd = kit_connect(path, SOCK_SEQPACKET)) >= 0);
        say(w, json_pack("{s:s,s:i,s:s,s:b}", "type", AGENT_HELLO, "v", AGENT_PROTOCOL_VERSION,
                         "ui", "test", "pin", 1));
        assert_int_equal(pthread_create(&w->agent, NULL, run_agent, w), 0);
}

static void end_agent(struct world *w) {
        if (w->agent_fd < 0)
                return;
        shutdown(w->agent_fd, SHUT_RDWR);
        pthread_join(w->agent, NULL);
        close(w->agent_fd);
        w->agent_fd = -1;
}

/* ---- persons ---- */

/* Gives the finger where one is asked for, and else the PIN. */
static void gives_finger(struct world *w, const struct asked *q, const char *state) {
        if (!*state && !q->verify)
                answer(w, "yes", NULL);
        if (!*state && q->verify && !q->finger)
                answer(w, "yes", PIN);
        if (strcmp(state, "waiting") == 0)
                finger(w->agent_bus, "verify-match", true);
}

static void types_pin(struct world *w, const struct asked *q, const char *state) {
        if (!*state)
                answer(w, "yes", q->verify ? PIN : NULL);
}

/* Tries the finger, and types the PIN when that has come to nothing. */
static void gives_wrong_finger(struct world *w, const struct asked *q, const char *state) {
        if (!*state && !q->finger)
                answer(w, "yes", PIN);
        if (strcmp(state, "waiting") == 0 || strcmp(state, "no-match") == 0)
                w->n_tries++;
        if (strcmp(state, "waiting") == 0)
                finger(w->agent_bus, "verify-no-match", true);
        /* Before it is started anew it takes no finger. */
        if (strcmp(state, "no-match") == 0 && w->n_tries <= 3) {
                nap();
                nap();
                finger(w->agent_bus, "verify-no-match", true);
        }
        if (strcmp(state, "gone") == 0)
                answer(w, "yes", PIN);
}

static void gives_up_after_a_wrong_finger(struct world *w, const struct asked *q,
                                          const char *state) {
        if (!*state && !q->finger)
                answer(w, "yes", PIN);
        if (strcmp(state, "waiting") == 0)
                finger(w->agent_bus, "verify-no-match", true);
        if (strcmp(state, "no-match") == 0)
                answer(w, "no", NULL);
}

static void is_clumsy(struct world *w, const struct asked *q, const char *state) {
        static const char *const results[] = { "verify-retry-scan", "verify-swipe-too-short",
                                               "verify-remove-and-retry" };

        (void)q;
        if (strcmp(state, "waiting") != 0 && strcmp(state, "retry") != 0)
                return;
        if (w->n_tries < ELEMENTSOF(results))
                finger(w->agent_bus, results[w->n_tries++], false);
        else
                finger(w->agent_bus, "verify-match", true);
}

static void unplugs_the_reader(struct world *w, const struct asked *q, const char *state) {
        if (!*state && !q->finger)
                answer(w, "yes", PIN);
        if (strcmp(state, "waiting") == 0)
                assert_true(sd_bus_call_method(w->agent_bus, FPRINTD, MANAGER, MOCK, "Unplug", NULL,
                                               NULL, NULL) >= 0);
        if (strcmp(state, "gone") == 0)
                answer(w, "yes", PIN);
}

static void kills_fprintd(struct world *w, const struct asked *q, const char *state) {
        if (!*state && !q->finger)
                answer(w, "yes", PIN);
        if (strcmp(state, "waiting") == 0)
                kill(w->fprintd, SIGKILL);
        if (strcmp(state, "gone") == 0)
                answer(w, "yes", PIN);
}

static void types_pin_when_there_is_no_finger(struct world *w, const struct asked *q,
                                              const char *state) {
        if ((!*state && !q->finger) || strcmp(state, "gone") == 0)
                answer(w, "yes", PIN);
}

/* No person: an agent that says what only fprintd may say, and then no. */
static void lies(struct world *w, const struct asked *q, const char *state) {
        static const char *const types[] = { AGENT_FINGER, AGENT_WITHDRAW, "match" };

        (void)q;
        if (strcmp(state, "waiting") != 0)
                return;
        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                say(w, json_pack("{s:s,s:I,s:s,s:s}", "type", types[i], "id", w->id, "state",
                                 AGENT_FINGER_MATCH, "why", AGENT_WHY_FINGER));
        answer(w, "no", NULL);
}

/* ---- the client, which knows no PIN ---- */

struct passkey {
        unsigned char id[256];
        size_t id_len;
        es256_pk_t *public;
};

/* `protect`: credProtect, 3 for a key behind the PIN, or 0. */
static int make(fido_dev_t *dev, int protect, fido_opt_t uv, struct passkey *ret) {
        fido_cred_t *cred = fido_cred_new();
        int r;

        assert_int_equal(fido_cred_set_type(cred, COSE_ES256), FIDO_OK);
        assert_int_equal(fido_cred_set_clientdata_hash(cred, challenge, sizeof(challenge)),
                         FIDO_OK);
        assert_int_equal(fido_cred_set_rp(cred, "example.com", "Example"), FIDO_OK);
        assert_int_equal(fido_cred_set_user(cred, (const unsigned char *)"u1", 2, "alice", "Alice",
                                            NULL),
                         FIDO_OK);
        if (protect > 0) {
                assert_int_equal(fido_cred_set_extensions(cred, FIDO_EXT_CRED_PROTECT), FIDO_OK);
                assert_int_equal(fido_cred_set_prot(cred, protect), FIDO_OK);
        }
        assert_int_equal(fido_cred_set_uv(cred, uv), FIDO_OK);
        r = fido_dev_make_cred(dev, cred, NULL);
        if (r == FIDO_OK) {
                assert_int_equal(fido_cred_verify_self(cred), FIDO_OK);
                assert_int_equal((fido_cred_flags(cred) & 0x04) != 0, uv == FIDO_OPT_TRUE);
                ret->id_len = fido_cred_id_len(cred);
                memcpy(ret->id, fido_cred_id_ptr(cred), ret->id_len);
                ret->public = es256_pk_new();
                assert_int_equal(es256_pk_from_ptr(ret->public, fido_cred_pubkey_ptr(cred),
                                                   fido_cred_pubkey_len(cred)),
                                 FIDO_OK);
        }
        fido_cred_free(&cred);
        return r;
}

static int use(fido_dev_t *dev, const struct passkey *p, fido_opt_t uv) {
        fido_assert_t *a = fido_assert_new();
        int r;

        assert_int_equal(fido_assert_set_clientdata_hash(a, challenge, sizeof(challenge)), FIDO_OK);
        assert_int_equal(fido_assert_set_rp(a, "example.com"), FIDO_OK);
        assert_int_equal(fido_assert_allow_cred(a, p->id, p->id_len), FIDO_OK);
        assert_int_equal(fido_assert_set_uv(a, uv), FIDO_OK);
        r = fido_dev_get_assert(dev, a, NULL);
        if (r == FIDO_OK) {
                assert_int_equal((fido_assert_flags(a, 0) & 0x04) != 0, uv == FIDO_OPT_TRUE);
                assert_int_equal(fido_assert_verify(a, 0, COSE_ES256, p->public), FIDO_OK);
        }
        fido_assert_free(&a);
        return r;
}

static uint64_t modality(fido_dev_t *dev) {
        fido_cbor_info_t *info = fido_cbor_info_new();
        uint64_t found;

        assert_int_equal(fido_dev_get_cbor_info(dev, info), FIDO_OK);
        found = fido_cbor_info_uv_modality(info);
        fido_cbor_info_free(&info);
        return found;
}

/* ---- life ---- */

static int setup(void **state) {
        struct world *w = calloc(1, sizeof(*w));

        *state = w;
        w->agent_fd = -1;
        if (kit_init(&w->kit) < 0)
                return -1;
        bus_kit_start(&w->private, w->kit.folder);
        w->bus = bus_kit_connect(&w->private);
        w->agent_bus = bus_kit_connect(&w->private);
        start_logind(w);
        start_fprintd(w);
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        end_agent(w);
        sd_bus_flush_close_unref(w->bus);
        sd_bus_flush_close_unref(w->agent_bus);
        kit_done(&w->kit);
        bus_kit_end_mock(&w->fprintd);
        bus_kit_end_mock(&w->logind);
        bus_kit_end(&w->private);
        free(w);
        return 0;
}

static bool is_so(const struct world *w, const char *member) {
        json_t *a = kit_control(&w->kit, "status", NULL), *d;
        bool so;

        d = json_array_get(json_object_get(json_object_get(a, "result"), "devices"), 0);
        so = json_is_true(json_object_get(d, member));
        json_decref(a);
        return so;
}

static bool can_verify(const struct world *w) {
        return is_so(w, "verify");
}

static void assert_status_tells_of_a_finger(const struct world *w, bool offered) {
        char out[4096];

        assert_int_equal(is_so(w, "finger"), offered);
        assert_int_equal(kit_cli_with(&w->kit, "status", "", out, sizeof(out)), 0);
        assert_int_equal(strstr(out, "A finger can be given") != NULL, offered);
}

/* With a logind each user has a device of their own. */
static fido_dev_t *open_key(const struct world *w) {
        struct daemon_kit k = w->kit;
        size_t n = strlen(k.device);

        snprintf(k.device + n, sizeof(k.device) - n, ".%u", (unsigned)getuid());
        return kit_open_key(&k);
}

/* `wanted`: the modality of getInfo that is to be waited for; 0x06: with a finger. */
static fido_dev_t *open_with_agent(struct world *w, uint64_t wanted) {
        fido_dev_t *dev;

        start_agent(w);
        await(can_verify(w));
        dev = open_key(w);
        await(modality(dev) == wanted);
        return dev;
}

static fido_dev_t *start(struct world *w, const char *setting, uint64_t wanted) {
        const char *settings[] = { "--presence=agent", "--log-level=debug", setting, NULL };
        char out[1024];
        fido_dev_t *dev;

        kit_start(&w->kit, settings);
        assert_int_equal(kit_cli_with(&w->kit, "pin set", PIN "\n", out, sizeof(out)), 0);
        dev = open_with_agent(w, wanted);
        assert_status_tells_of_a_finger(w, wanted & 0x02);
        return dev;
}

static void stop(struct world *w, fido_dev_t *dev, struct passkey *p) {
        char command[96];

        kit_close_key(dev);
        if (p)
                es256_pk_free(&p->public);
        assert_int_equal(kit_stop(&w->kit), 0);
        /* Nothing of fprintd's is worth a line, and no PIN is in any. */
        snprintf(command, sizeof(command), "grep -e 'PIN: " PIN "' %s/log", w->kit.folder);
        assert_int_not_equal(system(command), 0);
        snprintf(command, sizeof(command), "grep fprintd %s/log | grep -qv ^debug", w->kit.folder);
        assert_int_not_equal(system(command), 0);
}

#define finger_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void assert_ended(const struct world *w, unsigned nth, const char *states,
                         const char *ended) {
        const struct asked *q = &w->asked[nth];

        assert_true(nth < w->n_asked);
        assert_string_equal(q->states, states);
        assert_string_equal(q->ended, ended);
}

/* ---- tests ---- */

static void CP25_a_finger_registers_and_signs_without_the_pin(void **state) {
        struct world *w = *state;
        struct passkey p;
        fido_dev_t *dev;

        w->person = gives_finger;
        dev = start(w, NULL, 0x06);
        assert_int_equal(make(dev, 0, FIDO_OPT_TRUE, &p), FIDO_OK);
        assert_int_equal(use(dev, &p, FIDO_OPT_TRUE), FIDO_OK);
        assert_int_equal(w->n_asked, 2);
        await(*w->asked[1].ended);
        for (unsigned i = 0; i < 2; i++) {
                assert_true(w->asked[i].verify && w->asked[i].finger);
                assert_string_equal(w->asked[i].verb, AGENT_VERB_VERIFY);
                assert_ended(w, i, "waiting match ", AGENT_WHY_FINGER);
        }
        await(reader_is_free(w));
        stop(w, dev, &p);
}

/* The TPM signs by the key for who gave it the PIN, whatever fprintd says. */
static void a_key_behind_the_pin_asks_for_it_after_a_finger(void **state) {
        struct world *w = *state;
        struct passkey p;
        fido_dev_t *dev;

        w->person = gives_finger;
        dev = start(w, NULL, 0x06);
        assert_int_equal(make(dev, FIDO_CRED_PROT_UV_REQUIRED, FIDO_OPT_TRUE, &p), FIDO_OK);
        assert_int_equal(use(dev, &p, FIDO_OPT_TRUE), FIDO_OK);
        assert_int_equal(w->n_asked, 4);
        for (unsigned i = 0; i < 4; i += 2) {
                assert_ended(w, i, "waiting match ", AGENT_WHY_FINGER);
                assert_true(w->asked[i + 1].verify && !w->asked[i + 1].finger);
                assert_ended(w, i + 1, "", "yes");
        }
        assert_string_equal(w->asked[1].verb, AGENT_VERB_CREATE);
        assert_string_equal(w->asked[3].verb, AGENT_VERB_USE);
        stop(w, dev, &p);
}

static void three_wrong_fingers_leave_the_pin(void **state) {
        struct world *w = *state;
        struct passkey p;
        fido_dev_t *dev;

        w->person = gives_wrong_finger;
        dev = start(w, NULL, 0x06);
        assert_int_equal(make(dev, 0, FIDO_OPT_TRUE, &p), FIDO_OK);
        assert_int_equal(w->n_asked, 1);
        assert_ended(w, 0, "waiting no-match no-match no-match gone ", "yes");
        await(reader_is_free(w));
        stop(w, dev, &p);
}

static void five_wrong_fingers_in_a_row_wait_for_the_pin(void **state) {
        struct world *w = *state;
        struct passkey p;
        fido_dev_t *dev;

        w->person = gives_finger;
        dev = start(w, NULL, 0x06);
        assert_int_equal(make(dev, 0, FIDO_OPT_TRUE, &p), FIDO_OK);
        w->person = gives_up_after_a_wrong_finger;
        for (unsigned i = 1; i <= 5; i++) {
                assert_int_equal(use(dev, &p, FIDO_OPT_TRUE), FIDO_ERR_OPERATION_DENIED);
                assert_true(w->asked[i].finger);
                assert_ended(w, i, "waiting no-match ", "no");
                await(reader_is_free(w));
        }
        await(modality(dev) == 0x04);
        assert_int_equal(use(dev, &p, FIDO_OPT_TRUE), FIDO_OK);
        assert_false(w->asked[6].finger);
        await(modality(dev) == 0x06);
        w->person = gives_finger;
        assert_int_equal(use(dev, &p, FIDO_OPT_TRUE), FIDO_OK);
        assert_true(w->asked[7].finger);
        stop(w, dev, &p);
}

static void a_finger_that_was_not_read_well_is_tried_again(void **state) {
        struct world *w = *state;
        struct passkey p;
        fido_dev_t *dev;

        w->person = is_clumsy;
        dev = start(w, NULL, 0x06);
        assert_int_equal(make(dev, 0, FIDO_OPT_TRUE, &p), FIDO_OK);
        await(*w->asked[0].ended);
        assert_ended(w, 0, "waiting retry retry retry match ", AGENT_WHY_FINGER);
        stop(w, dev, &p);
}

static void a_reader_that_goes_leaves_the_pin(void **state) {
        static person_fn *const persons[] = { unplugs_the_reader, kills_fprintd };
        struct world *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(persons); i++) {
                struct passkey p;
                fido_dev_t *dev;

                w->person = persons[i];
                w->n_asked = 0;
                if (i == 0)
                        dev = start(w, NULL, 0x06);
                else {
                        bus_kit_end_mock(&w->fprintd);
                        start_fprintd(w);
                        kit_start(&w->kit, (const char *const[]){ "--presence=agent", NULL });
                        dev = open_with_agent(w, 0x06);
                }
                assert_int_equal(make(dev, 0, FIDO_OPT_TRUE, &p), FIDO_OK);
                assert_int_equal(w->n_asked, 1);
                assert_ended(w, 0, "waiting gone ", "yes");
                await(modality(dev) == 0x04);
                assert_int_equal(use(dev, &p, FIDO_OPT_TRUE), FIDO_OK);
                kit_close_key(dev);
                es256_pk_free(&p.public);
                end_agent(w);
                assert_int_equal(kit_stop(&w->kit), 0);
        }
}

static void a_reader_that_is_refused_leaves_the_pin(void **state) {
        static const char *const errors[] = { "PermissionDenied", "AlreadyInUse" };
        struct world *w = *state;
        struct passkey p;
        fido_dev_t *dev;

        w->person = types_pin_when_there_is_no_finger;
        dev = start(w, NULL, 0x06);
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                w->n_asked = 0;
                set_failure(w, "Claim", errors[i]);
                assert_int_equal(make(dev, 0, FIDO_OPT_TRUE, &p), FIDO_OK);
                assert_int_equal(w->n_asked, 1);
                assert_ended(w, 0, "gone ", "yes");
                es256_pk_free(&p.public);
        }
        stop(w, dev, NULL);
}

static void where_fprintd_lets_nobody_ask_no_finger_is_offered(void **state) {
        struct world *w = *state;
        struct passkey p;
        fido_dev_t *dev;

        w->person = types_pin;
        set_failure(w, "ListEnrolledFingers", "PermissionDenied");
        dev = start(w, NULL, 0x04);
        assert_int_equal(make(dev, 0, FIDO_OPT_TRUE, &p), FIDO_OK);
        assert_int_equal(w->n_asked, 1);
        assert_true(w->asked[0].verify && !w->asked[0].finger);
        assert_ended(w, 0, "", "yes");
        stop(w, dev, &p);
}

static void an_agent_s_word_about_a_finger_is_none(void **state) {
        struct world *w = *state;
        struct passkey p = { 0 };
        fido_dev_t *dev;

        w->person = lies;
        dev = start(w, NULL, 0x06);
        assert_int_equal(make(dev, 0, FIDO_OPT_TRUE, &p), FIDO_ERR_OPERATION_DENIED);
        assert_int_equal(w->n_asked, 1);
        assert_ended(w, 0, "waiting ", "no");
        await(reader_is_free(w));
        stop(w, dev, NULL);
}

static void a_session_that_is_locked_has_no_finger(void **state) {
        struct world *w = *state;
        fido_dev_t *dev;

        w->person = gives_finger;
        dev = start(w, NULL, 0x06);
        kit_close_key(dev);
        assert_true(sd_bus_call_method(w->bus, LOGIND, "/org/freedesktop/login1/session/1",
                                       "org.freedesktop.login1.Session", "SetLockedHint", NULL,
                                       NULL, "b", 1) >= 0);
        await(!can_verify(w));
        assert_status_tells_of_a_finger(w, false);
        assert_true(reader_is_free(w));
        assert_int_equal(kit_stop(&w->kit), 0);
}

static void the_configuration_can_do_without_fingers(void **state) {
        struct world *w = *state;
        struct passkey p;
        fido_dev_t *dev;

        w->person = types_pin;
        dev = start(w, "--set=presence.fingerprint=no", 0x04);
        assert_int_equal(make(dev, 0, FIDO_OPT_TRUE, &p), FIDO_OK);
        assert_false(w->asked[0].finger);
        stop(w, dev, &p);
}

static void a_touch_alone_is_not_enough_where_the_configuration_says_so(void **state) {
        struct world *w = *state;
        struct passkey p;
        fido_dev_t *dev;

        w->person = gives_finger;
        dev = start(w, "--set=presence.require=verify", 0x06);
        assert_int_equal(make(dev, 0, FIDO_OPT_OMIT, &p), FIDO_OK);
        assert_int_equal(use(dev, &p, FIDO_OPT_OMIT), FIDO_OK);
        await(w->n_asked == 2 && *w->asked[1].ended);
        assert_string_equal(w->asked[0].verb, AGENT_VERB_CREATE);
        assert_string_equal(w->asked[1].verb, AGENT_VERB_USE);
        for (unsigned i = 0; i < 2; i++)
                assert_ended(w, i, "waiting match ", AGENT_WHY_FINGER);
        stop(w, dev, &p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                finger_test(CP25_a_finger_registers_and_signs_without_the_pin),
                finger_test(a_key_behind_the_pin_asks_for_it_after_a_finger),
                finger_test(three_wrong_fingers_leave_the_pin),
                finger_test(five_wrong_fingers_in_a_row_wait_for_the_pin),
                finger_test(a_finger_that_was_not_read_well_is_tried_again),
                finger_test(a_reader_that_goes_leaves_the_pin),
                finger_test(a_reader_that_is_refused_leaves_the_pin),
                finger_test(where_fprintd_lets_nobody_ask_no_finger_is_offered),
                finger_test(an_agent_s_word_about_a_finger_is_none),
                finger_test(a_session_that_is_locked_has_no_finger),
                finger_test(the_configuration_can_do_without_fingers),
                finger_test(a_touch_alone_is_not_enough_where_the_configuration_says_so),
        };

        fido_init(0);
        return cmocka_run_group_tests_name("daemon-finger", tests, NULL, NULL);
}
