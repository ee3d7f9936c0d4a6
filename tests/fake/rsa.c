/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * To find two primes takes most of the time that an RSA key takes, so they are here already. Any two of
 * them make a key.
 */

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "ctap/macro.h"
#include "tests/fake/rsa.h"
#include "tests/unit/test.h"

/* Of 1024 bits, of which the upper two are set; one less than each has no divisor with 65537. */
static const char *const primes[] = {
        "C3116E5D689D1609ED9ED9C91E6ED44B012A4A719CD17E2F3B0685131B0E8AD9"
        "3F1548FEF21C7EFB876E1918FF9B3BF7B4CCF41D9319486A0B48C67E680224CD"
        "916E67DDE115ACD505FB823FCC2AFF7A84457990C07EAD3921673D66273C1280"
        "0F15CE23836EB897AA434ED5ADB872091770D1FA674FB82E6F3303356DE71D51",
        "F75896DE21DDE9D8C38059DF1AA06AB9C9C0197FF992AB200DAAA8EB47ED0E73"
        "F7ECFC36879339E9AEF8C9B04CC9FABD6758D34039065C67A8B66303199ED7E2"
        "DC95065C27A70D6401D575D478A000F192402BEC3E2D34AF8656287A30934302"
        "D5775833C6E7A968613A269C25A2F0E6722D6F63C53659CF9C8EAA7173A49AFD",
        "DFA39B2DA2300B405E94A6FD1427DDF74F6CDB1765E2264B3141DF3D68022D04"
        "50685AA9182A62DDE22BD1B3ACC3E48BDCAF640C2A3B41D17E55C177D6A3C650"
        "EF8593C264693F4B40E10FEDA6CC93943CE0BEC26C11B28BEE2B7E1DDA024211"
        "BAA0644F3B31B9382AEEDEBC5EA965A2764B64492DD1C474A4AF2C204B25E19D",
        "DD3D05563A5225B67A91BF9008A0E8FC4627B7C5DF6310B60E7D579E6EFA4662"
        "CB5600FAF6164194663E516FFA1EB6935D33158901B842A9A17B6F0FD29E164C"
        "185CD6091F135ADA6880C44971E22E7A9218A762F6EAB9775687AD1B32844DE9"
        "8D27154F7F68D9FBC5575B9EDC4A125275F1C5D14CAF38DE355E7D332C4854D5",
        "CFF8DDB5E4CBFF34049531CA9F13EC290D534837FDB790729133D0858E20B5F6"
        "2BD175CF2D83D62FA0119831C835F837734AACC4BA853E01AA33439A47996B83"
        "59AA91AF1E057DF0E34E1E4C31FE2A513DC6A1270BCD55243BFFADF2D16BC187"
        "79B3639E638EF47A1A0A0B8776357D55939B20D05554FD113B95E5FCD23352D9",
        "E78142CE9E3266BEA2F6193CF937EDD958745EDEA13A5E50096B0A81F8356438"
        "278333FD26A5C39977A2C538B70F1B5F1A193525AC9150089396B7A0553BA36E"
        "1F8AEFF4B6C8D54AA49CF6CD74110E8C2F1F7E971B9C5D9C9F6E92DACF02DA8C"
        "A90B047281F5D1CBA48C6D49CF4D7D2B954BDE22BE46D54FC9729AC8997AFA89",
};

struct numbers {
        BIGNUM *p, *q, *n, *e, *d, *dp, *dq, *inverse;
};

static void compute(struct numbers *k) {
        BN_CTX *ctx = BN_CTX_secure_new();
        BIGNUM *p1 = BN_dup(k->p), *q1 = BN_dup(k->q), *phi = BN_new();

        assert_true(BN_set_word(k->e, 65537) && BN_sub_word(p1, 1) && BN_sub_word(q1, 1));
        assert_true(BN_mul(k->n, k->p, k->q, ctx) && BN_mul(phi, p1, q1, ctx));
        assert_non_null(BN_mod_inverse(k->d, k->e, phi, ctx));
        assert_true(BN_mod(k->dp, k->d, p1, ctx) && BN_mod(k->dq, k->d, q1, ctx));
        assert_non_null(BN_mod_inverse(k->inverse, k->q, k->p, ctx));
        BN_free(p1);
        BN_free(q1);
        BN_free(phi);
        BN_CTX_free(ctx);
}

static EVP_PKEY *key_of(const struct numbers *k) {
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        EVP_PKEY *key = NULL;
        OSSL_PARAM *params;

        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, k->n), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, k->e), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_D, k->d), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_FACTOR1, k->p), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_FACTOR2, k->q), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_EXPONENT1, k->dp), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_EXPONENT2, k->dq), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, k->inverse),
                         1);
        params = OSSL_PARAM_BLD_to_param(bld);
        assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
        assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(bld);
        EVP_PKEY_CTX_free(ctx);
        return key;
}

EVP_PKEY *fake_rsa_key(unsigned nth) {
        struct numbers k = { .n = BN_new(),
                             .e = BN_new(),
                             .d = BN_new(),
                             .dp = BN_new(),
                             .dq = BN_new(),
                             .inverse = BN_new() };
        unsigned a = 0, b = 1;
        EVP_PKEY *key;

        for (nth %= FAKE_RSA_KEYS; nth > 0; nth--)
                if (++b == ELEMENTSOF(primes)) {
                        a++;
                        b = a + 1;
                }
        assert_true(BN_hex2bn(&k.p, primes[a]) > 0 && BN_hex2bn(&k.q, primes[b]) > 0);
        compute(&k);
        key = key_of(&k);
        BN_free(k.p);
        BN_free(k.q);
        BN_free(k.n);
        BN_free(k.e);
        BN_free(k.d);
        BN_free(k.dp);
        BN_free(k.dq);
        BN_free(k.inverse);
        return key;
}
