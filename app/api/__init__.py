"""The REST API: routes, schemas, problem details, authentication. A route loads, calls one use
case and maps the outcome; what may be refused stands in ``problems``, who may call in ``roles``.
"""
