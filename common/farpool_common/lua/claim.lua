#!lua
-- queued -> started.  Takes ids from the queues, leases them to one worker and returns their records.
-- A task that was abandoned is claimed alone: should it kill its host, nothing else goes with it.
-- Takes what a doorbell moved aside first.  What cannot be claimed is counted:
-- gone or ended tasks and duplicates of a live lease are dropped, malformed records are quarantined.
-- A queue whose leases cannot be noted is left alone.
-- MODEL claim
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, lease seconds, most bytes, most tasks, number of doorbell pairs, queue, id, ...,
--       number of queues, queue, ..., execution ids
--       (an id of '': whichever this doorbell has; sent before it rings, so it counts only while the worker is heard)
-- returns {claims, dropped, quarantined, 1 while suspended, 1 when it ended early, {queue, why it was left alone, ...},
--       1 when something is left in the queues, now (seconds, text)};
--       a claim is {queue, id, execution, attempt, delivered ranges, record}
local prefix, worker = ARGV[1], ARGV[2]
local lease, most_bytes, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now, now_seconds, now_text = tonumber(clock[1]), string.format('%s.%06d', clock[1], clock[2]), nil
local executions_key = prefix .. ':worker:' .. worker .. ':executions'
redis.call('SCARD', executions_key)  -- an error here ends the script before it has taken anything
local ENDED = {finished = true, failed = true, stopped = true, canceled = true}
local MOST_FIELDS = 200
local MOST_RANGES = 100000  -- delivered ranges of one task, which has at most as many calls

local claims, dropped, quarantined, bytes, is_full = {}, 0, 0, 0, false
local at = 7
local doorbells = at
local pairs_count = tonumber(ARGV[6])
at = at + 2 * pairs_count
local queue_count = tonumber(ARGV[at])
local queues_at = at + 1
local next_execution = queues_at + queue_count

local spoiled, left_alone = {}, {}

