#!lua flags=allow-oom
-- started -> started.  Outcomes of some calls reach the producer before their task ends; their range is
-- kept, so that a later attempt leaves these calls out.  Only the holder of the lease may deliver.
-- Where the reply stream is none, the task goes on, and its end says so.
-- MODEL deliver
-- KEYS  (none: they follow from the prefix and the names)
-- ARGV  prefix, worker, seconds that undelivered replies are kept, then per delivery:
--       queue, id, execution, reply stream, attempt, envelope, parts, range
-- returns per delivery: 1 written, 0 when the lease belongs to someone else
local prefix, worker, keep, answers = ARGV[1], ARGV[2], ARGV[3], {}
for at = 4, #ARGV, 8 do
    local queue, id, reply = ARGV[at], ARGV[at + 1], ARGV[at + 3]
    local lease = redis.pcall('ZSCORE', prefix .. ':wip:' .. queue, id .. ':' .. ARGV[at + 2])
    if lease and not failed(lease) then
        if not failed(redis.pcall('XADD', reply, '*', 'j', id, 'w', worker, 'a', ARGV[at + 4], 'o', ARGV[at + 5],
            'p', ARGV[at + 6])) then
            redis.call('EXPIRE', reply, keep)
            local done = prefix .. ':farpool:done:' .. id
            redis.pcall('SADD', done, ARGV[at + 7])
            redis.call('EXPIRE', done, 86400)
        end
        answers[#answers + 1] = 1
    else
        if not lease then count(prefix, 'stale', 1) end
        answers[#answers + 1] = 0
    end
end
return answers
