# SPDX-License-Identifier: BSD-2-Clause
"""test-ca.py: tools/attestation-ca with requests of simulated TPMs, good and bad, as TAP.

What it answers is opened by the TPM that it is for.
"""

import base64
import struct
import subprocess
import sys
from datetime import datetime, timedelta, timezone

from place import SOURCE, Place, changed, with_params
from machine import IBM, Maker, encode, open_chain, run
from tap import run_tests

sys.path.append(str(SOURCE / "tools"))
from attestation import policy  # noqa: E402

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtensionOID

TCG = "2.23.133."


def x509_of(pem):
    blocks = pem.split(b"-----BEGIN")[1:]
    return [x509.load_pem_x509_certificate(b"-----BEGIN" + block) for block in blocks]


def enrolled(place, ca, *options):
    """(request, answer, certificates) of a machine that is given its certificate."""
    request = place.machine.request(place.key)
    answer = ca.sign(place.file(request), *options)
    secret = place.machine.activate(place.key, answer["credential"], answer["secret"])
    assert secret is not None and len(secret) == 32, "the TPM does not open the answer"
    return request, answer, x509_of(open_chain(secret, answer))


def verifies(root, chain):
    """True by OpenSSL, which is strict about what certificates of today must have."""
    folder = root.parent
    (folder / "leaf").write_bytes(chain[0].public_bytes(serialization.Encoding.PEM))
    (folder / "more").write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain[1:]))
    more = ["-untrusted", folder / "more"] if chain[1:] else []
    done = subprocess.run(["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", root, *more,
                           folder / "leaf"], capture_output=True, text=True)
    return done.returncode == 0


def a_good_request_is_answered_for_its_tpm(place):
    ca = place.authority()
    request, answer, chain = enrolled(place, ca)
    assert set(answer) == {"v", "type", "request", "ek", "ak", "created", "expires", "credential", "secret", "chain"}
    assert (answer["v"], answer["type"], answer["request"]) == (1, "tpmauthn-attestation-answer", request["request"])
    digest = hashes.Hash(hashes.SHA256())
    digest.update(place.machine.endorsement)
    assert answer["ek"] == digest.finalize().hex()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(place.key.public)
    assert answer["ak"] == "000b" + digest.finalize().hex()
    assert len(chain) == 1 and verifies(ca.folder / "root.pem", chain)
    point = chain[0].public_key().public_numbers()
    # The unique part of a TPMT_PUBLIC is its last.
    assert place.key.public.endswith(point.x.to_bytes(32, "big") + b"\0\x20" + point.y.to_bytes(32, "big"))


def an_answer_is_of_no_use_to_another_tpm(place):
    answer = place.authority().sign(place.file(place.machine.request(place.key)))
    other = place.add("another")
    theirs = other.attestation_key()
    assert other.activate(theirs, answer["credential"], answer["secret"]) is None
    # Nor to the same one for another key.
    ours = place.machine.attestation_key()
    assert place.machine.activate(ours, answer["credential"], answer["secret"]) is None


def an_answer_that_was_changed_is_not_opened(place):
    _, answer, _ = enrolled(place, place.authority())
    secret = place.machine.activate(place.key, answer["credential"], answer["secret"])
    for member in ("request", "ek", "ak", "created", "expires"):
        try:
            open_chain(secret, {**answer, member: "x" + answer[member][1:]})
        except Exception:
            continue
        raise AssertionError(f"{member} is not bound")


def the_certificate_is_what_the_servers_libraries_demand(place):
    leaf = enrolled(place, place.authority())[2][0]
    assert leaf.version == x509.Version.v3 and not list(leaf.subject)
    order = [e.oid for e in leaf.extensions]
    by_oid = {e.oid: e for e in leaf.extensions}
    assert len(order) == len(by_oid)
    names = by_oid[ExtensionOID.SUBJECT_ALTERNATIVE_NAME]
    assert names.critical and len(list(names.value)) == 1
    (name,) = names.value.get_values_for_type(x509.DirectoryName)
    assert all(len(list(rdn)) == 1 for rdn in name.rdns), "an attribute shares its set"
    assert [(a.oid.dotted_string, a.value, a._type.name) for a in name] == [
        (TCG + "2.1", f"id:{IBM:08X}", "UTF8String"), (TCG + "2.2", "swtpm", "UTF8String"),
        (TCG + "2.3", "id:20191023", "UTF8String")]
    assert [o.dotted_string for o in by_oid[ExtensionOID.EXTENDED_KEY_USAGE].value] == [TCG + "8.3"]
    basic = by_oid[ExtensionOID.BASIC_CONSTRAINTS]
    assert basic.critical and not basic.value.ca and basic.value.path_length is None
    usage = by_oid[ExtensionOID.KEY_USAGE].value
    assert usage.digital_signature and not usage.key_cert_sign and not usage.key_agreement
    assert set(by_oid) == {ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.EXTENDED_KEY_USAGE,
                           ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE,
                           ExtensionOID.AUTHORITY_KEY_IDENTIFIER}
    lasts = leaf.not_valid_after - datetime.utcnow()
    assert timedelta(days=364) < lasts <= timedelta(days=365)


