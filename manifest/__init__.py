"""What is there: records, queries, coverage and verification."""
