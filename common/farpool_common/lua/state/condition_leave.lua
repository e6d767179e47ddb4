#!lua flags=allow-oom
-- waiting -> (nothing).  A waiter gives up.
-- KEYS  record, bell of its end, row of waiters, sign of life of this waiter, its bell, receipt
-- ARGV  call, again, waiter
-- returns {'ok'}, or {'notified'} when that came first
local left = redis.call('LREM', KEYS[3], 1, ARGV[3])
redis.call('UNLINK', KEYS[4], KEYS[5])
return done({left == 1 and 'ok' or 'notified'})
