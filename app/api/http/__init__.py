"""HTTP: the server, middleware, bodies, authentication, rate limits, errors and the OpenAPI document."""
