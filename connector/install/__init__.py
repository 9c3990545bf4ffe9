"""Installing through the store, keeping its webhooks alive, and the pages of the store's owner."""
