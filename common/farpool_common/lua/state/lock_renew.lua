#!lua flags=allow-oom
-- held -> held.  Only the holder may renew its lease, and only while it has not lapsed to another.
-- KEYS  record, bell, receipt
-- ARGV  call, again, holder, milliseconds of the lease
-- returns {'ok'} or {'lost'}
if redis.call('HGET', record, 'holder') ~= ARGV[3] then return told({'lost'}) end
local clock = redis.call('TIME')
redis.call('HSET', record, 'lapses', clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[4])
keep()
return {'ok'}
