"""Restore, undo, rescue and adopt: each builds a plan, applies it once approved, verifies it."""
