#!lua flags=no-writes
-- queued -> queued.  Tells how jobs that wait were written, without moving them and without their data: only
-- its first bytes, for it may be huge.
-- MODEL reads only
-- KEYS  queue list
-- ARGV  prefix, first position, number of ids, bytes of data
-- returns per id {first bytes of data ('' where there is no such record), reply stream, enqueued, created, label, description}
local prefix, first, count, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local found = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], first, first + count - 1)) do
    local fields = redis.pcall('HMGET', prefix .. ':job:' .. id, 'data', 'farpool_reply', 'enqueued_at', 'created_at',
        'farpool_label', 'description')
    if fields.err then fields = {} end
    local row = {string.sub(fields[1] or '', 1, most)}
    for i = 2, 6 do row[i] = string.sub(fields[i] or '', 1, 200) end
    found[#found + 1] = row
end
return found