def a_root_with_an_issuer_below_it_signs_too(place):
    ca = place.authority("--two-tiers")
    assert (ca.folder / "root.key").stat().st_mode & 0o777 == 0o600
    (ca.folder / "root.key").unlink()
    chain = enrolled(place, ca)[2]
    assert len(chain) == 2 and verifies(ca.folder / "root.pem", chain)
    assert not verifies(place.authority().folder / "root.pem", chain)
    assert sum(len(c.public_bytes(serialization.Encoding.DER)) for c in chain) < 1000


def an_issuer_of_a_ca_that_is_there_already_signs_too(place):
    ca, work = place.authority(), place.path()
    work.mkdir()
    for name in ("root.pem", "issuer.pem", "issuer.key"):
        (ca.folder / name).unlink()
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", work / "root.key", "-out",
        ca.folder / "root.pem", "-subj", "/O=Example/CN=Root", "-days", "30", "-addext", "keyUsage=critical,keyCertSign")
    run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
        ca.folder / "issuer.key")
    run("openssl", "req", "-new", "-key", ca.folder / "issuer.key", "-subj", "/O=Example/CN=Machines", "-out",
        work / "csr")
    (work / "extensions").write_text("basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n"
                                     "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    run("openssl", "x509", "-req", "-in", work / "csr", "-CA", ca.folder / "root.pem", "-CAkey", work / "root.key",
        "-CAcreateserial", "-days", "20", "-extfile", work / "extensions", "-out", ca.folder / "issuer.pem")
    chain = enrolled(place, ca)[2]
    assert len(chain) == 2 and verifies(ca.folder / "root.pem", chain)
    # Not beyond the end of who issues it.
    assert chain[0].not_valid_after <= chain[1].not_valid_after


def a_curve_and_larger_keys_are_encrypted_to_as_well(place):
    """No certificate is of these keys: what is tried is that the TPM opens what is made for each."""
    hashed = []
    for kind, digest in (("ecc256:aes128cfb", "sha256"), ("ecc384:aes256cfb", "sha384"), ("rsa3072:aes256cfb", "sha384")):
        machine, folder = place.machine, place.path()
        folder.mkdir()
        done = machine.tool("createprimary", "-C", "e", "-G", kind, "-g", digest, "-c", folder / "ek.ctx", "-a",
                            "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth", check=False)
        if done.returncode != 0 and kind.startswith("rsa"):
            continue  # a TPM need not have it
        assert done.returncode == 0, done.stderr
        machine.tool("readpublic", "-c", folder / "ek.ctx", "-f", "der", "-o", folder / "ek.der")
        der = (folder / "ek.der").read_bytes()
        hashed.append(digest)
        (place.folder / "list").write_text(sha256(der).hex() + "\n")
        ca = place.authority(policy="[machines]\nrequire-ek-certificate = no\n" f"ek-list = {place.folder}/list\n")
        answer = ca.sign(place.file(machine.request(place.key, ek=encode(der), ekCerts=[])))
        (folder / "credential").write_bytes(bytes.fromhex("badcc0de00000001") + base64.b64decode(answer["credential"])
                                            + base64.b64decode(answer["secret"]))
        machine.tool("activatecredential", "-c", place.key.folder / "key.ctx", "-C", folder / "ek.ctx", "-i",
                     folder / "credential", "-o", folder / "secret")
        assert b"BEGIN CERTIFICATE" in open_chain((folder / "secret").read_bytes(), answer)
    assert hashed[:2] == ["sha256", "sha384"]


