"""What is tried before it is rolled out. Expectations, scenarios, reports."""
