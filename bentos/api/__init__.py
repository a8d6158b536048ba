"""HTTP endpoints, middleware and pages of the service."""
