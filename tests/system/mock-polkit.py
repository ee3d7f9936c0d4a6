# SPDX-License-Identifier: BSD-2-Clause
"""A polkit as a template for python3-dbusmock: python3 -m dbusmock --template THIS.

It says no to everything until it is told something else by methods of org.freedesktop.DBus.Mock: Answer(word), where
the word is yes, no, error or nothing. Asked() gives what was asked last, as "action pid uid flags", and
Cancelled() how many questions were taken back that had been asked.
"""

import dbus
from dbusmock import MOCK_IFACE

BUS_NAME = "org.freedesktop.PolicyKit1"
MAIN_OBJ = "/org/freedesktop/PolicyKit1/Authority"
MAIN_IFACE = "org.freedesktop.PolicyKit1.Authority"
SYSTEM_BUS = True


def load(mock, _parameters):
    mock.answer, mock.asked, mock.open, mock.cancelled = "no", "", set(), 0


@dbus.service.method(MAIN_IFACE, in_signature="(sa{sv})sa{ss}us", out_signature="(bba{ss})", async_callbacks=("answer", "fail"))
def CheckAuthorization(self, subject, action, details, flags, cancellation, answer, fail):
    kind, of = subject
    assert kind == "unix-process" and not details, (kind, details)
    self.asked = f"{action} {of['pid']} {of['uid']} {flags}"
    self.open.add(str(cancellation))
    if self.answer == "error":
        fail(dbus.exceptions.DBusException("as told", name="org.freedesktop.PolicyKit1.Error.Failed"))
    elif self.answer != "nothing":
        answer((dbus.Boolean(self.answer == "yes"), dbus.Boolean(False), dbus.Dictionary({}, signature="ss")))


@dbus.service.method(MAIN_IFACE, in_signature="s")
def CancelCheckAuthorization(self, cancellation):
    self.cancelled += str(cancellation) in self.open
    self.open.discard(str(cancellation))


@dbus.service.method(MOCK_IFACE, in_signature="s")
def Answer(self, word):
    self.answer = str(word)


@dbus.service.method(MOCK_IFACE, out_signature="s")
def Asked(self):
    return self.asked


@dbus.service.method(MOCK_IFACE, out_signature="u")
def Cancelled(self):
    return self.cancelled