def sha256(data):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def a_machine_without_an_ek_certificate_is_refused(place):
    bare = place.add("bare", certified=False)
    request = bare.request(bare.attestation_key())
    assert place.authority().refused(place.file(request)) == "ek-certificate-missing"
    # Unless the policy knows it by its key.
    (place.folder / "list").write_text(f"# the third laptop\n{sha256(bare.endorsement).hex()}\n")
    policy = f"[machines]\nrequire-ek-certificate = no\nek-list = {place.folder}/list\n"
    assert place.authority(policy=policy).sign(place.file(request))
    assert place.authority(policy=policy).refused(place.file(place.machine.request(place.key))) == "ek-not-listed"


def a_certificate_of_another_ek_is_refused(place):
    other = place.add("lender")
    request = place.machine.request(place.key, ekCerts=[encode(c) for c in other.certificates])
    assert place.authority().refused(place.file(request)) == "ek-certificate-of-another"
    # The one of this key is found among others.
    both = [encode(c) for c in other.certificates + place.machine.certificates]
    assert place.authority().sign(place.file(place.machine.request(place.key, ekCerts=both)))


def a_certificate_that_is_not_in_the_tpm_can_be_given(place):
    file = place.path()
    file.write_bytes(place.machine.certificates[0])
    request = place.file(place.machine.request(place.key, ekCerts=[]))
    assert place.authority().sign(request, "--ek-certificate", file)


def an_unknown_manufacturers_root_is_refused(place):
    stranger = Maker(place.folder / "stranger")
    machine = place.add("strange", stranger)
    request = machine.request(machine.attestation_key())
    assert place.authority().refused(place.file(request)) == "ek-certificate-unknown-issuer"
    assert place.authority(makers=[]).refused(place.file(request)) == "ek-certificate-unknown-issuer"
    assert place.authority(makers=[place.maker, stranger]).sign(place.file(request))
    # Without what is between, a root is not found.
    ca = place.authority(makers=[stranger])
    (ca.folder / "roots/stranger-issuer.pem").unlink()
    assert ca.refused(place.file(request)) == "ek-certificate-unknown-issuer"


def own_certificate(place, days=(-10, 10), name=IBM, usage="8.1", ca=False):
    """(a certificate of the machine's endorsement key by a maker of the test's own, its root)."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc).replace(tzinfo=None)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Maker")])
    root = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - timedelta(days=100)).not_valid_after(now + timedelta(days=100))
            .add_extension(x509.BasicConstraints(True, None), critical=True).sign(key, hashes.SHA256()))
    tpm = [x509.NameAttribute(x509.ObjectIdentifier(TCG + f"2.{n}"), text)
           for n, text in ((1, name if isinstance(name, str) else f"id:{name:08x}"), (2, "Model"), (3, "id:00010002"))]
    leaf = (x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(subject)
            .public_key(serialization.load_der_public_key(place.machine.endorsement)).serial_number(2)
            .not_valid_before(now + timedelta(days=days[0])).not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.SubjectAlternativeName([x509.DirectoryName(x509.Name(tpm))]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(TCG + usage)]), critical=False)
            .add_extension(x509.BasicConstraints(ca, None), critical=True))
    return leaf.sign(key, hashes.SHA256()), root


def tried(place, policy="", sabotage=lambda der: der, **more):
    """What becomes of a request with a certificate of the test's own: a reason, or "signed"."""
    leaf, root = own_certificate(place, **more)
    ca = place.authority(policy=policy)
    (ca.folder / "roots/own.der").write_bytes(root.public_bytes(serialization.Encoding.DER))
    der = sabotage(leaf.public_bytes(serialization.Encoding.DER))
    file = place.file(place.machine.request(place.key, ekCerts=[encode(der)]))
    done = subprocess.run(ca.command("sign", file), capture_output=True, text=True)
    return "signed" if done.returncode == 0 else done.stderr.split(": ")[2]


def an_ek_certificate_counts_only_in_its_time(place):
    assert tried(place) == "signed"
    assert tried(place, days=(-20, -10)) == "ek-certificate-expired"
    assert tried(place, days=(10, 20)) == "ek-certificate-expired"
    assert tried(place, "[machines]\ncheck-ek-expiry = no\n", days=(-20, -10)) == "signed"


