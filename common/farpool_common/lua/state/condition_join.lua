#!lua
-- (any) -> one waiter more.  The last in the row; to be called while the condition's lock is held.
-- KEYS  record, bell of its end, row of waiters, sign of life of this waiter, its bell, receipt
-- ARGV  call, again, waiter, milliseconds that a sign of life holds
-- returns {'ok'}
redis.call('RPUSH', KEYS[3], ARGV[3])
keep()
redis.call('SET', KEYS[4], 1, 'PX', ARGV[4])
redis.call('SET', receipt, ARGV[1] .. cmsgpack.pack({'ok'}), 'PX', math.min(life, 60000))
return {'ok'}
