#!lua
-- (any) -> one item more.  Appends an item if there is room.
-- KEYS  record, bell of takers, bell of putters, horn, items, receipt
-- ARGV  call, again, item
-- returns {'ok'}, {'full'} or {'closed'}
local filled, room, items = KEYS[2], KEYS[3], KEYS[5]
if redis.call('HEXISTS', record, 'closed') == 1 then return told({'closed'}) end
local most = number_of('maxsize')
local size = redis.call('LLEN', items)
if most > 0 and size >= most then return told({'full'}) end
redis.call('RPUSH', items, ARGV[3])
redis.call('HINCRBY', record, 'unfinished', 1)
ring(filled)
if most > 0 then
    if size + 1 < most then ring(room) else redis.call('UNLINK', room) end
end
return done({'ok'})
