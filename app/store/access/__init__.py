"""Who calls the API: tokens, sign-ins of people, and answers that a repeated call gets again."""
