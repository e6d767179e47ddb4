#!lua flags=allow-oom
-- started -> queued.  Hands tasks that were not run back to the head of their queue and does not charge
-- the attempt.  Only the holder of the lease may release a task.
-- MODEL release
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, then per task, the one to run last first: queue, id, execution
-- returns how many were handed back
local prefix, worker, released, removed = ARGV[1], ARGV[2], 0, 0
for at = 3, #ARGV, 3 do
    local queue, id, execution = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local job, member = prefix .. ':job:' .. id, id .. ':' .. execution
    local was_held = redis.call('SREM', prefix .. ':worker:' .. worker .. ':executions', member)
    if redis.call('ZREM', prefix .. ':wip:' .. queue, member) == 1 then
        redis.call('DEL', prefix .. ':execution:' .. member)
        redis.call('ZREM', prefix .. ':executions:' .. id, execution)
        if redis.call('HEXISTS', job, 'data') == 1 then
            redis.call('HSET', job, 'status', 'queued', 'started_at', '', 'worker_name', '')
            redis.call('HINCRBY', job, 'farpool_attempts', -1)
            redis.call('LPUSH', prefix .. ':queue:' .. queue, id)
            released = released + 1
        else
            removed = removed + 1
        end
    else
        removed = removed + was_held
    end
end
-- `removed`: somebody deleted the job, or ended it, while it was leased.
redis.call('HINCRBY', prefix .. ':farpool:counters', 'released', released)
redis.call('HINCRBY', prefix .. ':farpool:counters', 'removed', removed)
return released
