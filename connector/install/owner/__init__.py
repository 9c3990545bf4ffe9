"""The pages of the store's owner, behind a session."""
