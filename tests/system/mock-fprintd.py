# SPDX-License-Identifier: BSD-2-Clause
"""A fprintd with one reader, as a template for python3-dbusmock: python3 -m dbusmock --template THIS.

What the person does, and what goes wrong, is told by methods of org.freedesktop.DBus.Mock on the manager:
Finger(result, done), Fail(method, error), Unplug().
"""

import dbus
from dbusmock import MOCK_IFACE, mockobject

BUS_NAME = "net.reactivated.Fprint"
MAIN_OBJ = "/net/reactivated/Fprint/Manager"
MAIN_IFACE = "net.reactivated.Fprint.Manager"
SYSTEM_BUS = True

DEVICE = "net.reactivated.Fprint.Device"
READER = "/net/reactivated/Fprint/Device/0"
ERROR = "net.reactivated.Fprint.Error."


def call(method, argument=""):
    f = mockobject.objects[MAIN_OBJ]
    if method in f.failures:
        raise dbus.exceptions.DBusException("as told", name=f.failures[method])
    if method == "ListEnrolledFingers":
        return dbus.Array(["right-index-finger"], signature="s")
    # The order that fprintd insists on.
    wanted = {"Claim": "free", "VerifyStart": "claimed", "VerifyStop": "started", "Release": "claimed"}
    if f.state != wanted[method]:
        raise dbus.exceptions.DBusException(f"it is {f.state}", name=ERROR + "ClaimDevice")
    f.state = {"Claim": "claimed", "VerifyStart": "started", "VerifyStop": "claimed", "Release": "free"}[method]
    f.claimant = str(argument) if method == "Claim" else f.claimant
    return None


def method_of_reader(name):
    return lambda _self, *arguments: call(name, *arguments)


def load(mock, _parameters):
    mock.failures = {}
    mock.state = "free"
    mock.claimant = ""
    mock.AddObject(READER, DEVICE, {}, [
        (name, arguments, out, method_of_reader(name))
        for name, arguments, out in (
            ("ListEnrolledFingers", "s", "as"), ("Claim", "s", ""), ("Release", "", ""),
            ("VerifyStart", "s", ""), ("VerifyStop", "", ""))])


@dbus.service.method(MAIN_IFACE, in_signature="", out_signature="ao")
def GetDevices(_self):
    return [path for path in mockobject.objects if path == READER]


@dbus.service.method(MOCK_IFACE, in_signature="sb", out_signature="")
def Finger(self, result, done):
    if self.state == "started":
        mockobject.objects[READER].EmitSignal(DEVICE, "VerifyStatus", "sb", [result, done])


@dbus.service.method(MOCK_IFACE, in_signature="ss", out_signature="")
def Fail(self, method, error):
    self.failures = {str(method): ERROR + str(error)} if error else {}


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="")
def Unplug(self):
    self.Finger("verify-disconnected", True)
    self.RemoveObject(READER)


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="ss")
def Reader(self):
    return self.state, self.claimant
