"""Tables, engine, queries by subject and the encryption of credentials."""
