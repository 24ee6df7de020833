"""The embedded provider: a loopback server that speaks what the real ones speak.

Everything it gives is synthetic, and says so: in the server's name, in the
messages of its catalogue, in the results of a job and in every NetCDF file.
"""

from aurora_prep.providers.embedded.atmosphere import truth
from aurora_prep.providers.embedded.faults import ALWAYS, FAULTS, Faults
from aurora_prep.providers.embedded.server import EmbeddedProvider, serve
from aurora_prep.providers.embedded.transport import Exchange

__all__ = ["ALWAYS", "FAULTS", "EmbeddedProvider", "Exchange", "Faults", "serve", "truth"]
