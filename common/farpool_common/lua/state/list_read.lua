#!lua
-- (any) -> (the same).  Tells one item, and how many there are.
-- KEYS  record, items, receipt
-- ARGV  call, again, index
-- returns {'ok' or 'range', number of items, item}
local item = redis.call('LINDEX', KEYS[2], ARGV[3])
return told({item and 'ok' or 'range', redis.call('LLEN', KEYS[2]), item or ''})
