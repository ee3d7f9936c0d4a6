/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * examples/site: what a good answer is accepted for, and one test for each reason to refuse one, by an
 * authenticator in software that makes answers which are wrong in one thing.
 */

#include <string.h>

#include "tests/site/court.h"

static size_t n_checks(bool is_registration) {
        size_t n = 0;

        while (ceremony_check_name(is_registration, n))
                n++;
        return n;
}

/* Every algorithm that the site names, attested by nobody and by itself. */
static void good_registrations_of_all_algorithms_are_accepted(_unused_ void **state) {
        static const int64_t algorithms[] = { ALGORITHM_ES256, ALGORITHM_ES384, ALGORITHM_RS256,
                                              ALGORITHM_EDDSA };

        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++) {
                _cleanup_(free_world) struct world *w = new_world(algorithms[i]);
                struct form f = form_of_registration(SLICE_OF(challenge));

                assert_refused(judge_registration(w, &f), REFUSED_NOTHING);
                assert_int_equal(w->ceremony.attestation.kind, ATTESTATION_NONE);
                assert_int_equal(w->ceremony.key.algorithm, algorithms[i]);
                assert_int_equal(w->ceremony.n_passed, n_checks(true));
                assert_string_equal(w->answer.transports, "usb,internal");
                f.by = BY_ITSELF;
                assert_refused(judge_registration(w, &f), REFUSED_NOTHING);
                assert_int_equal(w->ceremony.attestation.kind, ATTESTATION_SELF);
                assert_false(w->ceremony.attestation.is_trusted);
        }
}

static void good_logins_of_all_algorithms_are_accepted(_unused_ void **state) {
        static const int64_t algorithms[] = { ALGORITHM_ES256, ALGORITHM_ES384, ALGORITHM_RS256,
                                              ALGORITHM_EDDSA };

        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++) {
                _cleanup_(free_world) struct world *w = new_world(algorithms[i]);
                struct form f = form_of_login(SLICE_OF(challenge), 7);

                assert_refused(judge_login(w, &f), REFUSED_NOTHING);
                assert_int_equal(w->ceremony.auth.counter, 7);
                assert_int_equal(w->ceremony.n_passed, n_checks(false));
        }
}

static struct slice extensions_of_registration(void) {
        /* {"credProtect": 2, "hmac-secret": true} */
        static const uint8_t map[] = "\xa2\x6b"
                                     "credProtect\x02\x6b"
                                     "hmac-secret\xf5";

        return SLICE(map, sizeof(map) - 1);
}

/* libfido2 refuses extensions that it was not told of. A site does not (§7.1: it may ignore them). */
static void extensions_that_nobody_asked_for_are_no_reason_to_refuse(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_registration(SLICE_OF(challenge));
        /* {"unheard-of": null, "hmac-secret": h'00112233'} */
        static const uint8_t of_login[] = "\xa2\x6a"
                                          "unheard-of\xf6\x6b"
                                          "hmac-secret\x44\x00\x11\x22\x33";

        f.by = BY_ITSELF;
        f.flags |= FLAG_EXTENSIONS;
        f.extensions = extensions_of_registration();
        assert_refused(judge_registration(w, &f), REFUSED_NOTHING);
        f = form_of_login(SLICE_OF(challenge), 1);
        f.flags |= FLAG_EXTENSIONS;
        f.extensions = SLICE(of_login, sizeof(of_login) - 1);
        assert_refused(judge_login(w, &f), REFUSED_NOTHING);
}

/* What both ceremonies refuse, of a good answer with one thing changed. */
static void assert_both_refused(void (*change)(struct form *f, struct world *w),
                                enum refusal refusal) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_registration(SLICE_OF(challenge));

        change(&f, w);
        assert_refused(judge_registration(w, &f), refusal);
        f = form_of_login(SLICE_OF(challenge), 1);
        change(&f, w);
        assert_refused(judge_login(w, &f), refusal);
}

static void forget_json(struct form *f, _unused_ struct world *w) {
        f->client_data = "{\"type\":\"webauthn.get\"";
}

static void repeat_member(struct form *f, _unused_ struct world *w) {
        f->client_data =
                "{\"type\":\"webauthn.get\",\"type\":\"webauthn.get\",\"challenge\":\"AA\","
                "\"origin\":\"http://localhost:8080\"}";
}

static void pad_challenge(struct form *f, _unused_ struct world *w) {
        f->client_data = "{\"type\":\"webauthn.get\",\"challenge\":\"AA==\","
                         "\"origin\":\"http://localhost:8080\"}";
}

