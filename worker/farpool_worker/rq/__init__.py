"""Where farpool meets RQ's own code: in children, in the scheduler thread, and as a class for `rq worker -w`."""
