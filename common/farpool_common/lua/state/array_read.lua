#!lua
-- (any) -> (the same).  Tells some bytes of an array.
-- KEYS  record, bytes, receipt
-- ARGV  call, again, first, last
-- returns {'ok', bytes}
return told({'ok', redis.call('GETRANGE', KEYS[2], ARGV[3], ARGV[4])})
