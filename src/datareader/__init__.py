"""From the database to a `Dataset`."""
