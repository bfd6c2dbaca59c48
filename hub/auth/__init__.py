"""Who is asking. `hub.auth.service` turns a bearer token into an actor; `hub.auth.signatures` signs URLs."""
