#!lua flags=allow-oom
-- waiting -> (nothing).  A waiter gives up.
-- KEYS  record, row of waiters, sign of life of this waiter, its bell, receipt
-- ARGV  call, again, waiter
-- returns {'ok'}, or {'notified'} when that came first
local left = redis.call('LREM', KEYS[2], 1, ARGV[3])
redis.call('UNLINK', KEYS[3], KEYS[4])
return done({left == 1 and 'ok' or 'notified'})
