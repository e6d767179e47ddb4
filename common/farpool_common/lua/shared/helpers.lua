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

-- A time of the server's clock as RQ writes it: 2026-11-25T18:51:41.000000Z, by the calendar's rules.
local function moment(clock)
    local floor = math.floor
    local seconds = tonumber(clock[1])
    local second = seconds % 86400
    local day = (seconds - second) / 86400 + 719468  -- since 0000-03-01, where a year ends with its leap day
    local era = floor(day / 146097)
    local of_era = day - era * 146097
    local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
    local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
    local month = floor((5 * of_year + 2) / 153)
    local of_month = of_year - floor((153 * month + 2) / 5) + 1
    year = year + era * 400
    if month < 10 then month = month + 3 else month, year = month - 9, year + 1 end
    return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, of_month,
        floor(second / 3600), floor(second / 60) % 60, second % 60, clock[2])
end
