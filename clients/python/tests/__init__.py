"""Against a real gateway, which test/clients/python.test.ts starts."""
