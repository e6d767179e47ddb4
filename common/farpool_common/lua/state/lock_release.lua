#!lua flags=allow-oom
-- held -> free.  Only the holder may release, and only while it has not lapsed to another.
-- KEYS  record, bell, receipt
-- ARGV  call, again, holder
-- returns {'ok'} or {'lost'}
if redis.call('HGET', record, 'holder') ~= ARGV[3] then return told({'lost'}) end
redis.call('HDEL', record, 'holder', 'lapses')
ring(KEYS[2])
return done({'ok'})
