#!lua
-- (nothing) -> queued.  Writes the records of new tasks and appends them to their queue.  A task that
-- exists already is left as it is, so a producer may repeat the call after any doubt.
-- MODEL enqueue
-- KEYS  queue list, set of queues
-- ARGV  prefix, most ids that the queue may hold ('' for any number), name of the queue,
--       then per task: id, number of fields, field, value, ..., number of buffers, stem, pieces, ...
--       (their expiry ends: they now live as long as the task)
-- returns {how many were new, length of the queue before, 1 where they would have been too many: nothing was written then}
local prefix, most = ARGV[1], tonumber(ARGV[2])
local waiting = redis.call('LLEN', KEYS[1])  -- an error here ends the script before it has written anything

-- Where each task begins in ARGV, in order; those that exist are left out.
local starts, seen, at = {}, {}, 4
while at <= #ARGV do
    local id, buffers_at = ARGV[at], at + 2 + tonumber(ARGV[at + 1])
    if not seen[id] and redis.call('EXISTS', prefix .. ':job:' .. id) == 0 then starts[#starts + 1] = at end
    seen[id] = true
    at = buffers_at + 1 + 2 * tonumber(ARGV[buffers_at])
end
if most and #starts > 0 and waiting + #starts > most then return {0, waiting, 1} end

redis.call('SADD', KEYS[2], KEYS[1])
local now = moment(redis.call('TIME'))
for _, start in ipairs(starts) do
    local id, buffers_at = ARGV[start], start + 2 + tonumber(ARGV[start + 1])
    -- What RQ writes for every plain job, then the fields of this one.
    redis.call('HSET', prefix .. ':job:' .. id, 'status', 'queued', 'created_at', now, 'enqueued_at', now,
        'origin', ARGV[3], 'started_at', '', 'ended_at', '', 'last_heartbeat', '', 'worker_name', '', 'group_id', '',
        'success_callback_name', '', 'failure_callback_name', '', 'stopped_callback_name', '',
        unpack(ARGV, start + 2, buffers_at - 1))
    for i = buffers_at + 1, buffers_at + 2 * tonumber(ARGV[buffers_at]), 2 do
        for piece = 0, tonumber(ARGV[i + 1]) - 1 do
            redis.call('PERSIST', ARGV[i] .. ':' .. piece)
        end
    end
    redis.call('RPUSH', KEYS[1], id)
end
return {#starts, waiting, 0}
