#!lua flags=allow-oom
-- doorbell -> queued.  A daemon that stops puts the ids back that its doorbells had moved.  Where one of the
-- two is no list, they stay where they are: recovery puts them back later.
-- MODEL undo_doorbell
-- KEYS  doorbell's list, queue list
-- ARGV  id, ...
-- returns how many were put back
local moved = 0
if not is_list(KEYS[2]) then return moved end
for _, id in ipairs(ARGV) do
    if redis.pcall('LREM', KEYS[1], -1, id) == 1 then
        redis.call('LPUSH', KEYS[2], id)
        moved = moved + 1
    end
end
return moved
