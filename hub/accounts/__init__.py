"""Users, organisations, passwords and access tokens."""
