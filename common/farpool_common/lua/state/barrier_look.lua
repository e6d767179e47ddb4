#!lua
-- (any) -> (the same).  Tells what became of a round.
-- KEYS  record, horn, receipt
-- ARGV  call, again, round
-- returns {'filling', number of the horn's last call}, {'passed'} or {'failed'}
if redis.call('HEXISTS', record, 'failed:' .. ARGV[3]) == 1 then return told({'failed'}) end
return told({number_of('round') > tonumber(ARGV[3]) and 'passed' or 'filling', number_of('blown')})
