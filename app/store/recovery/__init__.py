"""Tables of restores, rescues and adoptions, and the changes of their plans."""
