"""The stores that people would pick instead, driven the same way from the same process."""
