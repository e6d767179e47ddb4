#!lua
-- (any) -> (the same).  Tells one item, and how many there are.
-- KEYS  record, items, order of keys, receipt
-- ARGV  call, again, key
-- returns {'ok' or 'missing', number of items, value}
local value = redis.call('HGET', KEYS[2], ARGV[3])
return told({value and 'ok' or 'missing', redis.call('HLEN', KEYS[2]), value or ''})
