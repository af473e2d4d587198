"""
What people write, typed: Gloo's resources and the Kubernetes kinds that give endpoints.

In: parsed documents. Out: an immutable index of resources, and a diagnostic for every field that
is not as the API says. Knows nothing of routes' meaning, of proxies or of Envoy.
"""
