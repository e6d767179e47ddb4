#!lua flags=allow-oom
-- (any) -> one permit more, up to the bound if there is one.
-- KEYS  record, bell, receipt
-- ARGV  call, again
-- returns {'ok'}, or {'many'} when all permits are there already
local permits, bound = number_of('permits'), tonumber(redis.call('HGET', record, 'bound') or '')
if bound and permits >= bound then return told({'many'}) end
redis.call('HSET', record, 'permits', permits + 1)
ring(KEYS[2])
return done({'ok'})
