#!lua flags=allow-oom
-- started -> finished, for tasks of an executor.  The last outcome goes to the producer's reply stream;
-- the record stays for a short while as a tombstone, so that a repeated finish and a repeated enqueue
-- are recognised.  Only the holder of the lease may finish a task.
-- A task whose outcome cannot be told, for its reply stream is none, has failed.  An outcome that is to be kept
-- stands besides in a stream of its own, and the record stays a day longer, to tell when that has expired.
-- MODEL finish
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, now (text), seconds that replies are kept, seconds that tombstones are kept,
--       run time in seconds (sum), then per task: queue, id, execution, reply stream, attempt, envelope ('' for none), parts,
--       seconds that the outcome is kept for others ('' for not at all), number of buffers, stem, pieces, ... (buffers of the arguments, no longer needed; 2000 pieces at most)
-- returns per task: 1 written, 2 written before by this execution, 0 when the lease belongs to someone else
local prefix, worker, now_text, keep, tombstone = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local answers, finished, at = {}, 0, 7
while at <= #ARGV do
    local queue, id, execution, reply = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local kept, buffers = ARGV[at + 7], tonumber(ARGV[at + 8])
    local job, member, answer = prefix .. ':job:' .. id, id .. ':' .. execution, 0
    local removed = redis.pcall('ZREM', prefix .. ':wip:' .. queue, member)
    if removed == 1 then
        local status = 'finished'
        if failed(redis.pcall('XADD', reply, '*', 'j', id, 'w', worker, 'a', ARGV[at + 4], 'f', '1',
            'o', ARGV[at + 5], 'p', ARGV[at + 6])) then
            status = 'failed'
            quarantine(prefix, queue, id, reply .. ' is a ' .. type_of(reply) .. ', not a stream')
        end
        redis.call('EXPIRE', reply, keep)
        redis.pcall('HSET', job, 'status', status, 'ended_at', now_text, 'last_heartbeat', now_text,
            'data', '', 'farpool_execution', execution)
        redis.call('EXPIRE', job, tombstone)
        if kept ~= '' then
            local place = prefix .. ':farpool:kept:' .. id
            if failed(redis.pcall('XADD', place, '*', 'j', id, 'w', worker, 'a', ARGV[at + 4], 'f', '1',
                'o', ARGV[at + 5], 'p', ARGV[at + 6])) then
                quarantine(prefix, queue, id, place .. ' is a ' .. type_of(place) .. ', not a stream')
            end
            redis.call('EXPIRE', place, kept)
            redis.call('EXPIRE', job, kept + 86400)
        end
        for i = at + 9, at + 8 + 2 * buffers, 2 do
            for piece = 0, tonumber(ARGV[i + 1]) - 1 do
                redis.call('UNLINK', ARGV[i] .. ':' .. piece)
            end
        end
        redis.call('UNLINK', prefix .. ':execution:' .. member, prefix .. ':farpool:done:' .. id)
        redis.pcall('ZREM', prefix .. ':executions:' .. id, execution)
        redis.pcall('SREM', prefix .. ':worker:' .. worker .. ':executions', member)
        answer, finished = 1, finished + 1
    elseif redis.pcall('HGET', job, 'farpool_execution') == execution then
        answer = 2
    elseif removed == 0 then
        count(prefix, 'stale', 1)
    end
    answers[#answers + 1] = answer
    at = at + 9 + 2 * buffers
end
if finished > 0 then count(prefix, 'finished', finished) end
if finished > 0 and redis.call('EXISTS', prefix .. ':worker:' .. worker) == 1 then
    redis.pcall('HINCRBY', prefix .. ':worker:' .. worker, 'successful_job_count', finished)
    redis.pcall('HINCRBYFLOAT', prefix .. ':worker:' .. worker, 'total_working_time', ARGV[6])
end
return answers
