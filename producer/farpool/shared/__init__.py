"""Objects that many hosts share: queues, locks and values on Redis, with the words of multiprocessing."""
