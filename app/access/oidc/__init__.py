"""Sign-in of people by an OpenID provider: tokens, grants and sessions."""
