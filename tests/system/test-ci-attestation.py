# SPDX-License-Identifier: BSD-2-Clause
"""test-ci-attestation.py TPMAUTHND TPMAUTHN: the authority of tpmauthn ci run --attestation, as a server sees it, as TAP.

    test-ci-attestation.py command SITE...

is the command of such a run: it registers at each site and says as JSON what came of it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "helpers"), str(HERE.parent / "package")]
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding  # noqa: E402
from daemon import ctap  # noqa: E402
from fido2 import cbor  # noqa: E402
from tap import run_tests  # noqa: E402

DIGEST = b"a challenge of thirty-two bytes!"
MAKE_CREDENTIAL = 0x01
VENDOR_FACILITATED = 1


def register(path, site):
    """What a platform gets from an enterprise attestation of this site."""
    asked = {1: DIGEST, 2: {"id": site}, 3: {"id": b"alice", "name": "alice"},
             4: [{"type": "public-key", "alg": -7}], 10: VENDOR_FACILITATED}  # fmt: skip
    answer = ctap(path, bytes([MAKE_CREDENTIAL]) + cbor.encode(asked))
    assert answer[0] == 0, f"status {answer[0]:#x}"
    made = cbor.decode(answer[1:])
    statement = made[3]
    return {"granted": made.get(4, False), "data": made[2].hex(), "signature": statement["sig"].hex(),
            "chain": [c.hex() for c in statement.get("x5c", [])]}


def be_the_command():
    keys = os.environ["TPMAUTHN_HIDRAW"].split(" ")
    authority = Path(os.environ["TPMAUTHN_CA"])
    assert authority.stat().st_mode & 0o777 == 0o600
    print(json.dumps({"authority": authority.read_text(),
                      "made": [[register(path, site) for site in sys.argv[2:]] for path in keys]}))


def run(folder, *options, command=(sys.executable, __file__, "command"), sites=(), **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TPMAUTHN")}
    return subprocess.run([sys.argv[2], "ci", "run", "--transport", "socket", *options, "--", *command, *sites], text=True,
                          capture_output=True, timeout=120, env={**environment, "TPMAUTHND": sys.argv[1], "TMPDIR": folder, **more})


def attested(folder, *options, sites):
    done = run(folder, *options, sites=sites)
    assert done.returncode == 0, done.stderr
    assert os.listdir(folder) == [], os.listdir(folder)
    told = json.loads(done.stdout)
    return x509.load_pem_x509_certificate(told["authority"].encode()), told["made"]


def verify(authority, made):
    """As WebAuthn §8.2 has it, and the certificate as §8.2.1."""
    assert made["granted"] and len(made["chain"]) == 1, made
    leaf = x509.load_der_x509_certificate(bytes.fromhex(made["chain"][0]))
    leaf.public_key().verify(bytes.fromhex(made["signature"]), bytes.fromhex(made["data"]) + DIGEST,
                             ec.ECDSA(hashes.SHA256()))
    authority.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(leaf.signature_hash_algorithm))
    assert leaf.issuer == authority.subject == authority.issuer and leaf.version == x509.Version.v3
    names = {a.oid._name: a.value for a in leaf.subject}
    assert set(names) == {"countryName", "organizationName", "organizationalUnitName", "commonName"}, names
    assert names["organizationalUnitName"] == "Authenticator Attestation"
    for certificate, is_authority in (leaf, False), (authority, True):
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical and constraints.value.ca == is_authority
    return leaf


def sites_that_are_named_get_a_certificate_by_the_authority(folder):
    authority, (made,) = attested(folder, "--attestation", "login.example  sso.example",
                                  sites=("login.example", "sso.example", "www.example"))
    assert verify(authority, made[0]) == verify(authority, made[1])
    assert not made[2]["granted"] and made[2]["chain"] == [], made[2]


def keys_of_a_run_share_it_and_runs_do_not(folder):
    runs = [attested(folder, "--devices", "2", "--attestation", "login.example", sites=("login.example",)) for _ in range(2)]
    leaves = [{verify(authority, made) for (made,) in keys} for authority, keys in runs]
    assert [len(keys) for _, keys in runs] == [2, 2] and [len(of) for of in leaves] == [1, 1]
    one, other = (authority for authority, _ in runs)
    assert one.serial_number != other.serial_number and one.public_key().public_numbers() != other.public_key().public_numbers()
    verify_by_openssl((one, other), [leaf for of in leaves for leaf in of])


def verify_by_openssl(authorities, leaves):
    """By who trusts both runs, and is strict."""
    with tempfile.NamedTemporaryFile() as trusted:
        trusted.write(b"".join(a.public_bytes(Encoding.PEM) for a in authorities))
        trusted.flush()
        for leaf in leaves:
            subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", trusted.name], input=leaf.public_bytes(Encoding.PEM),
                           check=True, stdout=subprocess.DEVNULL)


def no_setting_takes_its_place(folder):
    for setting in ("attestation.rp-ids=www.example", "attestation.key=/nonexistent", "policy.enterprise-attestation=off"):
        refused = run(folder, "--set", setting, "--attestation", "login.example")
        assert refused.returncode == 125 and setting in refused.stderr, refused


def every_site_of_a_long_list_counts(folder):
    many = " ".join(f"site{i:05}.example" for i in range(215))
    authority, (made,) = attested(folder, "--attestation", f"{many} last.example", sites=("last.example",))
    verify(authority, made[0])


def a_run_without_it_has_no_authority(folder):
    done = run(folder, command=("sh", "-c", 'test -z "$TPMAUTHN_CA" && ! ls "$TMPDIR"/*/*.pem'), TPMAUTHN_CA="/of/another")
    assert done.returncode == 0, done


def what_is_no_list_of_sites_is_a_fault_of_the_options(folder):
    for sites in ([""], ["  "], ["\n"], ["a.example " * 500], ["a.example", "--attestation", "b.example"]):
        done = run(folder, "--attestation", *sites, command=("true",))
        assert done.returncode == 125 and "--attestation" in done.stderr, done
    assert os.listdir(folder) == []


if sys.argv[1:2] == ["command"]:
    be_the_command()
else:
    with tempfile.TemporaryDirectory(prefix="tpmauthn-authority-") as FOLDER:
        STATUS = run_tests((sites_that_are_named_get_a_certificate_by_the_authority, keys_of_a_run_share_it_and_runs_do_not,
                            no_setting_takes_its_place, every_site_of_a_long_list_counts,
                            a_run_without_it_has_no_authority, what_is_no_list_of_sites_is_a_fault_of_the_options), FOLDER)
    sys.exit(STATUS)
