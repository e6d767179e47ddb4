#!lua flags=allow-oom
-- started -> queued.  Hands tasks that were not run back to the head of their queue and does not charge
-- the attempt.  Only the holder of the lease may release a task.  Into a key that is no list nothing is handed
-- back: those tasks stay leased, and we are asked again.
-- MODEL release
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, then per task, the one to run last first: queue, id, execution; or '', lease's member, ''
--       (the queue is then the one that the record names)
-- returns how many were handed back
local prefix, worker, released, removed = ARGV[1], ARGV[2], 0, 0
local held = prefix .. ':worker:' .. worker .. ':executions'

local function release(queue, id, execution)
    local member = id .. ':' .. execution
    if queue == '' then
        member = id
        id, execution = string.match(member, '^([^:]*):?(.*)$')
        queue = tried('', 'HGET', prefix .. ':job:' .. id, 'origin') or ''
    end
    local job = prefix .. ':job:' .. id
    if not is_list(prefix .. ':queue:' .. queue) then return end
    local was_held = tried(0, 'SREM', held, member)
    if redis.pcall('ZREM', prefix .. ':wip:' .. queue, member) ~= 1 then
        removed = removed + was_held
        return
    end
    redis.call('DEL', prefix .. ':execution:' .. member)
    redis.pcall('ZREM', prefix .. ':executions:' .. id, execution)
    local has_data = redis.pcall('HEXISTS', job, 'data')
    if failed(has_data) then quarantine(prefix, queue, id, 'the record is a ' .. type_of(job) .. ', not a hash') end
    if has_data ~= 1 then
        removed = removed + 1
        return
    end
    redis.call('HSET', job, 'status', 'queued', 'started_at', '', 'worker_name', '')
    redis.pcall('HINCRBY', job, 'farpool_attempts', -1)  -- where it is no number, the next claim finds that
    redis.call('LPUSH', prefix .. ':queue:' .. queue, id)
    released = released + 1
end

for at = 3, #ARGV, 3 do release(ARGV[at], ARGV[at + 1], ARGV[at + 2]) end
-- `removed`: somebody deleted the job, or ended it, while it was leased.
count(prefix, 'released', released)
count(prefix, 'removed', removed)
return released
