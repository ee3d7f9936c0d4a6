# SPDX-License-Identifier: BSD-2-Clause
"""test-http.py: attestation-ca serve as smallstep's attestation client would use it, as TAP.

The members of requests and answers are those of go.step.sm/crypto/tpm/attestation, client.go.
"""

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading

from machine import encode
from place import Place, Serving, with_params
from tap import run_tests

from cryptography import x509


def smallstep_request(machine, key, **changes):
    """As that client makes it: nothing of tpmauthn is in it."""
    ours = machine.request(key)
    made = {name: ours[name] for name in ("tpmInfo", "ek", "ekCerts", "params")}
    return {**made, "params": {k: v for k, v in made["params"].items() if v is not False}, **changes}


def certificates_of(answer):
    assert set(answer) == {"chain"}
    return [x509.load_der_x509_certificate(base64.b64decode(text)) for text in answer["chain"]]


def prove(place, at, request):
    """(status, answer) of /secret, once the TPM has opened what /attest gave."""
    status, answer = at.post("/attest", request)
    assert status == 200 and set(answer) == {"credential", "secret"}, answer
    secret = place.machine.activate(place.key, answer["credential"], answer["secret"])
    return at.post("/secret", {"secret": encode(secret)})


def smallsteps_client_gets_its_chain(place):
    ca = place.authority("--two-tiers")
    with Serving(ca) as at:
        status, answer = prove(place, at, smallstep_request(place.machine, place.key))
        assert status == 200
        chain = certificates_of(answer)
        assert len(chain) == 2
        point = chain[0].public_key().public_numbers()
        assert place.key.public.endswith(point.x.to_bytes(32, "big") + b"\0\x20" + point.y.to_bytes(32, "big"))
        (entry,) = ca.entries()
        assert entry["way"] == "http" and entry["request"] is None
        assert int(entry["serial"], 16) == chain[0].serial_number


def the_object_of_tpm_info_is_understood_too(place):
    info = {"version": "2.0", "interface": "kernel-managed", "vendorInfo": "SW TPM", "firmwareVersion": "8217.4131",
            "manufacturer": {"id": 0x49424D00, "name": "IBM", "ascii": "IBM", "hex": "49424D00"}}
    with Serving(place.authority()) as at:
        assert prove(place, at, smallstep_request(place.machine, place.key, tpmInfo=info))[0] == 200


def a_request_of_tpmauthn_is_taken_as_it_is_and_once(place):
    ca, request = place.authority(), place.machine.request(place.key, machine="laptop 7")
    with Serving(ca) as at:
        assert prove(place, at, request)[0] == 200
        assert ca.entries()[0]["machine"] == "laptop 7" and ca.entries()[0]["request"] == request["request"]
        status, answer = prove(place, at, request)
        assert (status, answer["error"]) == (403, "request-answered")


def nothing_is_signed_without_the_secret(place):
    ca = place.authority()
    with Serving(ca) as at:
        status, answer = at.post("/attest", smallstep_request(place.machine, place.key))
        assert status == 200
        for secret in (os.urandom(32), b"", base64.b64decode(answer["secret"])):
            status, refused = at.post("/secret", {"secret": encode(secret)})
            assert (status, refused["error"]) == (403, "secret-wrong")
        secret = place.machine.activate(place.key, answer["credential"], answer["secret"])
        assert at.post("/secret", {"secret": encode(secret)})[0] == 200
        # It counts once.
        assert at.post("/secret", {"secret": encode(secret)})[0] == 403
        for body in ({}, [], {"secret": 5}, {"secret": "%"}, b"{", b"[" * 50000):
            assert at.post("/secret", body)[0] == 400, body
        assert len(ca.entries()) == 1


