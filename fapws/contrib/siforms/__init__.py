"""A small form library: `forms` lays out and checks a form, `widgets` are its fields."""