def an_ek_certificate_is_one_of_an_endorsement_key(place):
    assert tried(place, usage="8.3") == "ek-certificate-invalid"
    assert tried(place, ca=True) == "ek-certificate-invalid"
    assert tried(place, name="Intel") == "ek-certificate-invalid"
    assert tried(place, sabotage=lambda der: changed(der, len(der) - 1)) in ("ek-certificate-invalid",
                                                                             "ek-certificate-malformed")
    assert tried(place, sabotage=lambda der: der[:-20]) == "ek-certificate-malformed"


def the_machine_cannot_call_its_tpm_another_makers(place):
    assert tried(place, name=0x494E5443) == "manufacturer-differs"
    info = {"version": 2, "manufacturer": str(0x494E5443), "model": "Intel", "firmwareVersion": "1.2"}
    request = place.machine.request(place.key, tpmInfo=info)
    assert place.authority().refused(place.file(request)) == "manufacturer-differs"


def keys_that_are_no_attestation_keys_are_refused(place):
    machine = place.machine

    def reason(**more):
        return place.authority().refused(place.file(machine.request(machine.attestation_key(**more))))

    plain = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda"
    assert reason(attributes=f"sign|{plain}") == "ak-not-restricted"
    assert reason(attributes="restricted|sign|sensitivedataorigin|userwithauth|noda") == "ak-not-fixed-tpm"
    assert reason(digest="sha384") == "ak-kind"
    # A hierarchy of another's, or a parent that is no primary key.
    assert reason(parent="e") == "creation-parent"
    middle = machine.create("restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth", scheme=None)
    assert reason(below=middle.folder) == "creation-parent"
    # One that does not sign certifies nothing: its public part is shown with the proof of a good one.
    request = with_params(machine.request(place.key), public=middle.public)
    assert place.authority().refused(place.file(request)) == "ak-kind"


def a_proof_of_creation_is_of_this_key_by_this_key(place):
    machine, key = place.machine, place.key
    good, ca = machine.request(key), place.authority()
    other = machine.attestation_key()

    def reason(**params):
        return ca.refused(place.file(with_params(good, **params)))

    assert reason(public=other.public) == "creation-name"
    assert reason(createData=changed(key.data, len(key.data) - 40)) in ("creation-data", "creation-malformed")
    assert reason(createData=other.data[:-1]) == "creation-malformed"
    assert reason(createAttestation=other.attestation) == "creation-name"
    assert reason(createAttestation=changed(key.attestation, 0)) == "creation-not-of-a-tpm"
    assert reason(createAttestation=changed(key.attestation, 5)) == "creation-kind"
    assert reason(createAttestation=key.attestation[:-1]) == "creation-malformed"
    # The clock is in nothing but the signature.
    assert reason(createAttestation=changed(key.attestation, 50)) == "creation-signature"
    assert reason(createSignature=changed(key.signature, len(key.signature) - 1)) == "creation-signature"
    assert reason(createSignature=other.signature) == "creation-signature"
    assert reason(createSignature=key.signature[:-1]) == "creation-malformed"
    assert reason(createSignature=b"\0\x14" + key.signature[2:]) == "creation-malformed"
    # Another key of the same TPM says that it was made.
    lent = machine.certify(machine.create(), by=other)
    assert ca.refused(place.file(machine.request(lent))) == "creation-signer"
    assert ca.sign(place.file(good)), "what was changed in this test is not good"


