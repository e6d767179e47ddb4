-- What scripts of shared objects have in common.  The first key is the object's record, the last one a receipt;
-- the first two arguments are the id of the call and `again` when it is repeated after a doubt.
-- A call whose answer was lost gets the same answer again: it happens once.
local record, receipt = KEYS[1], KEYS[#KEYS]
if ARGV[2] == 'again' then
    local kept = redis.call('GET', receipt)
    if kept and string.sub(kept, 1, #ARGV[1]) == ARGV[1] then return cmsgpack.unpack(string.sub(kept, #ARGV[1] + 1)) end
end
local life, is_named = unpack(redis.call('HMGET', record, 'life', 'named'))
if not life then return {'gone'} end

-- Keys of a named object live on from each use; those of others live as long as their owner renews them.
local function keep()
    for i = is_named == '1' and 1 or 2, #KEYS - 1 do redis.call('PEXPIRE', KEYS[i], life) end
end

-- The answer of a call that has changed something.
local function done(answer)
    keep()
    redis.call('SET', receipt, ARGV[1] .. cmsgpack.pack(answer), 'PX', math.min(life, 60000))
    return answer
end

-- The answer of a call that has changed nothing, and may be repeated.
local function told(answer)
    if is_named == '1' then keep() end
    return answer
end

-- Wakes one of those who wait at a bell; if nobody does, the next one who would.
local function ring(bell)
    if redis.call('EXISTS', bell) == 0 then redis.call('RPUSH', bell, 1) end
end

-- Wakes all who wait at a horn.  They wait for what comes after the number that they were told.
local function blow(horn)
    local number = redis.call('HINCRBY', record, 'blown', 1)
    redis.call('XADD', horn, 'MAXLEN', 1, number .. '-0', 'b', 1)
end

local function number_of(name)
    return tonumber(redis.call('HGET', record, name) or 0)
end
