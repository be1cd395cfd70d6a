"""What leaves: notices on their way to people, by e-mail, Web Push and sound."""
