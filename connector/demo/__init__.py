"""Stand-ins for the two sides, TikTok and a store, for `make demo` and the tests."""
