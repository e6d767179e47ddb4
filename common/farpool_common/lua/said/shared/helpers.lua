-- What scripts of tasks' words have in common.
-- Whether there is a record at a key, or nothing.
local function may_write(key)
    local kind = redis.call('TYPE', key)['ok']
    return kind == 'hash' or kind == 'none'
end
