"""The guest book: a Django project and its only application in one package."""
