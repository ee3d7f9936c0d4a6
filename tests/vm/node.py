# SPDX-License-Identifier: BSD-2-Clause
"""node.py PHYS UNIQ [PRODUCT]: a virtual security key that does nothing, made as tpmauthnd makes its own.

Prints its node when there is one, and keeps it until it is ended.
"""

import glob
import os
import signal
import struct
import sys
import time

UHID_CREATE2 = 11
DESCRIPTOR = bytes.fromhex(
    "06d0f10901a1010920150026ff007508954081020921150026ff00750895409102c0"
)


def main():
    phys, uniq = sys.argv[1:3]
    product = int(sys.argv[3], 0) if len(sys.argv) > 3 else 0x000D
    request = struct.pack(
        "<I128s64s64sHHIIII4096s",
        UHID_CREATE2, b"TPM Passkey", phys.encode(), uniq.encode(),
        len(DESCRIPTOR), 3, 0x1209, product, 1, 0, DESCRIPTOR,
    )
    fd = os.open("/dev/uhid", os.O_RDWR)
    os.write(fd, request)
    for _ in range(200):
        for path in glob.glob("/sys/class/hidraw/*/device/uevent"):
            with open(path, encoding="utf-8") as file:
                lines = file.read().split("\n")
            node = "/dev/" + path.split("/")[4]
            if f"HID_PHYS={phys}" in lines and f"HID_ID=0003:00001209:{product:08X}" in lines \
                    and os.path.exists(node):
                print(node, flush=True)
                signal.pause()
        time.sleep(0.1)
    sys.exit("no node")


main()
