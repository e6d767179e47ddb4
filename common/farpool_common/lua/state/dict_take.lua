#!lua flags=allow-oom
-- (any) -> one item less.
-- KEYS  record, items, order of keys, receipt
-- ARGV  call, again, 'key' or 'last', key
-- returns {'ok', key, value} or {'missing'}
local key = ARGV[4]
if ARGV[3] == 'last' then key = redis.call('ZPOPMAX', KEYS[3])[1] end
local value = key and redis.call('HGET', KEYS[2], key)
if not value then return told({'missing'}) end
redis.call('HDEL', KEYS[2], key)
redis.call('ZREM', KEYS[3], key)
return done({'ok', key, value})
