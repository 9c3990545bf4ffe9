"""Outbound: pending events in batches to TikTok, and what becomes of each."""
