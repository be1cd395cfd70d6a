"""What happened: a webhook body becomes an Event. Pure."""
