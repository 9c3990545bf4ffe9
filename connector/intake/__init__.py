"""The receiving side: endpoint, group-committing journal, processing of what was stored."""
