"""HTTP only: routes by resource, schemas, dependencies, and the mapping of errors to problem+json."""
