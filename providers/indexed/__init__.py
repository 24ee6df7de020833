"""Files cut by the index beside them: wanted, listing, ranges, messages, host, client."""
