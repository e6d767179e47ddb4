#!lua
-- (any) -> longer.  Appends items, in one step.
-- KEYS  record, items, receipt
-- ARGV  call, again, item, ...
-- returns {'ok'}
for at = 3, #ARGV, 1000 do redis.call('RPUSH', KEYS[2], unpack(ARGV, at, math.min(at + 999, #ARGV))) end
redis.call('HINCRBY', record, 'version', 1)
return done({'ok'})
