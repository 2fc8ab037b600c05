"""Rate budgets and circuits, shared by all workers through Redis."""
