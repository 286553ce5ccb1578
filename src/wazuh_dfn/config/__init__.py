"""The configuration: `settings.Settings` has all of it, `loading.load_settings` reads it from file, environment and flags."""