def a_key_in_software_gets_nothing_that_it_could_use(place):
    """All that a CA sees of a key can be forged; the TPM does not open the answer, as it has no such key."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    x, y = (n.to_bytes(32, "big") for n in (numbers.x, numbers.y))
    public = place.key.public[:-68] + b"\0\x20" + x + b"\0\x20" + y
    name = b"\0\x0b" + sha256(public)
    parent = place.key.data[-36 - 36 - 2:-36 - 2]
    assert parent[:4] == b"\0\x22\0\x0b"
    qualified = b"\0\x0b" + sha256(struct.pack(">I", 0x40000001) + parent[2:])
    signer = b"\0\x0b" + sha256(qualified + name)
    attestation = (place.key.attestation[:6] + b"\0\x22" + signer + b"\0\0" + bytes(25)
                   + b"\0\x22" + name + b"\0\x20" + sha256(place.key.data))
    r, s = decode_dss_signature(key.sign(attestation, ec.ECDSA(hashes.SHA256())))
    signature = b"\0\x18\0\x0b\0\x20" + r.to_bytes(32, "big") + b"\0\x20" + s.to_bytes(32, "big")
    forged = with_params(place.machine.request(place.key), public=public, createAttestation=attestation,
                         createSignature=signature)
    answer = place.authority().sign(place.file(forged))
    assert place.machine.activate(place.key, answer["credential"], answer["secret"]) is None


def malformed_requests_are_refused(place):
    ca, good = place.authority(), place.machine.request(place.key)

    def reason(value):
        file = place.path()
        file.write_bytes(value if isinstance(value, bytes) else place.file(value).read_bytes())
        return ca.refused(file)

    for text in (b"", b"[]", b"null", b"{", b"[" * 60000, b" " * 70000, b'{"v":1}x'):
        assert reason(text) in ("malformed-request", "unknown-version"), text[:20]
    for member in ("request", "created", "tpmInfo", "ek", "params"):
        assert reason({k: v for k, v in good.items() if k != member}) == "malformed-request", member
        assert reason({**good, member: 5}) == "malformed-request", member
        assert reason({**good, member: True}) == "malformed-request", member
    for params in ("public", "createData", "createAttestation", "createSignature"):
        assert reason({**good, "params": {**good["params"], params: "%%"}}) == "malformed-request"
    for more in ({"created": "yesterday"}, {"created": "2026-13-01T00:00:00Z"}, {"request": "a" * 21},
                 {"ek": encode(place.machine.endorsement + b"\0")}, {"ek": encode(b"\x30\0")}, {"ekCerts": "x"},
                 {"ekCerts": [5]}, {"ekCerts": good["ekCerts"] * 9}, {"machine": "a\nb"}, {"machine": "x" * 129},
                 {"tpmInfo": {}}, {"tpmInfo": {"manufacturer": 1 << 32}}, {"tpmInfo": {"manufacturer": True}},
                 {"tpmInfo": {**good["tpmInfo"], "firmwareVersion": "1"}},
                 {"tpmInfo": {**good["tpmInfo"], "firmwareVersion": "65536.0"}},
                 {"tpmInfo": {**good["tpmInfo"], "model": 7}},
                 {"params": {**good["params"], "useTCSDActivationFormat": True}}):
        assert reason({**good, **more}) == "malformed-request", more
    for more in ({"v": 2}, {"type": "tpmauthn-attestation-answer"}):
        assert reason({**good, **more}) == "unknown-version", more
    small = ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert reason({**good, "ek": encode(small)}) == "ek-kind"
    assert not ca.entries()


def a_request_is_answered_once_and_in_its_time(place):
    ca, request = place.authority(), place.machine.request(place.key)
    file = place.file(request)
    ca.sign(file)
    assert ca.refused(file) == "request-answered"

    def at(days):
        time = datetime.now(timezone.utc) + timedelta(days=days)
        return place.file(place.machine.request(place.key, created=time.strftime("%Y-%m-%dT%H:%M:%SZ")))

    assert ca.refused(at(-31)) == "request-expired"
    assert ca.refused(at(2)) == "request-from-the-future"
    assert ca.sign(at(-29))
    assert len(ca.entries()) == 2


def the_policy_is_obeyed(place):
    def result(policy):
        ca, file = place.authority(policy=policy), place.file(place.machine.request(place.key))
        done = subprocess.run(ca.command("sign", file), capture_output=True, text=True)
        return "signed" if done.returncode == 0 else done.stderr.split(": ")[2]

    ours = place.folder / "ours"
    ours.write_text(sha256(place.machine.endorsement).hex() + "\n")
    theirs = place.folder / "theirs"
    theirs.write_text("ab" * 32 + "\n")
    assert result(f"[machines]\nek-list = {ours}\n") == "signed"
    assert result(f"[machines]\nek-list = {theirs}\n") == "ek-not-listed"
    assert result(f"[machines]\nek-revoked = {ours}\n") == "ek-revoked"
    assert result(f"[machines]\nek-revoked = {theirs}\n") == "signed"
    assert result("[machines]\nmanufacturers = id:494E5443\n") == "manufacturer-refused"
    assert result("[machines]\nmanufacturers = id:494e5443 id:49424d00\n") == "signed"
    ca = place.authority(policy="[certificates]\nrename-manufacturers = id:49424D00=id:FFFFF1D0\ndays = 7\n"
                                "answer-hours = 2\n")
    _, answer, chain = enrolled(place, ca)
    assert "id:FFFFF1D0" in chain[0].extensions.get_extension_for_oid(
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value.get_values_for_type(x509.DirectoryName)[0].rfc4514_string()
    assert timedelta(days=6) < chain[0].not_valid_after - datetime.utcnow() <= timedelta(days=7)
    made, ends = (datetime.strptime(answer[m], "%Y-%m-%dT%H:%M:%SZ") for m in ("created", "expires"))
    assert ends - made == timedelta(hours=2)


def a_policy_that_contradicts_itself_is_refused(place):
    (place.folder / "both").write_text("ab" * 32 + "\n")
    (place.folder / "none").write_text("# nobody yet\n")
    (place.folder / "odd").write_text("laptop 3\n")
    both, none, odd = (place.folder / name for name in ("both", "none", "odd"))
    ca = place.authority()
    for policy, named in (
            ("[machines]\nrequire-ek-certificate = no\n", "require-ek-certificate"),
            (f"[machines]\nek-list = {none}\n", "ek-list"),
            (f"[machines]\nek-list = {both}\nek-revoked = {both}\n", "ek-list"),
            ("[certificates]\ndays = 1\nanswer-hours = 25\n", "answer-hours"),
            ("[certificates]\nrename-manufacturers = id:49424D00=id:494E5444 id:494E5444=id:494E5443\n",
             "rename-manufacturers"),
            ("[machines]\nmanufacturers = id:494E5443\n[certificates]\nrename-manufacturers = id:49424D00=id:FFFFF1D0\n",
             "rename-manufacturers"),
            ("[certificates]\nrename-manufacturers = id:49424D00=id:FFFFF1D0 id:49424D00=id:494E5443\n",
             "rename-manufacturers"),
            # What is merely wrong.
            ("[machines]\nrequire-ek-certificates = no\n", "require-ek-certificates"),
            ("[machine]\ndays = 1\n", "days"), ("[certificates]\ndays = 0\n", "days"),
            ("[certificates]\ndays = many\n", "days"), ("[machines]\ncheck-ek-expiry = perhaps\n", "check-ek-expiry"),
            ("[machines]\nmanufacturers = Intel\n", "manufacturers"), (f"[machines]\nek-list = {odd}\n", "ek-list"),
            ("[machines]\nek-list = /no/such/file\n", "ek-list"), ("days = 1\n", "policy.conf"),
            ("[certificates]\ndays = 1\ndays = 2\n", "days"), ("[DEFAULT]\ndays = 1\n", "days")):
        ca.write_policy(policy)
        assert named in ca.run("check", status=3), policy
        assert named in ca.run("sign", place.file(place.machine.request(place.key)), status=3), policy
    ca.run("init", status=3)


def the_policy_that_init_writes_is_the_default(place):
    ca = place.authority()
    ca.folder.joinpath("policy.conf").unlink()
    ca.run("check", status=3)
    fresh = place.path()
    made = type(ca)(fresh)
    made.run("init")
    text = (fresh / "policy.conf").read_text()
    made.run("check")
    ca.write_policy("")
    assert policy.load(fresh / "policy.conf") == policy.load(ca.folder / "policy.conf"), text


def a_ca_whose_keys_do_not_fit_does_not_sign(place):
    ca, other = place.authority("--two-tiers"), place.authority("--two-tiers")
    file = place.file(place.machine.request(place.key))
    for name in ("issuer.key", "issuer.pem", "root.pem"):
        before = (ca.folder / name).read_bytes()
        for wrong in ((other.folder / name).read_bytes(), b"", b"-----BEGIN CERTIFICATE-----\n"):
            (ca.folder / name).write_bytes(wrong)
            ca.run("sign", file, status=3)
        (ca.folder / name).write_bytes(before)
    (ca.folder / "roots/broken.pem").write_text("nothing")
    ca.run("sign", file, status=3)
    (ca.folder / "roots/broken.pem").unlink()
    ca.sign(file)


def a_log_that_was_cut_or_changed_is_noticed(place):
    ca = place.authority()
    for _ in range(3):
        ca.sign(place.file(place.machine.request(place.key)))
    log, head = ca.folder / "log.jsonl", ca.folder / "log.head"
    whole, named = log.read_bytes(), head.read_bytes()
    lines = whole.splitlines(keepends=True)
    noted = ca.run("head").strip()
    assert [e["n"] for e in ca.entries()] == [1, 2, 3]

    def broken(data, name=named):
        log.write_bytes(data)
        head.write_bytes(name)
        ca.run("check", status=3)
        ca.run("sign", place.file(place.machine.request(place.key)), status=3)

    for data in (b"", lines[0], lines[0] + lines[1], lines[0] + lines[2], lines[1] + lines[2],
                 lines[1] + lines[0] + lines[2], whole.replace(b'"ak":"000b', b'"ak":"000c', 1),
                 whole + lines[2], whole + b"{}\n", lines[0] + lines[1] + lines[2][:-1],
                 b"".join(lines).replace(b'"n":2', b'"n":7')):
        broken(data)
    broken(whole, b"9 " + named.split()[1])
    broken(whole, b"2 " + named.split()[1])
    broken(whole, b"nothing")
    head.unlink()
    log.write_bytes(whole)
    ca.run("check", status=3)
    # Both put back to what they were once: only a head that was noted elsewhere tells.
    head.write_text(f"2 {sha256(lines[1][:-1]).hex()}\n")
    log.write_bytes(lines[0] + lines[1])
    ca.run("check")
    ca.run("check", "--head", noted, status=3)
    head.write_bytes(named)
    log.write_bytes(whole)
    ca.run("check", "--head", noted)
    ca.sign(place.file(place.machine.request(place.key)))
    ca.run("check", "--head", noted)


def a_crash_between_log_and_head_is_healed(place):
    ca = place.authority()
    for _ in range(2):
        ca.sign(place.file(place.machine.request(place.key)))
    log, head = ca.folder / "log.jsonl", ca.folder / "log.head"
    first = log.read_bytes().splitlines(keepends=True)[0]
    # The second line was written, the head was not.
    head.write_text(f"1 {sha256(first[:-1]).hex()}\n")
    ca.run("check")
    ca.sign(place.file(place.machine.request(place.key)))
    assert len(ca.entries()) == 3
    # A line of which only a part was written.
    with open(log, "ab") as file:
        file.write(b'{"entry":{"ak"')
    ca.run("check")
    ca.sign(place.file(place.machine.request(place.key)))
    assert len(ca.entries()) == 4
    assert all(line.endswith(b"}") for line in log.read_bytes().splitlines())


def two_that_sign_at_once_write_one_log(place):
    ca = place.authority()
    files = [place.file(place.machine.request(place.key)) for _ in range(4)]
    running = [subprocess.Popen(ca.command("sign", file), stdout=subprocess.DEVNULL) for file in files]
    assert [process.wait(120) for process in running] == [0] * 4
    assert len(ca.entries()) == 4


TESTS = (
    a_good_request_is_answered_for_its_tpm,
    an_answer_is_of_no_use_to_another_tpm,
    an_answer_that_was_changed_is_not_opened,
    the_certificate_is_what_the_servers_libraries_demand,
    a_root_with_an_issuer_below_it_signs_too,
    an_issuer_of_a_ca_that_is_there_already_signs_too,
    a_curve_and_larger_keys_are_encrypted_to_as_well,
    a_machine_without_an_ek_certificate_is_refused,
    a_certificate_of_another_ek_is_refused,
    a_certificate_that_is_not_in_the_tpm_can_be_given,
    an_unknown_manufacturers_root_is_refused,
    an_ek_certificate_counts_only_in_its_time,
    an_ek_certificate_is_one_of_an_endorsement_key,
    the_machine_cannot_call_its_tpm_another_makers,
    keys_that_are_no_attestation_keys_are_refused,
    a_proof_of_creation_is_of_this_key_by_this_key,
    a_key_in_software_gets_nothing_that_it_could_use,
    malformed_requests_are_refused,
    a_request_is_answered_once_and_in_its_time,
    the_policy_is_obeyed,
    a_policy_that_contradicts_itself_is_refused,
    the_policy_that_init_writes_is_the_default,
    a_ca_whose_keys_do_not_fit_does_not_sign,
    a_log_that_was_cut_or_changed_is_noticed,
    a_crash_between_log_and_head_is_healed,
    two_that_sign_at_once_write_one_log,
)


def main():
    with Place() as place:
        return run_tests(TESTS, place)


if __name__ == "__main__":
    sys.exit(main())
