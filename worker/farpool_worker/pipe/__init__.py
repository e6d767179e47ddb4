"""What passes between the daemon and a child: messages, and the work that they ask for."""
