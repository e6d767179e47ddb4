#!lua flags=allow-oom
-- (any) -> one item less.  Takes the oldest item, or only tells that there is one.
-- KEYS  record, bell of takers, bell of putters, horn, items, receipt
-- ARGV  call, again, 'take' or 'peek'
-- returns {'ok', item}, {'empty'}, or {'closed'}: empty, and nobody will put any more
local filled, room, items = KEYS[2], KEYS[3], KEYS[5]
if ARGV[3] == 'peek' then
    if redis.call('EXISTS', items) == 1 then
        ring(filled)
        keep()
        return {'ok'}
    end
else
    local item = redis.call('LPOP', items)
    if item then
        if redis.call('EXISTS', items) == 1 then ring(filled) else redis.call('UNLINK', filled) end
        if number_of('maxsize') > 0 then ring(room) end
        return done({'ok', item})
    end
end
if redis.call('HEXISTS', record, 'closed') == 1 then
    ring(filled)  -- others learn it as well
    keep()
    return {'closed'}
end
return told({'empty'})
