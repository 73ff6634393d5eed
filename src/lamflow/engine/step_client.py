"""Ask the step server for a step and end with its status: ``step_client.py SOCKET FOLDER SCRIPT``.

Started for every step with ``python -I -S``, so it imports nothing but the socket module.
"""

import socket
import sys

if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        connection.sendall("".join(f"{path}\n" for path in sys.argv[2:4]).encode())
        answer = connection.makefile().readline()
    sys.exit(int(answer) if answer else 1)
