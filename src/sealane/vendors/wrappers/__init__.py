"""Templates of the wrappers; see `sealane.vendors.render`."""
