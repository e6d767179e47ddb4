"""Functions as tasks: called here, submitted for a future, or enqueued as RQ's jobs.

Workers import what is here with the user's modules, so it loads neither redis nor rq before something is sent.
"""
