#!lua flags=no-writes
-- (any) -> (the same).  Counts, at one moment: what became of all that was ever claimed, and what is leased now.
-- MODEL reads only
-- KEYS  (none: they follow from the prefix)
-- ARGV  prefix, counter, ...
-- returns {{value, ...}, number of leases that daemons hold}
local prefix, leased = ARGV[1], 0
for _, worker in ipairs(redis.call('ZRANGE', prefix .. ':farpool:hosts', 0, 9999)) do
    leased = leased + tried(0, 'SCARD', prefix .. ':worker:' .. worker .. ':executions')
end
return {tried({}, 'HMGET', prefix .. ':farpool:counters', unpack(ARGV, 2)), leased}
