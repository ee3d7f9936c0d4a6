# SPDX-License-Identifier: BSD-2-Clause
"""Which machines get a certificate, and for how long: policy.conf, in a form that can be read aloud.

Every key has a default, a key that is not known is an error, and so is a policy that contradicts itself: it would do
something else than who wrote it believes.
"""

import configparser
import re
from dataclasses import dataclass, field
from pathlib import Path

from attestation.refusal import Broken, Refused

EXAMPLE = """\
# Which machines get a certificate of their attestation key. attestation-ca check says what is wrong in here.

[machines]
# yes: only a TPM whose endorsement key a manufacturer in roots/ vouches for.
# no: also one without a certificate, if ek-list names its endorsement key.
require-ek-certificate = yes
# yes: only while that certificate is valid. Some manufacturers' end before the computer does.
check-ek-expiry = yes
# A file of endorsement keys, a SHA-256 of the public key (tpmauthn attestation show) in each line: only these.
ek-list =
# The same, of those that get none any more.
ek-revoked =
# Manufacturers as the TPM names them, such as id:494E5443 id:53544D20: only these.
manufacturers =
# Requests that are older get no answer.
request-days = 30

[certificates]
days = 365
# How long an answer can be installed.
answer-hours = 168
# A manufacturer's id=another: what servers know some simulators by.
rename-manufacturers =
"""

DEFAULTS = {
    ("machines", "require-ek-certificate"): "yes",
    ("machines", "check-ek-expiry"): "yes",
    ("machines", "ek-list"): "",
    ("machines", "ek-revoked"): "",
    ("machines", "manufacturers"): "",
    ("machines", "request-days"): "30",
    ("certificates", "days"): "365",
    ("certificates", "answer-hours"): "168",
    ("certificates", "rename-manufacturers"): "",
}
ID = re.compile(r"id:([0-9A-Fa-f]{8})")


@dataclass(frozen=True)
class Policy:
    require_certificate: bool
    check_expiry: bool
    allowed: frozenset = None  # None: all
    revoked: frozenset = frozenset()
    manufacturers: frozenset = None
    request_days: int = 30
    days: int = 365
    answer_hours: int = 168
    renamed: dict = field(default_factory=dict)

    def check_machine(self, endorsement_hash, manufacturer):
        if endorsement_hash in self.revoked:
            raise Refused("ek-revoked", f"ek-revoked names this machine's endorsement key, {endorsement_hash}")
        if self.allowed is not None and endorsement_hash not in self.allowed:
            raise Refused("ek-not-listed", f"ek-list does not name this machine's endorsement key, {endorsement_hash}")
        if self.manufacturers is not None and manufacturer not in self.manufacturers:
            raise Refused("manufacturer-refused", f"the policy does not name the manufacturer id:{manufacturer:08X}")


class Keys:
    """The file's values, by their types, and complaints that name the file and the key."""

    def __init__(self, path):
        self.path = path
        parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"),
                                           default_section="no such section")
        try:
            with open(path, encoding="utf-8") as file:
                parser.read_file(file)
        except (configparser.Error, UnicodeDecodeError) as error:
            raise Broken(f"{path}: {error}") from None
        self.values = {(section, key): parser[section][key] for section in parser.sections() for key in parser[section]}
        for section, key in self.values:
            if (section, key) not in DEFAULTS:
                raise self.wrong(key, f"there is no such key in [{section}]")

    def wrong(self, key, text):
        return Broken(f"{self.path}: {key}: {text}")

    def text(self, section, key):
        return self.values.get((section, key), DEFAULTS[section, key]).strip()

    def boolean(self, section, key):
        value = self.text(section, key)
        if value not in ("yes", "no"):
            raise self.wrong(key, f"'{value}' is neither yes nor no")
        return value == "yes"

    def number(self, section, key, least, most):
        value = self.text(section, key)
        if not re.fullmatch(r"\d{1,6}", value) or not least <= int(value) <= most:
            raise self.wrong(key, f"'{value}' is not a number from {least} to {most}")
        return int(value)

    def ids(self, section, key):
        words = self.text(section, key).split()
        for word in words:
            if not ID.fullmatch(word):
                raise self.wrong(key, f"'{word}' is not of the form id:494E5443")
        return frozenset(int(word[3:], 16) for word in words) or None

    def pairs(self, section, key):
        found = {}
        for word in self.text(section, key).split():
            names = [ID.fullmatch(part) for part in word.split("=")]
            if len(names) != 2 or not all(names):
                raise self.wrong(key, f"'{word}' is not of the form id:49424D00=id:FFFFF1D0")
            before, after = (int(name[1], 16) for name in names)
            if before in found:
                raise self.wrong(key, f"id:{before:08X} is renamed twice")
            found[before] = after
        return found

    def hashes(self, section, key):
        name = self.text(section, key)
        if not name:
            return None
        try:
            lines = (self.path.parent / name).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise self.wrong(key, str(error)) from None
        found = set()
        for number, line in enumerate(lines, 1):
            if not (line := line.split("#")[0].strip()):
                continue
            if not re.fullmatch(r"[0-9a-f]{64}", line):
                raise self.wrong(key, f"{name}:{number}: not a SHA-256 in lower case")
            found.add(line)
        return frozenset(found)


def contradictions(policy):
    if not policy.require_certificate and policy.allowed is None:
        yield ("require-ek-certificate", "without a certificate and without ek-list anything that says it is a TPM "
                                         "would get a certificate")
    if policy.allowed is not None and not policy.allowed:
        yield "ek-list", "it names no machine, so that none would get a certificate"
    for both in sorted((policy.allowed or frozenset()) & policy.revoked):
        yield "ek-list", f"{both} is in ek-revoked too"
    if policy.answer_hours > policy.days * 24:
        yield "answer-hours", f"an answer could be installed when its certificate has ended, after {policy.days} days"
    for before, after in policy.renamed.items():
        if after in policy.renamed:
            yield "rename-manufacturers", f"id:{after:08X} is renamed itself"
        if policy.manufacturers is not None and before not in policy.manufacturers:
            yield "rename-manufacturers", f"manufacturers does not have id:{before:08X}"


def load(path):
    path = Path(path)
    keys = Keys(path)
    policy = Policy(
        require_certificate=keys.boolean("machines", "require-ek-certificate"),
        check_expiry=keys.boolean("machines", "check-ek-expiry"),
        allowed=keys.hashes("machines", "ek-list"),
        revoked=keys.hashes("machines", "ek-revoked") or frozenset(),
        manufacturers=keys.ids("machines", "manufacturers"),
        request_days=keys.number("machines", "request-days", 1, 3650),
        days=keys.number("certificates", "days", 1, 36500),
        answer_hours=keys.number("certificates", "answer-hours", 1, 8760),
        renamed=keys.pairs("certificates", "rename-manufacturers"))
    for key, text in contradictions(policy):
        raise keys.wrong(key, text)
    return policy
