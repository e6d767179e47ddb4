-- Stands in front of every script, behind its first line.
-- Redis does not undo what a script has written before an error.  So a script calls what may fail (a key that
-- somebody spoiled) with pcall, or before it takes a task from its place: then no error leaves a task nowhere.

-- The error in an answer of pcall; nil when all went well.
local function failed(answer)
    return type(answer) == 'table' and answer.err or nil
end

-- The answer of a command that may be about a spoiled key; `otherwise` in place of an error.
local function tried(otherwise, ...)
    local answer = redis.pcall(...)
    if failed(answer) then return otherwise end
    return answer
end

local function type_of(key)
    return redis.call('TYPE', key)['ok']
end

-- Whether ids can be pushed there.
local function is_list(key)
    local found = type_of(key)
    return found == 'list' or found == 'none'
end

local function count(prefix, name, by)
    redis.pcall('HINCRBY', prefix .. ':farpool:counters', name, by)
end

-- Keeps what is wrong where `farpool doctor` finds it.
local function quarantine(prefix, queue, id, reason)
    local shown = string.gsub(string.sub(id, 1, 200), '[^%w_-]', '?')
    local list, entry = prefix .. ':farpool:quarantine', {queue = queue, id = shown, reason = reason}
    entry.at = tonumber(redis.call('TIME')[1])
    redis.pcall('LPUSH', list, cjson.encode(entry))
    redis.pcall('LTRIM', list, 0, 999)
    count(prefix, 'quarantined', 1)
end
