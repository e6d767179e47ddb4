#!lua flags=allow-oom
-- clear -> set, and wakes all who wait; or set -> clear.
-- KEYS  record, horn, receipt
-- ARGV  call, again, '1' for set, '0' for clear
-- returns {'ok'}
if ARGV[3] == '1' and redis.call('HGET', record, 'flag') ~= '1' then
    redis.call('HINCRBY', record, 'round', 1)  -- who waited is through, even if it is cleared at once
    blow(KEYS[2])
end
redis.call('HSET', record, 'flag', ARGV[3])
return done({'ok'})
