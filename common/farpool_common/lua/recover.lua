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

-- True when this call ended the lease `member` of a task that `queue` had.
local function take(queue, id, execution, member)
    local job = prefix .. ':job:' .. id
    local holder = redis.call('HGET', job, 'worker_name')
    local was_held = holder and redis.call('SREM', prefix .. ':worker:' .. holder .. ':executions', member) or 0
    if redis.call('ZREM', prefix .. ':wip:' .. queue, member) == 0 then
        redis.call('HINCRBY', prefix .. ':farpool:counters', 'removed', was_held)
        return false
    end
    redis.call('DEL', prefix .. ':execution:' .. member)
    redis.call('ZREM', prefix .. ':executions:' .. id, execution)
    if redis.call('HGET', job, 'status') ~= 'started' then
        redis.call('HINCRBY', prefix .. ':farpool:counters', 'removed', was_held)
        return false
    end
    -- RQ's code, should it be ending this job on the worker that seemed dead, watches this key.
    redis.call('INCR', prefix .. ':farpool:fence:' .. id)
    redis.call('EXPIRE', prefix .. ':farpool:fence:' .. id, 60)
    local abandons = redis.call('HINCRBY', job, 'farpool_abandons', 1)
    redis.call('HSET', job, 'status', 'queued', 'worker_name', '')
    -- At once the first time; a task that kills its hosts lets the others go first.
    redis.call(abandons == 1 and 'LPUSH' or 'RPUSH', prefix .. ':queue:' .. queue, id)
    redis.call('HINCRBY', prefix .. ':farpool:counters', 'abandoned', 1)
    handed_back = handed_back + 1
    return true
end

local strays = prefix .. ':farpool:strays'
local LOOK_MS = 20000  -- daemons look every 5 s

local function is_leased(queue, id)
    for _, execution in ipairs(redis.call('ZRANGE', prefix .. ':executions:' .. id, 0, 9)) do
        if redis.call('ZSCORE', prefix .. ':wip:' .. queue, id .. ':' .. execution) then return true end
    end
    return false
end

-- A stock worker's id stays in the intermediate list until its job has begun, so a lease speaks for it.
-- An id counts as waiting since `seen` only if it was there at each look since then: it may come and go.
local function put_back_from(list, queue, after_ms)
    if redis.call('TYPE', list)['ok'] ~= 'list' then return end
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
    local members = redis.call('SRANDMEMBER', key .. ':executions', budget)
    for _, member in ipairs(members) do
        local id, execution = string.match(member, '^([%w_-]+):([%w_-]+)$')
        local queue = id and redis.call('HGET', prefix .. ':job:' .. id, 'origin')
        if queue then take(queue, id, execution, member) end
        local left = redis.call('SREM', key .. ':executions', member)
        redis.call('HINCRBY', prefix .. ':farpool:counters', 'removed', left)
        budget = budget - 1
    end
    if redis.call('SCARD', key .. ':executions') == 0 then
        for name in string.gmatch(redis.call('HGET', key, 'queues') or '', '[^,]+') do
            redis.call('SREM', prefix .. ':workers:' .. name, key)
        end
        redis.call('SREM', prefix .. ':workers', key)
        redis.call('ZREM', prefix .. ':farpool:hosts', worker)
        redis.call('DEL', prefix .. ':farpool:host:' .. worker, key)
        dead[#dead + 1] = worker
    end
    if budget <= 0 then break end
end

for i = 6, #ARGV do
    local queue = ARGV[i]
    local started = prefix .. ':wip:' .. queue
    if budget > 0 then
        for _, member in ipairs(redis.call('ZRANGEBYSCORE', started, '-inf', now, 'LIMIT', 0, budget)) do
            local id, execution = string.match(member, '^([%w_-]+):([%w_-]+)$')
            -- Leases of stock RQ workers are left to RQ's own maintenance, which may fail the job instead.
            if id and redis.call('HEXISTS', prefix .. ':job:' .. id, 'farpool_attempts') == 1 then
                take(queue, id, execution, member)
            end
            budget = budget - 1
        end
    end
    put_back_from(prefix .. ':farpool:doorbell:' .. queue, queue, stray_ms)
    put_back_from(prefix .. ':queue:' .. queue .. ':intermediate', queue, stock_ms)
end
redis.call('ZREMRANGEBYSCORE', strays, '-inf', now_ms - 2 * stock_ms)
return {handed_back, dead, put_back}