def refusals_have_their_reasons(place):
    other = place.add("another")
    good = smallstep_request(place.machine, place.key)
    with Serving(place.authority()) as at:
        for request, status, reason in (
                ({**good, "ekCerts": None}, 403, "ek-certificate-missing"),
                ({**good, "ekCerts": [encode(c) for c in other.certificates]}, 403, "ek-certificate-of-another"),
                (with_params(good, public=other.attestation_key().public), 403, "creation-name"),
                ({}, 400, "malformed-request"), (b"", 400, "malformed-request"), (b"\xff\xfe{", 400, "malformed-request")):
            assert (at.post("/attest", request)[0], at.post("/attest", request)[1]["error"]) == (status, reason)
        assert at.post("/other", good)[0] == 404
        assert at.raw(b"GET /attest HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 405 ")
        assert at.raw(b"PUT /attest HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 501 ")
        assert at.raw(b"POST /attest HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 411 ")
        assert at.raw(b"POST /attest HTTP/1.1\r\nContent-Length: -5\r\n\r\n").startswith(b"HTTP/1.1 411 ")
        assert at.raw(b"POST /attest HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n").startswith(b"HTTP/1.1 413 ")
        assert prove(place, at, good)[0] == 200


def who_is_slow_holds_up_no_other(place):
    with Serving(place.authority()) as at:
        idle = [socket.create_connection(("127.0.0.1", at.port)) for _ in range(20)]
        for connection in idle:
            connection.sendall(b"POST /attest HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        assert prove(place, at, smallstep_request(place.machine, place.key))[0] == 200
        for connection in idle:
            connection.close()


def open_requests_are_limited(place):
    request = smallstep_request(place.machine, place.key)
    with Serving(place.authority()) as at:
        statuses = []

        def ask(count):
            for _ in range(count):
                statuses.append(at.post("/attest", request)[0])

        threads = [threading.Thread(target=ask, args=(65,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        assert sorted(statuses) == [200] * 256 + [503] * 4, sorted(statuses)[-8:]


def a_changed_policy_counts_at_once_and_a_broken_one_stops(place):
    ca, request = place.authority(), smallstep_request(place.machine, place.key)
    with Serving(ca) as at:
        assert at.post("/attest", request)[0] == 200
        ca.write_policy("[machines]\nmanufacturers = id:494E5443\n")
        assert at.post("/attest", request)[1]["error"] == "manufacturer-refused"
        ca.write_policy("[machines]\nrequire-ek-certificate = no\n")
        status, answer = at.post("/attest", request)
        assert (status, answer["error"]) == (500, "broken")
        # Of what is wrong inside, a client learns nothing.
        assert "policy" not in json.dumps(answer) and str(ca.folder) not in json.dumps(answer)
        assert "require-ek-certificate" in at.log()
    ca.run("serve", "--listen", "127.0.0.1:0", status=3)


def other_computers_are_served_by_tls_alone(place):
    ca = place.authority()
    for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
        assert "--tls-certificate" in ca.run("serve", "--listen", listen, status=3)
    with Serving(ca, "--listen", "[::1]:0"):
        pass
    for listen in ("127.0.0.1", "127.0.0.1:http", ":5"):
        ca.run("serve", "--listen", listen, status=3)
    certificate, key = place.tls()
    with Serving(ca, "--listen", "0.0.0.0:0", "--tls-certificate", certificate, "--tls-key", key,
                 trust=certificate) as at:
        silent = socket.create_connection(("127.0.0.1", at.port))
        assert prove(place, at, smallstep_request(place.machine, place.key))[0] == 200
        silent.close()
        try:
            http.client.HTTPSConnection("127.0.0.1", at.port, timeout=20).request("POST", "/attest", b"{}")
        except ssl.SSLCertVerificationError:
            pass
        else:
            raise AssertionError("a certificate that nobody vouches for is taken")


def it_ends_when_it_is_told_to(place):
    with Serving(place.authority()) as at:
        at.process.terminate()
        assert at.process.wait(30) == 0
    assert subprocess.run(place.authority().command("serve", "--listen", "192.0.2.1:0", "--tls-certificate",
                                                    place.tls()[0]), capture_output=True).returncode == 3


TESTS = (
    smallsteps_client_gets_its_chain,
    the_object_of_tpm_info_is_understood_too,
    a_request_of_tpmauthn_is_taken_as_it_is_and_once,
    nothing_is_signed_without_the_secret,
    refusals_have_their_reasons,
    who_is_slow_holds_up_no_other,
    open_requests_are_limited,
    a_changed_policy_counts_at_once_and_a_broken_one_stops,
    other_computers_are_served_by_tls_alone,
    it_ends_when_it_is_told_to,
)


def main():
    with Place() as place:
        return run_tests(TESTS, place)


if __name__ == "__main__":
    sys.exit(main())
