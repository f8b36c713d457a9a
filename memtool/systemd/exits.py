"""What the exit code of a unit's process means, in words: systemd's own codes, memtool's, and signals. Pure."""

from __future__ import annotations

import signal

from memtool.errors import EXIT_CODES, FAILED

_NOT_FOUND = 127
# What systemd could not do before it started the program: systemd.exec(5), "Process Exit Codes".
_SYSTEMD = {
    200: "its working directory cannot be entered",
    201: "its CPU priority cannot be set",
    202: "its open files cannot be prepared",
    203: "its program cannot be started: it or its interpreter is missing or may not be run",
    204: "there was not enough memory",
    205: "its resource limits cannot be set",
    206: "its OOMScoreAdjust= cannot be set",
    207: "its signal mask cannot be set",
    208: "its standard input cannot be set up",
    209: "its standard output cannot be set up",
    210: "its root directory cannot be entered",
    211: "its I/O priority cannot be set",
    212: "its timer slack cannot be set",
    213: "its secure bits cannot be set",
    214: "its CPU scheduling cannot be set",
    215: "its CPU affinity cannot be set",
    216: "its group does not exist or cannot be taken on",
    217: "its user does not exist, or user namespaces do not work here",
    218: "its capabilities cannot be set",
    219: "its control group cannot be set up",
    220: "its session cannot be made",
    221: "a person refused its start",
    222: "its standard error cannot be set up",
    224: "PAM refused its session",
    225: "its private network cannot be set up",
    226: "its sandbox cannot be set up: a directory that it names may be missing",
    227: "NoNewPrivileges= cannot be set",
    228: "its filter of system calls cannot be set",
    229: "its SELinux context cannot be set",
    230: "its execution domain cannot be set",
    231: "its AppArmor profile cannot be set",
    232: "its address families cannot be restricted",
    233: "its runtime directory cannot be made",
    235: "the owner of its socket cannot be changed",
    236: "its SMACK label cannot be set",
    237: "its keyring cannot be set up",
    238: "its state directory cannot be made",
    239: "its cache directory cannot be made",
    240: "its log directory cannot be made",
    241: "its configuration directory cannot be made",
    242: "its NUMA memory policy cannot be set",
    243: "its credentials cannot be read",
    244: "its BPF programs cannot be loaded",
}
_OURS = {row.code: row.meaning for row in EXIT_CODES} | {
    FAILED.code: "Python ended with an error, so a part of the program may be missing",
    126: "its program may not be run",
    _NOT_FOUND: "its program was not found",
}


def exit_words(code: int) -> str:
    """Return what the exit code of a process that recorded nothing means; empty if that is not known.

    A negative code is the signal that killed it.
    """
    return "" if code < 0 else _SYSTEMD.get(code) or _OURS.get(code, "")


def is_before_start(code: int) -> bool:
    """Return whether systemd ended with this code because it could not start the program."""
    return code in _SYSTEMD


def exit_name(code: int) -> str:
    """Return such as `exit 203` and `signal KILL`."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"signal {signal.Signals(-code).name.removeprefix('SIG')}"
    except ValueError:
        return f"signal {-code}"
