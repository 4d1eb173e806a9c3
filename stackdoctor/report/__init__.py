"""What is said of a cloud: one ``Report`` value, and the formats that are made from it."""
