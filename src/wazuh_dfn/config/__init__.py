"""The configuration: `model.Settings` says what there is, `load.load_settings` reads it from file, environment and flags."""
