"""Where bytes come from: real clients, the cache, and the embedded provider."""
