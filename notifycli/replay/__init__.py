"""Files become events. It knows neither the terminal nor the store."""
