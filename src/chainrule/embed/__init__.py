"""Words: from a text to vectors, and from vectors to answers."""

from __future__ import annotations
