#!lua
-- (any) -> (any).  Puts other items in place of all, unless they have changed since they were read.
-- KEYS  record, items, receipt
-- ARGV  call, again, version that was read, item, ...
-- returns {'ok'} or {'changed'}
if number_of('version') ~= tonumber(ARGV[3]) then return told({'changed'}) end
redis.call('UNLINK', KEYS[2])
for at = 4, #ARGV, 1000 do redis.call('RPUSH', KEYS[2], unpack(ARGV, at, math.min(at + 999, #ARGV))) end
redis.call('HINCRBY', record, 'version', 1)
return done({'ok'})
