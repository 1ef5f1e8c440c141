"""Runs a program in a pseudo-terminal: pseudo_terminal.py COLUMNS ROWS PROGRAM ARGUMENT...

What is written to stdin are the keys pressed, what comes on stdout is what the screen gets. Ends with the program's exit
status, or with 128 and the number of the signal that ended it.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

COLUMNS, ROWS, *PROGRAM = sys.argv[1:]


def start() -> tuple[int, int]:
    pid, master = pty.fork()
    if pid == 0:
        # Before the program can ask for it.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", int(ROWS), int(COLUMNS), 0, 0))
        os.execvp(PROGRAM[0], PROGRAM)
    return pid, master


def relay(master: int) -> None:
    sources = [master, 0]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if 0 in ready:
            keys = os.read(0, 65536)
            if keys:
                os.write(master, keys)
            else:
                sources.remove(0)
        if master in ready:
            try:
                screen = os.read(master, 65536)
            except OSError:  # EIO: the program and all it started have closed the terminal
                return
            if not screen:
                return
            os.write(1, screen)


pid, master = start()
relay(master)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(status if status >= 0 else 128 - status)
