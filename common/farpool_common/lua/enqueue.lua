#!lua
-- (nothing) -> queued.  Writes the records of new tasks and appends them to their queue.  A task that
-- exists already is left as it is, so a producer may repeat the call after any doubt.
-- MODEL enqueue
-- KEYS  queue list, set of queues
-- ARGV  prefix, then per task: id, number of fields, field, value, ...,
--       number of buffers, stem, pieces, ... (their expiry ends: they now live as long as the task)
-- returns how many tasks were new
local prefix, at, added = ARGV[1], 2, 0
redis.call('SADD', KEYS[2], KEYS[1])
while at <= #ARGV do
    local job = prefix .. ':job:' .. ARGV[at]
    local fields = tonumber(ARGV[at + 1])
    local buffers_at = at + 2 + fields
    local buffers = tonumber(ARGV[buffers_at])
    if redis.call('EXISTS', job) == 0 then
        for i = at + 2, buffers_at - 1, 2 do
            redis.call('HSET', job, ARGV[i], ARGV[i + 1])
        end
        for i = buffers_at + 1, buffers_at + 2 * buffers, 2 do
            for piece = 0, tonumber(ARGV[i + 1]) - 1 do
                redis.call('PERSIST', ARGV[i] .. ':' .. piece)
            end
        end
        redis.call('RPUSH', KEYS[1], ARGV[at])
        added = added + 1
    end
    at = buffers_at + 1 + 2 * buffers
end
return added
