"""Who calls and what they may do: tokens, roles, throttling of failed attempts."""
