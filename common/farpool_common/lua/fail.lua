#!lua flags=allow-oom
-- started -> failed or stopped, for plain jobs of RQ producers.  Leaves what RQ's own worker would leave: a
-- failure in each job's stream and an entry in the failed registry.  Only the holder of the lease may do it.
-- MODEL finish
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, default seconds, then per job: queue, id, execution, status, seconds that the failure is kept (''
--       unless the job says so), traceback (zlib, base64), started (text), ended (text), ended (seconds, text), run time,
--       1 to end it although jobs depend on it
-- returns per job 1 written, 2 written before by this execution, 3 left alone because jobs depend on it,
--       0 when the lease belongs to someone else
local prefix, worker, default = ARGV[1], ARGV[2], ARGV[3]
local now = tonumber(redis.call('TIME')[1])
local worker_key = prefix .. ':worker:' .. worker
local answers, written, worked = {}, 0, 0

local function fail(queue, id, execution, status, given, trace, started, ended_text, ended_seconds, seconds, always)
    local job, results, member = prefix .. ':job:' .. id, prefix .. ':results:' .. id, id .. ':' .. execution
    local record = prefix .. ':execution:' .. member
    if not redis.call('ZSCORE', prefix .. ':wip:' .. queue, member) then
        if redis.call('HGET', job, 'farpool_execution') == execution then return 2 end
        redis.call('HINCRBY', prefix .. ':farpool:counters', 'stale', 1)
        return 0
    end
    if always ~= '1' and redis.call('EXISTS', job .. ':dependents') == 1 then return 3 end
    redis.call('ZREM', prefix .. ':wip:' .. queue, member)
    local created = redis.call('HGET', record, 'created_at') or ended_seconds
    redis.call('DEL', record)
    redis.call('ZREM', prefix .. ':executions:' .. id, execution)
    redis.call('SREM', worker_key .. ':executions', member)
    written, worked = written + 1, worked + tonumber(seconds)
    -- A record that was deleted meanwhile stays deleted: a partial hash is one that RQ's readers reject.
    if redis.call('HEXISTS', job, 'data') == 0 then return 1 end
    redis.call('HSET', job, 'status', status, 'started_at', started, 'ended_at', ended_text,
        'last_heartbeat', ended_text, 'worker_name', worker, 'farpool_execution', execution)
    redis.call('XADD', results, 'MAXLEN', '~', '10', '*', 'type', '2', 'worker_name', worker, 'exc_string', trace,
        'execution_id', execution, 'execution_started_at', created, 'execution_ended_at', ended_seconds)
    local keep = tonumber(given ~= '' and given or default)
    if given ~= '' and keep > 0 then redis.call('EXPIRE', results, keep) end
    for _, key in ipairs({job, job .. ':dependents', prefix .. ':job::' .. id .. ':dependencies'}) do
        if keep > 0 then redis.call('EXPIRE', key, keep) end
    end
    redis.call('ZADD', prefix .. ':failed:' .. queue, keep < 0 and keep or now + keep, id)
    return 1
end

for at = 4, #ARGV, 11 do
    answers[#answers + 1] = fail(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5],
        ARGV[at + 6], ARGV[at + 7], ARGV[at + 8], ARGV[at + 9], ARGV[at + 10])
end
if written > 0 then redis.call('HINCRBY', prefix .. ':farpool:counters', 'failed', written) end
if written > 0 and redis.call('EXISTS', worker_key) == 1 then
    redis.call('HINCRBY', worker_key, 'failed_job_count', written)
    redis.call('HINCRBYFLOAT', worker_key, 'total_working_time', string.format('%.6f', worked))
    if redis.call('EXISTS', worker_key .. ':executions') == 0 then redis.call('HSET', worker_key, 'state', 'idle') end
end
return answers
