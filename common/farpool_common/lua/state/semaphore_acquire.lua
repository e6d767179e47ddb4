#!lua
-- (any) -> one permit less.
-- KEYS  record, bell, receipt
-- ARGV  call, again
-- returns {'ok'} or {'none'}
local left = number_of('permits') - 1
if left < 0 then return told({'none'}) end
redis.call('HSET', record, 'permits', left)
if left > 0 then ring(KEYS[2]) else redis.call('UNLINK', KEYS[2]) end
return done({'ok'})
