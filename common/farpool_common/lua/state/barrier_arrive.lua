#!lua
-- filling -> (filling, acting or passed).  One party more; the last one lets all pass, or acts first.
-- KEYS  record, horn, receipt
-- ARGV  call, again, '1' when there is an action
-- returns {'wait' or 'act' or 'pass', how many came before, round, number of the horn's last call},
--         {'broken'}, or {'busy', horn} while the action of a full round runs
if redis.call('HGET', record, 'broken') == '1' then return told({'broken'}) end
if redis.call('HGET', record, 'acting') == '1' then return told({'busy', number_of('blown')}) end
local count, round = number_of('count'), number_of('round')
local state = 'wait'
redis.call('HSET', record, 'count', count + 1)
if count + 1 >= number_of('parties') then
    state = ARGV[3] == '1' and 'act' or 'pass'
    if state == 'act' then
        redis.call('HSET', record, 'acting', 1)
    else
        redis.call('HSET', record, 'count', 0, 'round', round + 1)
        blow(KEYS[2])
    end
end
return done({state, count, round, number_of('blown')})
