#!lua
-- (any) -> (any).  Overwrites some bytes of an array, in one step.
-- KEYS  record, bytes, receipt
-- ARGV  call, again, then per run: offset, bytes
-- returns {'ok'}
for at = 3, #ARGV, 2 do redis.call('SETRANGE', KEYS[2], ARGV[at], ARGV[at + 1]) end
return done({'ok'})
