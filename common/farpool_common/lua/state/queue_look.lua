#!lua
-- (any) -> (the same).  Tells how many items wait and how many are unfinished.
-- KEYS  record, bell of takers, bell of putters, horn, items, receipt
-- ARGV  call, again
-- returns {'ok', waiting, unfinished, number of the horn's last call}
return told({'ok', redis.call('LLEN', KEYS[5]), number_of('unfinished'), number_of('blown')})
