#!lua flags=allow-oom
-- queued -> canceled, and a request to stop what is started.  The id stays in its queue; the next claim
-- drops it (removing it from a long list would hold the server).
-- MODEL cancel
-- KEYS  (none: they follow from the prefix and the ids)
-- ARGV  prefix, seconds that the record is kept, id, ...
-- returns how many were canceled before they started
local prefix, keep, canceled = ARGV[1], ARGV[2], 0
local PIECE_BYTES, MOST_PIECES = 1048576, 100000  -- a record may name any number of bytes

-- The large buffers of its arguments live as long as the task.  References that cannot be read are left alone.
local function forget_buffers(job)
    local is_read, rows = pcall(cmsgpack.unpack, redis.call('HGET', job, 'farpool_parts') or '')
    local left, stem = MOST_PIECES, prefix .. ':farpool:data:'
    for _, part in ipairs(is_read and type(rows) == 'table' and rows or {}) do
        local key, bytes = unpack(type(part) == 'table' and part or {})
        if type(key) == 'string' and string.sub(key, 1, #stem) == stem and type(bytes) == 'number' then
            for piece = 0, math.min(left, math.max(1, math.ceil(bytes / PIECE_BYTES))) - 1 do
                redis.call('UNLINK', key .. ':' .. piece)
                left = left - 1
            end
        end
    end
end

for i = 3, #ARGV do
    local job = prefix .. ':job:' .. ARGV[i]
    local status, worker = unpack(tried({}, 'HMGET', job, 'status', 'worker_name'))
    if status == 'queued' then
        redis.call('HSET', job, 'status', 'canceled')
        redis.call('EXPIRE', job, keep)
        redis.call('DEL', prefix .. ':farpool:done:' .. ARGV[i])
        forget_buffers(job)
        canceled = canceled + 1
    elseif status == 'started' and worker then
        redis.call('PUBLISH', prefix .. ':pubsub:' .. worker,
            cjson.encode({command = 'stop-job', job_id = ARGV[i]}))
    end
end
return canceled
