#!lua flags=allow-oom
-- waiting -> notified.  The first waiters of the row who are alive; those who died in it are dropped.
-- KEYS  record, bell of its end, row of waiters, receipt
-- ARGV  call, again, how many at most, stem of signs of life, stem of bells
-- returns {'ok', how many were notified, how many are left in the row}
local woken = 0
for _ = 1, math.min(redis.call('LLEN', KEYS[3]), 1000) do
    if woken == tonumber(ARGV[3]) then break end
    local waiter = redis.call('LPOP', KEYS[3])
    if redis.call('EXISTS', ARGV[4] .. waiter) == 1 then
        redis.call('RPUSH', ARGV[5] .. waiter, 1)
        redis.call('PEXPIRE', ARGV[5] .. waiter, life)
        woken = woken + 1
    end
end
return done({'ok', woken, redis.call('LLEN', KEYS[3])})
