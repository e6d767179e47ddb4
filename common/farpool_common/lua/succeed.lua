#!lua flags=allow-oom
-- started -> finished, for plain jobs of RQ producers.  Leaves what RQ's own worker would leave: a result
-- in each job's stream and an entry in the finished registry.  Only the holder of the lease may do it.
-- MODEL finish
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, then per job, at most 200: queue, id, execution, seconds that the result is kept (-1: for ever),
--       result ('' for None), claimed (seconds, text), started (text), ended (text), ended (seconds, text), run time
-- returns per job 1 written, 2 written before by this execution, 3 left alone because jobs depend on it,
--       0 when the lease belongs to someone else
local prefix, worker = ARGV[1], ARGV[2]
local now = tonumber(redis.call('TIME')[1])
local worker_key = prefix .. ':worker:' .. worker
local answers, written, worked = {}, 0, 0

local finished, over_records, over_members = {}, {}, {}

local function succeed(queue, id, execution, keep, result, created, started, ended_text, ended_seconds, seconds)
    local job, results, member = prefix .. ':job:' .. id, prefix .. ':results:' .. id, id .. ':' .. execution
    if redis.call('EXISTS', job .. ':dependents') == 1 then return 3 end
    local removed = redis.pcall('ZREM', prefix .. ':wip:' .. queue, member)
    if removed ~= 1 then
        if redis.pcall('HGET', job, 'farpool_execution') == execution then return 2 end
        if removed == 0 then count(prefix, 'stale', 1) end
        return 0
    end
    redis.pcall('ZREM', prefix .. ':executions:' .. id, execution)
    over_records[#over_records + 1] = prefix .. ':execution:' .. member
    over_members[#over_members + 1] = member
    written, worked = written + 1, worked + tonumber(seconds)
    -- A record that was deleted meanwhile stays deleted: a partial hash is one that RQ's readers reject.
    local has_data = redis.pcall('HEXISTS', job, 'data')
    if failed(has_data) then quarantine(prefix, queue, id, 'the record is a ' .. type_of(job) .. ', not a hash') end
    if has_data ~= 1 then return 1 end
    redis.call('HSET', job, 'status', 'finished', 'started_at', started, 'ended_at', ended_text,
        'last_heartbeat', ended_text, 'worker_name', worker, 'farpool_execution', execution)
    local value = result == '' and {} or {'return_value', result}
    local entry = {'type', '1', 'worker_name', worker, 'execution_id', execution, 'execution_started_at', created,
        'execution_ended_at', ended_seconds, unpack(value)}
    if failed(redis.pcall('XADD', results, 'MAXLEN', '~', '10', '*', unpack(entry))) then
        quarantine(prefix, queue, id, results .. ' is a ' .. type_of(results) .. ', not a stream')
    end
    local score = now + keep
    if keep < 0 then
        score = keep == -1 and '+inf' or keep
        for _, key in ipairs({results, job, prefix .. ':job::' .. id .. ':dependencies'}) do redis.call('PERSIST', key) end
    else
        for _, key in ipairs({results, job, prefix .. ':job::' .. id .. ':dependencies'}) do redis.call('EXPIRE', key, keep) end
    end
    finished[queue] = finished[queue] or {}
    table.insert(finished[queue], score)
    table.insert(finished[queue], id)
    return 1
end

for at = 3, #ARGV, 10 do
    answers[#answers + 1] = succeed(ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4],
        ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], ARGV[at + 8], ARGV[at + 9])
end
for queue, entries in pairs(finished) do
    local registry = prefix .. ':finished:' .. queue
    if failed(redis.pcall('ZADD', registry, unpack(entries))) then
        quarantine(prefix, queue, entries[2], registry .. ' is a ' .. type_of(registry) .. ', not a zset')
    end
end
if #over_records > 0 then
    redis.call('DEL', unpack(over_records))
    redis.pcall('SREM', worker_key .. ':executions', unpack(over_members))
end
if written > 0 then count(prefix, 'finished', written) end
if written > 0 and redis.call('EXISTS', worker_key) == 1 then
    redis.pcall('HINCRBY', worker_key, 'successful_job_count', written)
    redis.pcall('HINCRBYFLOAT', worker_key, 'total_working_time', string.format('%.6f', worked))
    if redis.call('EXISTS', worker_key .. ':executions') == 0 then redis.pcall('HSET', worker_key, 'state', 'idle') end
end
return answers
