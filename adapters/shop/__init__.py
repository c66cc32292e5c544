"""The shop's side: the control socket."""
