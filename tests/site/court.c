/* SPDX-License-Identifier: BSD-2-Clause */

/* A key in software, and a site that asked for its answer: see court.h. */

#include "tests/site/court.h"

#include <string.h>

const uint8_t challenge[CHALLENGE_LEN] = "thirty-two bytes that nobody kno";
const uint8_t handle[16] = "a user handle...";

struct world *new_world(int64_t algorithm) {
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        w->key = key_new(algorithm);
        w->asked = (struct asked){
                .origin = FORM_ORIGIN,
                .rp_id = FORM_RP_ID,
                .algorithms = { algorithm },
                .n_algorithms = 1,
                .account = SLICE_OF(handle),
        };
        w->known = (struct known_credential){
                .public_key = block_slice(&w->key->cose),
                .account = SLICE_OF(handle),
        };
        return w;
}

void free_world(struct world **w) {
        key_free(&(*w)->key);
        free(*w);
}

enum refusal judge(struct world *w) {
        w->ceremony = (struct ceremony){
                .asked = &w->asked,
                .answer = &w->answer,
                .known = w->answer.is_registration ? NULL : &w->known,
        };
        return ceremony_verify(&w->ceremony);
}

enum refusal judge_registration(struct world *w, const struct form *f) {
        _cleanup_(free_json) json_t *json = key_register(w->key, f);

        assert_int_equal(answer_read_registration(json, &w->answer, &w->member), REFUSED_NOTHING);
        return judge(w);
}

enum refusal judge_login(struct world *w, const struct form *f) {
        _cleanup_(free_json) json_t *json = key_sign_in(w->key, f);

        assert_int_equal(answer_read_login(json, &w->answer, &w->member), REFUSED_NOTHING);
        return judge(w);
}
