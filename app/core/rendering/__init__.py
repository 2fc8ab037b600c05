"""Text for people made from text that others wrote, so that it formats and steers nothing."""
