"""What commands print, the options they share, and how they end."""
