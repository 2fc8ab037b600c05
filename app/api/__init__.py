"""The REST API: routes, schemas, problem details, authentication. A route loads, calls one use
case and maps the outcome; `problems` lists every refusal, `roles` who may call.
"""
