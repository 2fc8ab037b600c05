"""What use cases run on: the context, the write gate, create slots, Jira clients, the clock."""
