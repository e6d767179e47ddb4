#!lua flags=allow-oom
-- doorbell -> queued.  A daemon that stops puts the ids back that its doorbells had moved.
-- MODEL undo_doorbell
-- KEYS  doorbell's list, queue list
-- ARGV  id, ...
-- returns how many were put back
local moved = 0
for _, id in ipairs(ARGV) do
    if redis.call('LREM', KEYS[1], 1, id) == 1 then
        redis.call('LPUSH', KEYS[2], id)
        moved = moved + 1
    end
end
return moved