static void client_data_that_is_none_is_refused(_unused_ void **state) {
        assert_both_refused(forget_json, REFUSED_CLIENT_DATA);
        assert_both_refused(repeat_member, REFUSED_CLIENT_DATA);
        assert_both_refused(pad_challenge, REFUSED_CLIENT_DATA);
}

static void swap_ceremony(struct form *f, _unused_ struct world *w) {
        f->type = strcmp(f->type, "webauthn.get") == 0 ? "webauthn.create" : "webauthn.get";
}

static void invent_ceremony(struct form *f, _unused_ struct world *w) {
        f->type = "payment.get";
}

static void an_answer_of_another_ceremony_is_refused(_unused_ void **state) {
        assert_both_refused(swap_ceremony, REFUSED_CEREMONY);
        assert_both_refused(invent_ceremony, REFUSED_CEREMONY);
}

static void use_challenge(_unused_ struct form *f, struct world *w) {
        w->asked.challenge = CHALLENGE_USED;
}

static void expire_challenge(_unused_ struct form *f, struct world *w) {
        w->asked.challenge = CHALLENGE_EXPIRED;
}

static void lose_challenge(_unused_ struct form *f, struct world *w) {
        w->asked.challenge = CHALLENGE_UNKNOWN;
}

static void shorten_challenge(struct form *f, _unused_ struct world *w) {
        f->challenge = SLICE(challenge, 16);
}

static void a_challenge_that_is_not_open_is_refused(_unused_ void **state) {
        assert_both_refused(use_challenge, REFUSED_CHALLENGE_USED);
        assert_both_refused(expire_challenge, REFUSED_CHALLENGE_EXPIRED);
        assert_both_refused(lose_challenge, REFUSED_CHALLENGE_UNKNOWN);
        assert_both_refused(shorten_challenge, REFUSED_CHALLENGE_UNKNOWN);
}

static void change_origin(struct form *f, _unused_ struct world *w) {
        f->origin = "http://localhost:8081";
}

static void frame(struct form *f, _unused_ struct world *w) {
        f->is_cross_origin = true;
}

static void frame_secretly(struct form *f, _unused_ struct world *w) {
        f->has_top_origin = true;
}

static void another_origin_is_refused(_unused_ void **state) {
        assert_both_refused(change_origin, REFUSED_ORIGIN);
        assert_both_refused(frame, REFUSED_CROSS_ORIGIN);
        assert_both_refused(frame_secretly, REFUSED_CROSS_ORIGIN);
}

static void change_rp_id(struct form *f, _unused_ struct world *w) {
        f->rp_id = "shop.example";
}

static void another_rp_id_is_refused(_unused_ void **state) {
        assert_both_refused(change_rp_id, REFUSED_RP_ID_HASH);
}

static void leave(struct form *f, _unused_ struct world *w) {
        f->flags &= (uint8_t)~FLAG_USER_PRESENT;
}

static void nobody_there_is_refused(_unused_ void **state) {
        assert_both_refused(leave, REFUSED_USER_PRESENCE);
}

static void demand_verification(struct form *f, struct world *w) {
        w->asked.needs_verification = true;
        f->flags &= (uint8_t)~FLAG_USER_VERIFIED;
}

static void a_person_not_verified_is_refused_where_that_is_asked(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_login(SLICE_OF(challenge), 1);

        assert_both_refused(demand_verification, REFUSED_USER_VERIFICATION);
        f.flags &= (uint8_t)~FLAG_USER_VERIFIED;
        assert_refused(judge_login(w, &f), REFUSED_NOTHING);
}

static void back_up_without_right(struct form *f, _unused_ struct world *w) {
        f->flags |= FLAG_BACKED_UP;
}

static void backup_flags_that_contradict_are_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_login(SLICE_OF(challenge), 1);

        assert_both_refused(back_up_without_right, REFUSED_BACKUP_FLAGS);
        /* It became eligible. */
        f.flags |= FLAG_BACKUP_ELIGIBLE;
        assert_refused(judge_login(w, &f), REFUSED_BACKUP_FLAGS);
        w->known.is_backup_eligible = true;
        assert_refused(judge_login(w, &f), REFUSED_NOTHING);
}

static void lengthen(struct form *f, _unused_ struct world *w) {
        f->tail = SLICE_TEXT("more");
}

static void promise_extensions(struct form *f, _unused_ struct world *w) {
        f->flags |= FLAG_EXTENSIONS;
}