local function leave_alone(queue, reason)
    spoiled[queue] = true
    left_alone[#left_alone + 1] = queue
    left_alone[#left_alone + 1] = reason
end

-- Whether leases of this queue can be noted; asked once per queue, when it has something.
local function is_spoiled(queue)
    if spoiled[queue] == nil then
        local key = prefix .. ':wip:' .. queue
        spoiled[queue] = false
        if failed(redis.pcall('ZCARD', key)) then
            leave_alone(queue, key .. ' is a ' .. type_of(key) .. ', not a zset')
        end
    end
    return spoiled[queue]
end

-- To the head of its queue; where that is no list any more, to the doorbell's, for recovery to find.
local function put_back(queue, id)
    if failed(redis.pcall('LPUSH', prefix .. ':queue:' .. queue, id)) then
        leave_alone(queue, prefix .. ':queue:' .. queue .. ' is no list')
        redis.call('RPUSH', prefix .. ':farpool:doorbell:' .. queue, id)
    end
end

-- A record that can be written to is marked as failed, so that whoever waits for its task learns of it.
local function refuse(queue, id, reason, job)
    quarantine(prefix, queue, id, reason)
    quarantined = quarantined + 1
    if job then redis.call('HSET', job, 'status', 'failed', 'ended_at', moment(clock)) end
end

local function is_leased(queue, held, id)
    for _, execution in ipairs(held) do
        local until_ = redis.call('ZSCORE', prefix .. ':wip:' .. queue, id .. ':' .. execution)
        if until_ and tonumber(until_) > now then return true end
    end
    return false
end

local function drop()
    count(prefix, 'dropped', 1)
    dropped = dropped + 1
end

-- Written for many tasks at once, at the end: one command each, whatever their number.
local leases, members, taken = {}, {}, {}

local function note_lease(queue, member)
    local found = leases[queue]
    if not found then found = {}; leases[queue] = found end
    found[#found + 1] = now + lease
    found[#found + 1] = member
    members[#members + 1] = member
end

local function write_leases()
    for queue, pairs_of in pairs(leases) do
        for i = 1, #pairs_of, 1000 do
            redis.call('ZADD', prefix .. ':wip:' .. queue, unpack(pairs_of, i, math.min(i + 999, #pairs_of)))
        end
    end
    for i = 1, #members, 1000 do
        redis.call('SADD', executions_key, unpack(members, i, math.min(i + 999, #members)))
    end
end

local function claim(queue, id)
    if #id > 128 or not string.match(id, '^[%w_-]+$') then
        return refuse(queue, id, 'the id has other characters than letters, digits, _ and -')
    end
    local job, executions = prefix .. ':job:' .. id, prefix .. ':executions:' .. id
    local size = redis.pcall('HLEN', job)
    if failed(size) then return refuse(queue, id, 'the record is a ' .. type_of(job) .. ', not a hash') end
    if size == 0 then return drop() end
    if size > MOST_FIELDS then return refuse(queue, id, 'the record has over 200 fields', job) end
    local fields = redis.call('HGETALL', job)
    local at_of = {}
    for i = 1, #fields, 2 do
        at_of[fields[i]] = i + 1
        bytes = bytes + #fields[i] + #fields[i + 1]
    end
    local function value(name) return at_of[name] and fields[at_of[name]] end
    if not at_of.data then return refuse(queue, id, 'the record has no data', job) end
    local status = value('status')
    if ENDED[status] or taken[id] then return drop() end
    if status == 'started' and is_leased(queue, tried({}, 'ZRANGE', executions, 0, 9, 'REV'), id) then return drop() end
    local before = value('farpool_attempts') or '0'
    if not string.match(before, '^%d+$') or #before > 9 then
        return refuse(queue, id, 'farpool_attempts is no number', job)
    end
    local attempt = tonumber(before) + 1
    if value('farpool_abandons') then
        is_full = true
        if #claims > 0 then return put_back(queue, id) end
    end

    now_text = now_text or moment(clock)
    local execution = ARGV[next_execution]
    if failed(redis.pcall('ZADD', executions, now + lease + 60, execution)) then
        return refuse(queue, id, executions .. ' is a ' .. type_of(executions) .. ', not a zset', job)
    end
    redis.call('EXPIRE', executions, lease + 60)
    next_execution = next_execution + 1  -- only here: there are no more of them than tasks
    local member = id .. ':' .. execution
    local record = prefix .. ':execution:' .. member
    redis.call('HSET', record, 'id', execution, 'job_id', id, 'created_at', now_seconds,
        'last_heartbeat', now_seconds, 'worker_name', worker)
    redis.call('EXPIRE', record, lease)
    note_lease(queue, member)
    taken[id] = true
    redis.call('HSET', job, 'status', 'started', 'started_at', now_text, 'last_heartbeat', now_text,
        'worker_name', worker, 'farpool_attempts', attempt)
    redis.call('PERSIST', job)
    local delivered = {}
    if at_of.farpool_reply then
        delivered = tried({}, 'SRANDMEMBER', prefix .. ':farpool:done:' .. id, MOST_RANGES)
    end
    claims[#claims + 1] = {queue, id, execution, attempt, delivered, fields}
end

-- Off the tail of a doorbell's list, where doorbells put what they move; nil when it is not there any more.
local function rung(queue, id)
    local bell = prefix .. ':farpool:doorbell:' .. queue
    if id ~= '' then return redis.pcall('LREM', bell, -1, id) == 1 and id or nil end
    return tried(nil, 'RPOP', bell) or nil
end

-- Whether other workers would leave alone what this one claims now.
local function is_heard()
    return tonumber(tried(nil, 'ZSCORE', prefix .. ':farpool:hosts', worker) or 0) >= now * 1000
end

local suspended = redis.call('EXISTS', prefix .. ':suspended') == 1
for i = doorbells, doorbells + 2 * pairs_count - 1, 2 do
    local queue, id = ARGV[i], rung(ARGV[i], ARGV[i + 1])
    if id then
        local is_late = ARGV[i + 1] == '' and not is_heard()
        if suspended or is_full or is_late or is_spoiled(queue) then put_back(queue, id) else claim(queue, id) end
    end
end
if suspended then return {claims, dropped, quarantined, 1, 0, left_alone, 1, now_seconds} end

most = most + #claims  -- what doorbells rang for comes besides
local looked_at = 0  -- junk in a queue must not hold the server for long
for i = queues_at, queues_at + queue_count - 1 do
    local queue, list = ARGV[i], prefix .. ':queue:' .. ARGV[i]
    while not spoiled[queue] and not is_full and #claims < most and bytes < most_bytes and looked_at < most + 100 do
        -- pcall: a key of another type in place of one queue must not keep the others waiting.
        local id = redis.pcall('LPOP', list)
        if failed(id) then leave_alone(queue, list .. ' is a ' .. type_of(list) .. ', not a list') end
        if type(id) ~= 'string' then break end
        looked_at = looked_at + 1
        if is_spoiled(queue) then put_back(queue, id) else claim(queue, id) end
    end
end
write_leases()
if #claims > 0 then
    count(prefix, 'claimed', #claims)
    redis.pcall('HSET', prefix .. ':worker:' .. worker, 'state', 'busy', 'last_heartbeat', now_text)
    redis.call('EXPIRE', prefix .. ':worker:' .. worker, lease + 60)
    redis.call('EXPIRE', executions_key, lease + 60)
end
local is_more = is_full
for i = queues_at, queues_at + queue_count - 1 do
    is_more = is_more or (not spoiled[ARGV[i]] and tried(0, 'LLEN', prefix .. ':queue:' .. ARGV[i]) > 0)
end
return {claims, dropped, quarantined, 0, is_full and 1 or 0, left_alone, is_more and 1 or 0, now_seconds}
