"""The old name of ``manifest.lazy_frames``, kept for one release."""

from aurora_prep.manifest.lazy_frames import open_frames

__all__ = ["open_frames"]
