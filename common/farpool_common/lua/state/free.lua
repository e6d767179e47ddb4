#!lua flags=allow-oom
-- (any) -> (nothing).  Removes an object and wakes who waits for it: they find it gone.
-- KEYS  record, bells, horns, other parts, receipt
-- ARGV  call, again, number of bells, number of horns
-- returns {'ok'}
local bells, horns = tonumber(ARGV[3]), tonumber(ARGV[4])
for i = 1, #KEYS do redis.call('UNLINK', KEYS[i]) end
for i = 2, bells + 1 do
    for _ = 1, 100 do redis.call('RPUSH', KEYS[i], 1) end  -- more than wait at once; others look by themselves
    redis.call('PEXPIRE', KEYS[i], 500)
end
for i = bells + 2, bells + horns + 1 do
    redis.call('XADD', KEYS[i], '*', 'b', 1)
    redis.call('PEXPIRE', KEYS[i], 500)
end
return {'ok'}
