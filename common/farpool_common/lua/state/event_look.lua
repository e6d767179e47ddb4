#!lua
-- (any) -> (the same).  Tells whether an event is set, and how often it was set.
-- KEYS  record, horn, receipt
-- ARGV  call, again
-- returns {'ok', '1' when it is set, rounds, number of the horn's last call}
return told({'ok', redis.call('HGET', record, 'flag') or '', redis.call('HGET', record, 'round') or '', number_of('blown')})
