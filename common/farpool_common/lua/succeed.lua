#!lua flags=allow-oom
-- started -> finished, for jobs of an RQ producer.  Leaves what RQ's own worker would leave: a result
-- in the job's stream and an entry in the finished registry.  Only the holder of the lease may do it.
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, now (text), now (seconds, text), queue, id, execution, seconds that the result is kept (-1: for ever,
--       0: not at all), result ('' for None), started (text), run time in seconds
-- returns 1 written, 2 written before by this execution, 0 when the lease belongs to someone else
local prefix, worker, now_text, now_seconds, queue, id, execution = unpack(ARGV, 1, 7)
local keep, result, started, seconds = tonumber(ARGV[8]), ARGV[9], ARGV[10], ARGV[11]
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
    redis.call('HINCRBY', prefix .. ':worker:' .. worker, 'successful_job_count', 1)
    redis.call('HINCRBYFLOAT', prefix .. ':worker:' .. worker, 'total_working_time', seconds)
end
local dependents, dependencies = job .. ':dependents', prefix .. ':job::' .. id .. ':dependencies'
if keep == 0 then
    redis.call('DEL', job, results, dependents, dependencies, prefix .. ':executions:' .. id)
    return 1
end
-- A record that was deleted meanwhile stays deleted: a partial hash is one that RQ's readers reject.
if redis.call('HEXISTS', job, 'data') == 0 then return 1 end
redis.call('HSET', job, 'status', 'finished', 'started_at', started, 'ended_at', now_text,
    'last_heartbeat', now_text, 'worker_name', worker, 'farpool_execution', execution)
local entry = {'XADD', results, 'MAXLEN', '~', '10', '*', 'type', '1', 'worker_name', worker}
if result ~= '' then entry[#entry + 1] = 'return_value'; entry[#entry + 1] = result end
for _, field in ipairs({'execution_id', execution, 'execution_started_at', created,
    'execution_ended_at', now_seconds}) do entry[#entry + 1] = field end
redis.call(unpack(entry))
local now = tonumber(redis.call('TIME')[1])
if keep < 0 then
    for _, key in ipairs({results, job, dependents, dependencies}) do redis.call('PERSIST', key) end
    redis.call('ZADD', prefix .. ':finished:' .. queue, keep == -1 and '+inf' or keep, id)
else
    for _, key in ipairs({results, job, dependents, dependencies}) do redis.call('EXPIRE', key, keep) end
    redis.call('ZADD', prefix .. ':finished:' .. queue, now + keep, id)
end
return 1
