# SPDX-License-Identifier: BSD-2-Clause
"""Several programs with one swtpm, which serves one at a time: what /dev/tpmrm0 is to a real TPM, as far as the tests
beside this file need it. Commands go through one by one; nobody's objects are put aside.
"""

import random
import socket
import threading


def receive(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise OSError("the other end has gone")
        data += more
    return data


def message(connection):
    """A command or a response: its size stands in its head."""
    head = receive(connection, 10)
    return head + receive(connection, int.from_bytes(head[2:6], "big") - 10)


class Shared:
    """At .tcti, in the place of the swtpm at this port."""

    def __init__(self, port):
        self.port, self.lock = port, threading.Lock()
        self.tpm = socket.create_connection(("127.0.0.1", port))
        self.commands, self.controls = self._listen()
        self.tcti = f"swtpm:host=127.0.0.1,port={self.commands.getsockname()[1]}"
        for listening, serve in ((self.commands, self._serve_commands), (self.controls, self._serve_control)):
            threading.Thread(target=self._accept, args=(listening, serve), daemon=True).start()

    @staticmethod
    def _listen():
        while True:
            first = 20000 + random.randrange(12000)
            made = []
            try:
                for port in (first, first + 1):
                    made.append(socket.create_server(("127.0.0.1", port)))
                return made
            except OSError:
                for listening in made:
                    listening.close()

    def _accept(self, listening, serve):
        while True:
            try:
                connection = listening.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._until_it_ends, args=(serve, connection), daemon=True).start()

    @staticmethod
    def _until_it_ends(serve, connection):
        with connection:
            try:
                serve(connection)
            except OSError:
                pass

    def _serve_commands(self, connection):
        while True:
            command = message(connection)
            with self.lock:
                self.tpm.sendall(command)
                response = message(self.tpm)
            connection.sendall(response)

    def _serve_control(self, connection):
        """One exchange each, as tss2 does it."""
        while data := connection.recv(4096):
            with self.lock, socket.create_connection(("127.0.0.1", self.port + 1)) as control:
                control.sendall(data)
                connection.sendall(control.recv(4096))

    def stop(self):
        for listening in (self.commands, self.controls, self.tpm):
            listening.close()
