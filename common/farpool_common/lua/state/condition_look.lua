#!lua
-- waiting -> (waiting or notified).  A waiter that is in the row no more was notified.
-- KEYS  record, row of waiters, sign of life of this waiter, its bell, receipt
-- ARGV  call, again, waiter, milliseconds that a sign of life holds
-- returns {'ok'} when it was notified, or {'waiting'}
if not redis.call('LPOS', KEYS[2], ARGV[3]) then
    redis.call('UNLINK', KEYS[3], KEYS[4])
    return {'ok'}
end
told()
redis.call('SET', KEYS[3], 1, 'PX', ARGV[4])
return {'waiting'}
