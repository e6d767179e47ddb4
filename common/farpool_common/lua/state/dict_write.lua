#!lua
-- (any) -> (any).  Writes items; keys keep the place in which they first came.
-- KEYS  record, items, order of keys, receipt
-- ARGV  call, again, 'set', or 'default' to leave one that is there, then per item: key, value
-- returns {'ok'}, or {'kept', value}
local items, order = KEYS[2], KEYS[3]
if ARGV[3] == 'default' then
    local found = redis.call('HGET', items, ARGV[4])
    if found then return told({'kept', found}) end
end
for at = 4, #ARGV, 2 do
    if redis.call('HSET', items, ARGV[at], ARGV[at + 1]) == 1 then
        redis.call('ZADD', order, redis.call('HINCRBY', record, 'place', 1), ARGV[at])
    end
end
return done({'ok'})