static void extend_by_array(struct form *f, _unused_ struct world *w) {
        f->flags |= FLAG_EXTENSIONS;
        f->extensions = SLICE_TEXT("\x81\x01");
}

static void authenticator_data_that_is_none_is_refused(_unused_ void **state) {
        assert_both_refused(lengthen, REFUSED_AUTHENTICATOR_DATA);
        assert_both_refused(promise_extensions, REFUSED_AUTHENTICATOR_DATA);
        assert_both_refused(extend_by_array, REFUSED_AUTHENTICATOR_DATA);
}

/* Whatever is missing at the end. */
static void half_of_the_authenticator_data_is_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_login(SLICE_OF(challenge), 1);
        struct slice whole;

        assert_refused(judge_login(w, &f), REFUSED_NOTHING);
        whole = w->answer.auth_data;
        for (size_t len = 0; len < whole.len; len++) {
                w->answer.auth_data = SLICE(whole.data, len);
                assert_refused(judge(w), REFUSED_AUTHENTICATOR_DATA);
        }
}

static void a_registration_without_credential_is_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_registration(SLICE_OF(challenge));

        f.flags &= (uint8_t)~FLAG_ATTESTED;
        assert_refused(judge_registration(w, &f), REFUSED_NO_CREDENTIAL);
}

static void a_login_with_a_new_credential_is_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_login(SLICE_OF(challenge), 1);

        f.flags |= FLAG_ATTESTED;
        assert_refused(judge_login(w, &f), REFUSED_AUTHENTICATOR_DATA);
}

static void an_id_that_is_not_the_authenticators_is_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_registration(SLICE_OF(challenge));
        _cleanup_(free_json) json_t *json = key_register(w->key, &f);

        json_object_set_new(json, "id", json_string("AAAA"));
        json_object_set_new(json, "rawId", json_string("AAAA"));
        assert_int_equal(answer_read_registration(json, &w->answer, &w->member), REFUSED_NOTHING);
        assert_refused(judge(w), REFUSED_CREDENTIAL_ID);
}

static void an_algorithm_that_was_not_offered_is_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES384);
        struct form f = form_of_registration(SLICE_OF(challenge));

        w->asked.algorithms[0] = ALGORITHM_ES256;
        assert_refused(judge_registration(w, &f), REFUSED_ALGORITHM);
        /* {1: 2, 3: -47} */
        f.public_key = SLICE_TEXT("\xa2\x01\x02\x03\x38\x2e");
        assert_refused(judge_registration(w, &f), REFUSED_ALGORITHM);
}

static void a_public_key_that_is_none_is_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_registration(SLICE_OF(challenge));
        struct block off_the_curve = w->key->cose, of_no_type = w->key->cose;
        struct block of_a_curve = w->key->cose;

        off_the_curve.data[off_the_curve.len - 1] ^= 1;
        f.public_key = block_slice(&off_the_curve);
        assert_refused(judge_registration(w, &f), REFUSED_PUBLIC_KEY);
        of_no_type.data[2] = 1; /* behind the heads of the map and of label 1 */
        f.public_key = block_slice(&of_no_type);
        assert_refused(judge_registration(w, &f), REFUSED_PUBLIC_KEY);
        of_a_curve.data[6] = 2; /* P-384 */
        f.public_key = block_slice(&of_a_curve);
        assert_refused(judge_registration(w, &f), REFUSED_PUBLIC_KEY);
        f.public_key = SLICE_TEXT("\xa1\x01\x02");
        assert_refused(judge_registration(w, &f), REFUSED_PUBLIC_KEY);
}

static void an_unknown_passkey_is_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_login(SLICE_OF(challenge), 1);
        _cleanup_(free_json) json_t *json = key_sign_in(w->key, &f);

        assert_int_equal(answer_read_login(json, &w->answer, &w->member), REFUSED_NOTHING);
        w->ceremony = (struct ceremony){ .asked = &w->asked, .answer = &w->answer };
        assert_refused(ceremony_verify(&w->ceremony), REFUSED_CREDENTIAL_UNKNOWN);
}

static void a_passkey_of_another_account_is_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_login(SLICE_OF(challenge), 1);

        w->known.account = SLICE_TEXT("somebody else...");
        assert_refused(judge_login(w, &f), REFUSED_CREDENTIAL_NOT_ASKED);
}

