#!lua flags=allow-oom
-- (any) -> empty.  Removes the content of a dict, list or namespace.
-- KEYS  record, parts, receipt
-- ARGV  call, again
-- returns {'ok'}
for i = 2, #KEYS - 1 do redis.call('UNLINK', KEYS[i]) end
redis.call('HINCRBY', record, 'version', 1)
return done({'ok'})
