"""Ctrl-C that waits."""

import signal

import pytest

from chainrule.interrupts import deferred_interrupts


def test_ctrl_c_waits_for_the_end_of_a_block() -> None:
    finished = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        signal.raise_signal(signal.SIGINT)
        finished.append(True)
    assert finished
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
