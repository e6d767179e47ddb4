#!lua flags=allow-oom
-- started -> started.  Renews the lease of a daemon and, now and then, the leases that RQ's tools see.
-- Never makes a lease that is gone: a task that was taken away stays away.  A lease that cannot be looked at counts as held.
-- MODEL heartbeat
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, host lease in ms, now (text), now (seconds, text), lease seconds (0: leave RQ's leases), state,
--       seconds that the host record is kept, number of host fields, field, value, ...,
--       then per held task: queue, id, execution
-- returns {members that were taken away, members that Redis says this worker holds (a thousand of them, if there are
--       more), 1 if the worker is still entered}
local prefix, worker, host_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now_text, now_seconds, lease, state, keep = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]
local clock = redis.call('TIME')
local now = tonumber(clock[1])
redis.call('ZADD', prefix .. ':farpool:hosts', now * 1000 + math.floor(clock[2] / 1000) + host_ms, worker)
local host, fields = prefix .. ':farpool:host:' .. worker, tonumber(ARGV[9])
if failed(redis.pcall('HLEN', host)) then redis.call('UNLINK', host) end  -- ours, and made anew
for i = 10, 9 + fields, 2 do redis.call('HSET', host, ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', host, keep)
local worker_key, executions = prefix .. ':worker:' .. worker, prefix .. ':worker:' .. worker .. ':executions'
-- A record that was lost (flushed, spoiled, or expired in an outage) is not made again here: it would be half a one.
local is_entered = tried(0, 'HEXISTS', worker_key, 'birth')
if is_entered == 1 then
    redis.call('HSET', worker_key, 'last_heartbeat', now_text, 'state', state)
    redis.call('EXPIRE', worker_key, 480)
end
redis.call('EXPIRE', executions, 480)

local lost = {}
for at = 10 + fields, #ARGV, 3 do
    local queue, id, execution = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local member, started = id .. ':' .. execution, prefix .. ':wip:' .. queue
    local until_ = redis.pcall('ZSCORE', started, member)
    if not until_ then
        lost[#lost + 1] = member
    elseif lease > 0 and not failed(until_) then
        local record, all = prefix .. ':execution:' .. member, prefix .. ':executions:' .. id
        redis.call('ZADD', started, 'XX', now + lease, member)
        redis.pcall('HSET', record, 'last_heartbeat', now_seconds)
        redis.call('EXPIRE', record, lease)
        redis.pcall('ZADD', all, 'XX', now + lease + 60, execution)
        redis.call('EXPIRE', all, lease + 60)
        if redis.pcall('HEXISTS', prefix .. ':job:' .. id, 'data') == 1 then
            redis.call('HSET', prefix .. ':job:' .. id, 'last_heartbeat', now_text)
        end
    end
end
return {lost, tried({}, 'SRANDMEMBER', executions, 1000), is_entered}
