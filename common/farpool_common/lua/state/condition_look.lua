#!lua
-- waiting -> (waiting or notified).  A waiter that is in the row no more was notified.
-- KEYS  record, bell of its end, row of waiters, sign of life of this waiter, its bell, receipt
-- ARGV  call, again, waiter, milliseconds that a sign of life holds
-- returns {'ok'} when it was notified, or {'waiting'}
if not redis.call('LPOS', KEYS[3], ARGV[3]) then
    redis.call('UNLINK', KEYS[4], KEYS[5])
    return {'ok'}
end
told()
redis.call('SET', KEYS[4], 1, 'PX', ARGV[4])
return {'waiting'}
