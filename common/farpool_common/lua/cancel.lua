#!lua flags=allow-oom
-- queued -> canceled, and a request to stop what is started.  The id stays in its queue; the next claim
-- drops it (removing it from a long list would hold the server).
-- MODEL cancel
-- KEYS  (none: they follow from the prefix and the ids)
-- ARGV  prefix, seconds that the record is kept, id, ...
-- returns how many were canceled before they started
local prefix, keep, canceled = ARGV[1], ARGV[2], 0
for i = 3, #ARGV do
    local job = prefix .. ':job:' .. ARGV[i]
    local status, worker = unpack(redis.call('HMGET', job, 'status', 'worker_name'))
    if status == 'queued' then
        redis.call('HSET', job, 'status', 'canceled')
        redis.call('EXPIRE', job, keep)
        canceled = canceled + 1
    elseif status == 'started' and worker then
        redis.call('PUBLISH', prefix .. ':pubsub:' .. worker,
            cjson.encode({command = 'stop-job', job_id = ARGV[i]}))
    end
end
return canceled
