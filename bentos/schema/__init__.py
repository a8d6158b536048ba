"""Request and response models of the service, and the errors of a request."""
