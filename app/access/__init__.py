"""Who may do what, and who did: API keys, scopes, the audit trail."""
