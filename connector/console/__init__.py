"""The support console: any question about an order answered on one page."""
