"""Imported by the fork server alone: what ends it is told in a sentence by the process that started it."""

import sys

sys.excepthook = lambda *_: None
