"""Webhooks: deliveries parsed, signatures checked, registrations managed."""
