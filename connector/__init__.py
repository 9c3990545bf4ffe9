"""Connects WooCommerce-style stores to TikTok."""

__version__ = "0.1.0"
