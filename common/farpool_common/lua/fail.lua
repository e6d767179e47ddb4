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
    local until_ = redis.pcall('ZSCORE', prefix .. ':wip:' .. queue, member)
    if not until_ or failed(until_) then
        if redis.pcall('HGET', job, 'farpool_execution') == execution then return 2 end
        if not until_ then count(prefix, 'stale', 1) end
        return 0
    end
    if always ~= '1' and redis.call('EXISTS', job .. ':dependents') == 1 then return 3 end
    redis.call('ZREM', prefix .. ':wip:' .. queue, member)
    local created = tried(false, 'HGET', record, 'created_at') or ended_seconds
    redis.call('DEL', record)
    redis.pcall('ZREM', prefix .. ':executions:' .. id, execution)
    redis.pcall('SREM', worker_key .. ':executions', member)
    written, worked = written + 1, worked + tonumber(seconds)
    -- A record that was deleted meanwhile stays deleted: a partial hash is one that RQ's readers reject.
    local has_data = redis.pcall('HEXISTS', job, 'data')
    if failed(has_data) then quarantine(prefix, queue, id, 'the record is a ' .. type_of(job) .. ', not a hash') end
    if has_data ~= 1 then return 1 end
    redis.call('HSET', job, 'status', status, 'started_at', started, 'ended_at', ended_text,
        'last_heartbeat', ended_text, 'worker_name', worker, 'farpool_execution', execution)
    if failed(redis.pcall('XADD', results, 'MAXLEN', '~', '10', '*', 'type', '2', 'worker_name', worker, 'exc_string',
        trace, 'execution_id', execution, 'execution_started_at', created, 'execution_ended_at', ended_seconds)) then
        quarantine(prefix, queue, id, results .. ' is a ' .. type_of(results) .. ', not a stream')
    end
    local keep = tonumber(given ~= '' and given or default)
    if given ~= '' and keep > 0 then redis.call('EXPIRE', results, keep) end
    for _, key in ipairs({job, job .. ':dependents', prefix .. ':job::' .. id .. ':dependencies'}) do
        if keep > 0 then redis.call('EXPIRE', key, keep) end
    end
    local registry = prefix .. ':failed:' .. queue
    if failed(redis.pcall('ZADD', registry, keep < 0 and keep or now + keep, id)) then
        quarantine(prefix, queue, id, registry .. ' is a ' .. type_of(registry) .. ', not a zset')
    end
    return 1
end

for at = 4, #ARGV, 11 do
    answers[#answers + 1] = fail(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5],
        ARGV[at + 6], ARGV[at + 7], ARGV[at + 8], ARGV[at + 9], ARGV[at + 10])
end
if written > 0 then count(prefix, 'failed', written) end
if written > 0 and redis.call('EXISTS', worker_key) == 1 then
    redis.pcall('HINCRBY', worker_key, 'failed_job_count', written)
    redis.pcall('HINCRBYFLOAT', worker_key, 'total_working_time', string.format('%.6f', worked))
    if redis.call('EXISTS', worker_key .. ':executions') == 0 then redis.pcall('HSET', worker_key, 'state', 'idle') end
end
return answers
