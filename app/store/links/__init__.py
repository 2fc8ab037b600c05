"""The ledger of links, the twins, and the claims that pair them."""
