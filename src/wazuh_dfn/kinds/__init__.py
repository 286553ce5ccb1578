"""The kinds of alerts: all that is particular to one stands in its module, and the catalogue names them all."""
