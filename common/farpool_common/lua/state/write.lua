#!lua
-- (any) -> (any).  Writes one field of an object's record.
-- KEYS  record, receipt
-- ARGV  call, again, field, value
-- returns {'ok'}
redis.call('HSET', record, ARGV[3], ARGV[4])
return done({'ok'})
