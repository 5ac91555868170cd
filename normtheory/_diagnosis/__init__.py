"""What a diagnosis is made of: one file a part; :mod:`normtheory.diagnosis` puts them together."""
