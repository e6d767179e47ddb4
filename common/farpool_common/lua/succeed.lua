#!lua flags=allow-oom
-- started -> finished, for plain jobs of RQ producers.  Leaves what RQ's own worker would leave: a result
-- in each job's stream and an entry in the finished registry.  Only the holder of the lease may do it.
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, then per job: queue, id, execution, seconds that the result is kept (-1: for ever), result ('' for
--       None), started (text), ended (text), ended (seconds, text), run time in seconds
-- returns per job 1 written, 2 written before by this execution, 3 left alone because jobs depend on it,
--       0 when the lease belongs to someone else
local prefix, worker = ARGV[1], ARGV[2]
local now = tonumber(redis.call('TIME')[1])
local worker_key = prefix .. ':worker:' .. worker
local answers, written, worked = {}, 0, 0

local function succeed(queue, id, execution, keep, result, started, ended_text, ended_seconds, seconds)
    local job, results, member = prefix .. ':job:' .. id, prefix .. ':results:' .. id, id .. ':' .. execution
    local record = prefix .. ':execution:' .. member
    if not redis.call('ZSCORE', prefix .. ':wip:' .. queue, member) then
        if redis.call('HGET', job, 'farpool_execution') == execution then return 2 end
        redis.call('HINCRBY', prefix .. ':farpool:counters', 'stale', 1)
        return 0
    end
    local dependents, dependencies = job .. ':dependents', prefix .. ':job::' .. id .. ':dependencies'
    if redis.call('EXISTS', dependents) == 1 then return 3 end
    redis.call('ZREM', prefix .. ':wip:' .. queue, member)
    local created = redis.call('HGET', record, 'created_at') or ended_seconds
    redis.call('DEL', record)
    redis.call('ZREM', prefix .. ':executions:' .. id, execution)
    redis.call('SREM', worker_key .. ':executions', member)
    written, worked = written + 1, worked + tonumber(seconds)
    -- A record that was deleted meanwhile stays deleted: a partial hash is one that RQ's readers reject.
    if redis.call('HEXISTS', job, 'data') == 0 then return 1 end
    redis.call('HSET', job, 'status', 'finished', 'started_at', started, 'ended_at', ended_text,
        'last_heartbeat', ended_text, 'worker_name', worker, 'farpool_execution', execution)
    if result == '' then
        redis.call('XADD', results, 'MAXLEN', '~', '10', '*', 'type', '1', 'worker_name', worker,
            'execution_id', execution, 'execution_started_at', created, 'execution_ended_at', ended_seconds)
    else
        redis.call('XADD', results, 'MAXLEN', '~', '10', '*', 'type', '1', 'worker_name', worker, 'return_value', result,
            'execution_id', execution, 'execution_started_at', created, 'execution_ended_at', ended_seconds)
    end
    if keep < 0 then
        for _, key in ipairs({results, job, dependencies}) do redis.call('PERSIST', key) end
        redis.call('ZADD', prefix .. ':finished:' .. queue, keep == -1 and '+inf' or keep, id)
    else
        for _, key in ipairs({results, job, dependencies}) do redis.call('EXPIRE', key, keep) end
        redis.call('ZADD', prefix .. ':finished:' .. queue, now + keep, id)
    end
    return 1
end

for at = 3, #ARGV, 9 do
    answers[#answers + 1] = succeed(ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4],
        ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], ARGV[at + 8])
end
if written > 0 and redis.call('EXISTS', worker_key) == 1 then
    redis.call('HINCRBY', worker_key, 'successful_job_count', written)
    redis.call('HINCRBYFLOAT', worker_key, 'total_working_time', string.format('%.6f', worked))
end
return answers
