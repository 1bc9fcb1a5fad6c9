"""Snapshots of a student's process without walls: real forks, real sockets."""

import os
import signal
import socket
import time
from contextlib import contextmanager

import pytest

from examiner.candidate.snapshot import Snapshot
from examiner.proxy import Remote
from examiner.wire import Channel, SharedBlock


class Forked:
    """A candidate without walls: each snapshot is a fork of the test that holds a student's code."""

    def __init__(self, source="", serve=None):
        self.source, self.serve = source, serve or self._honestly

    @contextmanager
    def snapshot(self, _grade_id=""):
        """Fork a process that serves the wire; yield our end of it."""
        ours, theirs = socket.socketpair()
        blocks = SharedBlock.create(), SharedBlock.create()
        process = os.fork()
        if process == 0:
            ours.close()
            try:
                self.serve(Channel(theirs, *blocks))
            finally:
                os._exit(0)
        theirs.close()
        channel = Channel(ours, *reversed(blocks))
        try:
            yield channel
        finally:
            channel.close()
            for block in blocks:
                block.close()
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)

    @contextmanager
    def remote(self, seconds=20.0):
        """Yield the trusted end of a snapshot."""
        with self.snapshot() as channel:
            yield Remote(channel, time.monotonic() + seconds)

    def fate(self, _grade_id):
        """Nobody watches from outside."""

    def _honestly(self, channel):
        namespace = {"__name__": "__main__"}
        exec(self.source, namespace)
        Snapshot(channel, namespace).serve()


@pytest.fixture
def forked():
    return Forked
