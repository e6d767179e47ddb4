#!lua flags=allow-oom
-- filling or acting -> passed, broken, or filling anew.  `pass` and `break` are about one round, and do nothing
-- when it is over already; `abort` and `reset` are about whichever is on.
-- KEYS  record, horn, receipt
-- ARGV  call, again, 'pass', 'break', 'abort' or 'reset', round
-- returns {'ok'}, or {'over', '1' when that round failed}
local how, round = ARGV[3], number_of('round')
if (how == 'pass' or how == 'break') and tonumber(ARGV[4]) ~= round then
    return told({'over', redis.call('HGET', record, 'failed:' .. ARGV[4]) or ''})
end
if how ~= 'pass' and (how ~= 'reset' or number_of('count') > 0) then
    redis.call('HSET', record, 'failed:' .. round, 1)
    redis.call('HDEL', record, 'failed:' .. (round - 100))
end
redis.call('HSET', record, 'count', 0, 'acting', 0, 'round', round + 1)
redis.call('HSET', record, 'broken', (how == 'break' or how == 'abort') and 1 or 0)
blow(KEYS[2])
return done({'ok'})
