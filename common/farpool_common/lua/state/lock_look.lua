#!lua
-- (any) -> (the same).  Tells whether somebody holds a lock.
-- KEYS  record, bell, receipt
-- ARGV  call, again
-- returns {'held'} or {'free'}
local clock = redis.call('TIME')
local holder, lapses = unpack(redis.call('HMGET', record, 'holder', 'lapses'))
local is_held = holder and tonumber(lapses) > clock[1] * 1000 + math.floor(clock[2] / 1000)
return told({is_held and 'held' or 'free'})
