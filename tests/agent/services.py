# SPDX-License-Identifier: BSD-2-Clause
"""services.py notifications|portal: a service of a desktop on the session bus, played for a test.

Says on standard output, a JSON object a line, what it is asked. On standard input:
    notifications: "act ID" presses the button, "close ID" closes it.
    portal: a number is the colour scheme from now on (0 none, 1 dark, 2 light).
"""

import json
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NOTIFICATIONS = "org.freedesktop.Notifications"
SETTINGS = "org.freedesktop.portal.Settings"


def say(**what):
    print(json.dumps(what), flush=True)


class Notifications(dbus.service.Object):
    last = 0

    @dbus.service.method(NOTIFICATIONS, in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, _app, _replaces, icon, summary, body, actions, hints, timeout):
        Notifications.last += 1
        say(call="notify", id=Notifications.last, icon=icon, summary=summary, body=body, actions=list(actions),
            transient=bool(hints.get("transient", False)), timeout=int(timeout))
        return dbus.UInt32(Notifications.last)

    @dbus.service.method(NOTIFICATIONS, in_signature="u")
    def CloseNotification(self, number):
        say(call="close", id=int(number))

    @dbus.service.signal(NOTIFICATIONS, signature="us")
    def ActionInvoked(self, number, action):
        pass

    @dbus.service.signal(NOTIFICATIONS, signature="uu")
    def NotificationClosed(self, number, reason):
        pass

    def obey(self, line):
        what, number = line.split()
        if what == "act":
            self.ActionInvoked(dbus.UInt32(int(number)), "use")
        self.NotificationClosed(dbus.UInt32(int(number)), dbus.UInt32(2))


class Portal(dbus.service.Object):
    scheme = 0

    @dbus.service.method(SETTINGS, in_signature="ss", out_signature="v")
    def Read(self, namespace, key):
        say(call="read", namespace=namespace, key=key)
        return dbus.UInt32(self.scheme, variant_level=1)

    @dbus.service.signal(SETTINGS, signature="ssv")
    def SettingChanged(self, namespace, key, value):
        pass

    def obey(self, line):
        self.scheme = int(line)
        self.SettingChanged("org.freedesktop.appearance", "color-scheme", dbus.UInt32(self.scheme, variant_level=1))


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
if sys.argv[1] == "portal":
    name = dbus.service.BusName("org.freedesktop.portal.Desktop", bus)
    service = Portal(bus, "/org/freedesktop/portal/desktop")
else:
    name = dbus.service.BusName(NOTIFICATIONS, bus)
    service = Notifications(bus, "/org/freedesktop/Notifications")
say(call="ready")


def on_line(source, _condition):
    line = source.readline()
    if line:
        service.obey(line)
    return bool(line)


GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, on_line)
GLib.MainLoop().run()
