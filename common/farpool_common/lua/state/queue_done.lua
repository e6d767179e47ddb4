#!lua flags=allow-oom
-- (any) -> one unfinished item less.  Notes that what was made of an item is done.
-- KEYS  record, bell of takers, bell of putters, horn, items, receipt
-- ARGV  call, again
-- returns {'ok'}, or {'many'} when all are done
if number_of('unfinished') <= 0 then return told({'many'}) end
if redis.call('HINCRBY', record, 'unfinished', -1) == 0 then blow(KEYS[4]) end
return done({'ok'})