static void the_user_handle_has_to_be_that_of_the_account(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_login(SLICE_OF(challenge), 1);

        f.handle = SLICE_TEXT("another handle..");
        assert_refused(judge_login(w, &f), REFUSED_USER_HANDLE);
        /* Nobody was named: the authenticator has to say who it is. */
        w->asked.account = SLICE_NULL;
        f.handle = SLICE_NULL;
        assert_refused(judge_login(w, &f), REFUSED_USER_HANDLE);
        f.handle = SLICE_OF(handle);
        assert_refused(judge_login(w, &f), REFUSED_NOTHING);
}

static void a_changed_signature_is_refused(_unused_ void **state) {
        static const int64_t algorithms[] = { ALGORITHM_ES256, ALGORITHM_ES384, ALGORITHM_RS256,
                                              ALGORITHM_EDDSA };

        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++) {
                _cleanup_(free_world) struct world *w = new_world(algorithms[i]);
                struct form f = form_of_login(SLICE_OF(challenge), 1);

                f.fault = FAULT_SIGNATURE;
                assert_refused(judge_login(w, &f), REFUSED_SIGNATURE);
                assert_string_equal(ceremony_check_name(false, w->ceremony.n_passed), "signature");
        }
}

static void a_signature_of_another_key_is_refused(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        _cleanup_(free_world) struct world *other = new_world(ALGORITHM_ES256);
        struct form f = form_of_login(SLICE_OF(challenge), 1);

        w->known.public_key = block_slice(&other->key->cose);
        assert_refused(judge_login(w, &f), REFUSED_SIGNATURE);
}

/* The mark is told only to who has the key. */
static void a_marked_passkey_is_refused_behind_its_signature(_unused_ void **state) {
        _cleanup_(free_world) struct world *w = new_world(ALGORITHM_ES256);
        struct form f = form_of_login(SLICE_OF(challenge), 1);

        w->known.is_marked = true;
        assert_refused(judge_login(w, &f), REFUSED_CREDENTIAL_MARKED);
        f.fault = FAULT_SIGNATURE;
        assert_refused(judge_login(w, &f), REFUSED_SIGNATURE);
}

/* Each reason has a name that no other has, a sentence, and a status that says that it is the client's. */
static void every_refusal_has_its_own_words(_unused_ void **state) {
        for (enum refusal i = REFUSED_NOTHING; i < N_REFUSALS; i++) {
                assert_non_null(refusal_name(i));
                assert_true(strlen(refusal_text(i)) > 8);
                assert_true(i == REFUSED_NOTHING ||
                            (refusal_status(i) >= 400 && refusal_status(i) < 500));
                for (enum refusal k = REFUSED_NOTHING; k < i; k++) {
                        assert_string_not_equal(refusal_name(i), refusal_name(k));
                        assert_string_not_equal(refusal_text(i), refusal_text(k));
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_registrations_of_all_algorithms_are_accepted),
                cmocka_unit_test(good_logins_of_all_algorithms_are_accepted),
                cmocka_unit_test(extensions_that_nobody_asked_for_are_no_reason_to_refuse),
                cmocka_unit_test(client_data_that_is_none_is_refused),
                cmocka_unit_test(an_answer_of_another_ceremony_is_refused),
                cmocka_unit_test(a_challenge_that_is_not_open_is_refused),
                cmocka_unit_test(another_origin_is_refused),
                cmocka_unit_test(another_rp_id_is_refused),
                cmocka_unit_test(nobody_there_is_refused),
                cmocka_unit_test(a_person_not_verified_is_refused_where_that_is_asked),
                cmocka_unit_test(backup_flags_that_contradict_are_refused),
                cmocka_unit_test(authenticator_data_that_is_none_is_refused),
                cmocka_unit_test(half_of_the_authenticator_data_is_refused),
                cmocka_unit_test(a_registration_without_credential_is_refused),
                cmocka_unit_test(a_login_with_a_new_credential_is_refused),
                cmocka_unit_test(an_id_that_is_not_the_authenticators_is_refused),
                cmocka_unit_test(an_algorithm_that_was_not_offered_is_refused),
                cmocka_unit_test(a_public_key_that_is_none_is_refused),
                cmocka_unit_test(an_unknown_passkey_is_refused),
                cmocka_unit_test(a_passkey_of_another_account_is_refused),
                cmocka_unit_test(the_user_handle_has_to_be_that_of_the_account),
                cmocka_unit_test(a_changed_signature_is_refused),
                cmocka_unit_test(a_signature_of_another_key_is_refused),
                cmocka_unit_test(a_marked_passkey_is_refused_behind_its_signature),
                cmocka_unit_test(every_refusal_has_its_own_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
