"""HTTP over TLS: the same server, client and agent with TLS underneath."""
