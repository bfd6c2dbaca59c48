"""Fine-tune what was fetched, run it on a volume, and train the demonstration models."""
