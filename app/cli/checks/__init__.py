"""What `twinlink doctor` and `twinlink audit verify` examine."""
