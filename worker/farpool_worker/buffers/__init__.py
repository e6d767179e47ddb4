"""Memory without a name, in which large values pass between the daemon and its children."""
