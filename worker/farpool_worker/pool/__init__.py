"""The pool: a fixed number of slots, each with a child process.  It has never heard of Redis."""
