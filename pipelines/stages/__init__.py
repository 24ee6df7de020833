"""The stages, in the order the data flow."""
