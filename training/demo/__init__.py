"""The demonstration models: two small networks trained on the MNI152 template, and `make demo`."""
