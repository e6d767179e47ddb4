#!lua flags=allow-oom
-- started -> queued, for tasks whose worker died.  Takes over from daemons whose host lease lapsed, then
-- from single leases that lapsed, then puts ids back that a doorbell or a stock worker took and nobody began.
-- Removing the lease's member decides who acts, so every daemon may run this at any time.
-- MODEL recover
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, grace in ms, most tasks, ms after which an unclaimed doorbell id is put back, the same for an id that a
--       stock worker took, queue, ...
-- returns {tasks handed back, daemons declared dead, ids put back}
local prefix, grace, budget = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local stray_ms, stock_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now, now_ms = tonumber(clock[1]), tonumber(clock[1]) * 1000 + math.floor(clock[2] / 1000)
local handed_back, dead, put_back = 0, {}, 0

local accepts = {}

-- Whether ids can be pushed to this queue; asked once.
local function takes_ids(queue)
    if accepts[queue] == nil then accepts[queue] = is_list(prefix .. ':queue:' .. queue) end
    return accepts[queue]
end

-- True when this call ended the lease `member` of a task that `queue` had.
local function take(queue, id, execution, member)
    if not takes_ids(queue) then return false end  -- it keeps its lease until somebody has mended the queue
    local job = prefix .. ':job:' .. id
    local holder = tried(false, 'HGET', job, 'worker_name')
    local was_held = holder and tried(0, 'SREM', prefix .. ':worker:' .. holder .. ':executions', member) or 0
    if redis.pcall('ZREM', prefix .. ':wip:' .. queue, member) ~= 1 then
        count(prefix, 'removed', was_held)
        return false
    end
    redis.call('DEL', prefix .. ':execution:' .. member)
    redis.pcall('ZREM', prefix .. ':executions:' .. id, execution)
    local status = redis.pcall('HGET', job, 'status')
    if failed(status) then quarantine(prefix, queue, id, 'the record is a ' .. type_of(job) .. ', not a hash') end
    if status ~= 'started' then
        count(prefix, 'removed', was_held)
        return false
    end
    -- RQ's code, should it be ending this job on the worker that seemed dead, watches this key.
    redis.call('SET', prefix .. ':farpool:fence:' .. id, 1, 'EX', 60)
    -- One that is no number stays: whoever claims the task next finds it malformed, and says so.
    local abandons = redis.pcall('HINCRBY', job, 'farpool_abandons', 1)
    redis.call('HSET', job, 'status', 'queued', 'worker_name', '')
    -- At once the first time; a task that kills its hosts lets the others go first.
    redis.call(abandons == 1 and 'LPUSH' or 'RPUSH', prefix .. ':queue:' .. queue, id)
    count(prefix, 'abandoned', 1)
    handed_back = handed_back + 1
    return true
end

local strays = prefix .. ':farpool:strays'
local LOOK_MS = 20000  -- daemons look every 5 s
if failed(redis.pcall('ZCARD', strays)) then redis.call('UNLINK', strays) end  -- ours, and made anew

local function is_leased(queue, id)
    for _, execution in ipairs(tried({}, 'ZRANGE', prefix .. ':executions:' .. id, 0, 9, 'REV')) do
        local until_ = redis.pcall('ZSCORE', prefix .. ':wip:' .. queue, id .. ':' .. execution)
        if until_ then return true end  -- or an error: then nobody can say
    end
    return false
end

-- A stock worker's id stays in the intermediate list until its job has begun, so a lease speaks for it.
-- An id counts as waiting since `seen` only if it was there at each look since then: it may come and go.
local function put_back_from(list, queue, after_ms)
    if type_of(list) ~= 'list' or not takes_ids(queue) then return end
    for _, id in ipairs(redis.call('LRANGE', list, 0, 99)) do
        local name = list .. ' ' .. id
        local seen, looked = redis.call('ZSCORE', strays, name), redis.call('ZSCORE', strays, '@' .. name)
        if not seen or not looked or now_ms - tonumber(looked) > LOOK_MS then
            seen = now_ms
            redis.call('ZADD', strays, now_ms, name)
        end
        redis.call('ZADD', strays, now_ms, '@' .. name)
        if seen ~= now_ms and now_ms - tonumber(seen) >= after_ms and not is_leased(queue, id) then
            redis.call('ZREM', strays, name, '@' .. name)
            if redis.call('LREM', list, 1, id) == 1 then
                redis.call('LPUSH', prefix .. ':queue:' .. queue, id)
                put_back = put_back + 1
            end
        end
    end
    redis.call('EXPIRE', strays, 2 * math.ceil(stock_ms / 1000))
end

local lapsed = redis.call('ZRANGEBYSCORE', prefix .. ':farpool:hosts', '-inf', now_ms - grace, 'LIMIT', 0, 10)
for _, worker in ipairs(lapsed) do
    local key = prefix .. ':worker:' .. worker
    -- A spoiled set tells nothing; what it held is found by its lapsed leases.
    local members = tried({}, 'SRANDMEMBER', key .. ':executions', budget)
    for _, member in ipairs(members) do
        local id, execution = string.match(member, '^([%w_-]+):([%w_-]+)$')
        local queue = id and tried(false, 'HGET', prefix .. ':job:' .. id, 'origin')
        if queue then take(queue, id, execution, member) end
        local left = redis.call('SREM', key .. ':executions', member)
        count(prefix, 'removed', left)
        budget = budget - 1
    end
    if tried(0, 'SCARD', key .. ':executions') == 0 then
        local queues = string.sub(tried('', 'HGET', key, 'queues') or '', 1, 20000)
        for name in string.gmatch(queues, '[^,]+') do
            redis.pcall('SREM', prefix .. ':workers:' .. name, key)
        end
        redis.pcall('SREM', prefix .. ':workers', key)
        redis.call('ZREM', prefix .. ':farpool:hosts', worker)
        redis.call('UNLINK', prefix .. ':farpool:host:' .. worker, key)
        dead[#dead + 1] = worker
    end
    if budget <= 0 then break end
end

-- At most `most` of the leases that lapsed, a page of them by chance: those that are not ours stay where they are,
-- and must not hide one that is.
local function lapsed_leases(started, most)
    local total = tried(0, 'ZCOUNT', started, '-inf', now)
    if total == 0 then return {} end
    local first = most * (clock[2] % math.ceil(total / most))
    return redis.call('ZRANGE', started, first, math.min(first + most, total) - 1)
end

for i = 6, #ARGV do
    local queue = ARGV[i]
    if budget > 0 then
        for _, member in ipairs(lapsed_leases(prefix .. ':wip:' .. queue, budget)) do
            local id, execution = string.match(member, '^([%w_-]+):([%w_-]+)$')
            -- Leases of stock RQ workers are left to RQ's own maintenance, which may fail the job instead.
            local is_theirs = not id or redis.pcall('HEXISTS', prefix .. ':job:' .. id, 'farpool_attempts') == 0
            if not is_theirs then take(queue, id, execution, member) end
            budget = budget - 1
        end
    end
    put_back_from(prefix .. ':farpool:doorbell:' .. queue, queue, stray_ms)
    put_back_from(prefix .. ':queue:' .. queue .. ':intermediate', queue, stock_ms)
end
redis.call('ZREMRANGEBYSCORE', strays, '-inf', now_ms - 2 * stock_ms)
return {handed_back, dead, put_back}
