"""The embedded provider: a loopback server that speaks what the real ones speak."""
