#!lua flags=allow-oom
-- started -> failed, for jobs of an RQ producer.  Leaves what RQ's own worker would leave: a failure in
-- the job's stream and an entry in the failed registry.  Only the holder of the lease may do it.
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, now (text), now (seconds, text), queue, id, execution, seconds that the failure is kept ('' unless the
--       job says so), traceback (zlib, base64), started (text), run time in seconds, default seconds
-- returns 1 written, 2 written before by this execution, 0 when the lease belongs to someone else
local prefix, worker, now_text, now_seconds, queue, id, execution = unpack(ARGV, 1, 7)
local given, trace, started, seconds = ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local keep = tonumber(given ~= '' and given or ARGV[12])
local job, results, member = prefix .. ':job:' .. id, prefix .. ':results:' .. id, id .. ':' .. execution
local record = prefix .. ':execution:' .. member
if redis.call('ZREM', prefix .. ':wip:' .. queue, member) == 0 then
    if redis.call('HGET', job, 'farpool_execution') == execution then return 2 end
    redis.call('HINCRBY', prefix .. ':farpool:counters', 'stale', 1)
    return 0
end
local created = redis.call('HGET', record, 'created_at') or now_seconds
redis.call('DEL', record)
redis.call('ZREM', prefix .. ':executions:' .. id, execution)
redis.call('SREM', prefix .. ':worker:' .. worker .. ':executions', member)
if redis.call('EXISTS', prefix .. ':worker:' .. worker) == 1 then
    redis.call('HINCRBY', prefix .. ':worker:' .. worker, 'failed_job_count', 1)
    redis.call('HINCRBYFLOAT', prefix .. ':worker:' .. worker, 'total_working_time', seconds)
end
-- A record that was deleted meanwhile stays deleted: a partial hash is one that RQ's readers reject.
if redis.call('HEXISTS', job, 'data') == 0 then return 1 end
redis.call('HSET', job, 'status', 'failed', 'started_at', started, 'ended_at', now_text,
    'last_heartbeat', now_text, 'worker_name', worker, 'farpool_execution', execution)
redis.call('XADD', results, 'MAXLEN', '~', '10', '*', 'type', '2', 'worker_name', worker,
    'exc_string', trace, 'execution_id', execution, 'execution_started_at', created,
    'execution_ended_at', now_seconds)
if given ~= '' and keep > 0 then redis.call('EXPIRE', results, keep) end
local now = tonumber(redis.call('TIME')[1])
for _, key in ipairs({job, job .. ':dependents', prefix .. ':job::' .. id .. ':dependencies'}) do
    if keep > 0 then redis.call('EXPIRE', key, keep) end
end
redis.call('ZADD', prefix .. ':failed:' .. queue, keep < 0 and keep or now + keep, id)
return 1
