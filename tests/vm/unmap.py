# SPDX-License-Identifier: BSD-2-Clause
"""unmap.py WINDOW: waits until that window of $DISPLAY leaves the screen, and says when that was, in
milliseconds since the boot. It says "watching" first.
"""

import ctypes
import ctypes.util
import sys
import time

STRUCTURE_NOTIFY_MASK = 1 << 17
UNMAP_NOTIFY = 18


class Event(ctypes.Union):
    _fields_ = [("type", ctypes.c_int), ("pad", ctypes.c_long * 24)]


x = ctypes.CDLL(ctypes.util.find_library("X11"))
x.XOpenDisplay.restype = ctypes.c_void_p
x.XSelectInput.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_long]
x.XSync.argtypes = [ctypes.c_void_p, ctypes.c_int]
x.XNextEvent.argtypes = [ctypes.c_void_p, ctypes.POINTER(Event)]

display = x.XOpenDisplay(None)
x.XSelectInput(display, int(sys.argv[1], 0), STRUCTURE_NOTIFY_MASK)
x.XSync(display, 0)
print("watching", flush=True)
event = Event()
while event.type != UNMAP_NOTIFY:
    x.XNextEvent(display, ctypes.byref(event))
print(int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000))
