#!lua
-- free -> held.  A lock is free when nobody holds it, or when its holder's lease has lapsed.
-- KEYS  record, bell, receipt
-- ARGV  call, again, holder, milliseconds of the lease
-- returns {'ok', fence} or {'held', milliseconds until the lease lapses}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local holder, lapses = unpack(redis.call('HMGET', record, 'holder', 'lapses'))
if holder and holder ~= ARGV[3] and tonumber(lapses) > now then return told({'held', tonumber(lapses) - now}) end
-- A record that is made anew must not begin below numbers that were given before: the clock is above them.
local fence = math.max(number_of('fence') + 1, clock[1] * 1000000 + clock[2])
redis.call('HSET', record, 'holder', ARGV[3], 'lapses', now + ARGV[4], 'fence', string.format('%.0f', fence))
redis.call('UNLINK', KEYS[2])
return done({'ok', string.format('%.0f', fence)})
