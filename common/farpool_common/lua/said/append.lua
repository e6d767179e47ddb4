#!lua
-- output -> output.  Texts of tasks are kept, the end of each.  Where a key holds something else, it is left out.
-- KEYS  output of each task
-- ARGV  bytes that are kept, seconds, then for each task a text, and of how many bytes it is the end
-- returns how many were written
local most, written = tonumber(ARGV[1]), 0
for at = 1, #KEYS do
    if may_write(KEYS[at]) then
        local text = (redis.call('HGET', KEYS[at], 'text') or '') .. ARGV[2 * at + 1]
        redis.call('HSET', KEYS[at], 'text', string.sub(text, -most))
        redis.call('HSET', KEYS[at], 'bytes', (tonumber(redis.call('HGET', KEYS[at], 'bytes')) or 0) + ARGV[2 * at + 2])
        redis.call('EXPIRE', KEYS[at], ARGV[2])
        written = written + 1
    end
end
return written
