"""Web Push: the message, the services, the page on which a browser subscribes."""
