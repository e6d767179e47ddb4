#!lua flags=allow-oom
-- (any) -> closed.  Nobody puts any more; takers get what is left, then learn it.
-- KEYS  record, bell of takers, bell of putters, horn, items, receipt
-- ARGV  call, again
-- returns {'ok'}
redis.call('HSET', record, 'closed', 1)
ring(KEYS[2])
return done({'ok'})
