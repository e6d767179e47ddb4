#!lua
-- (any) -> one item replaced, or the last or first one less.
-- KEYS  record, items, receipt
-- ARGV  call, again, 'set' or 'first' or 'last', index, item
-- returns {'ok', item} or {'range'}
local answer
if ARGV[3] == 'set' then
    if not redis.call('LINDEX', KEYS[2], ARGV[4]) then return told({'range'}) end
    redis.call('LSET', KEYS[2], ARGV[4], ARGV[5])
    answer = ''
else
    answer = redis.call(ARGV[3] == 'first' and 'LPOP' or 'RPOP', KEYS[2])
    if not answer then return told({'range'}) end
end
redis.call('HINCRBY', record, 'version', 1)
return done({'ok', answer})
