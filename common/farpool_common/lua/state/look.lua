#!lua
-- (any) -> (the same).  Tells fields of an object's record, at one moment.
-- KEYS  record, receipt
-- ARGV  call, again, field, ...
-- returns {'ok', value or '', ...}
local answer = {'ok'}
for i = 3, #ARGV do answer[#answer + 1] = redis.call('HGET', record, ARGV[i]) or '' end
return told(answer)
