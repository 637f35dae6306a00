-- What placement looks at, in one read that changes nothing: what waits, and only then who could serve it.
-- ARGV: model and key of its queue, for each. Answers {{model, depth, ms that the oldest has waited, refusals}, bodies},
-- for the models that somebody waits for; refusals are the ids of the workers that could not load the model lately.

local time = redis.call('TIME')
local now = math.floor((time[1] * 1e6 + time[2]) / 1000)
local waiting, bodies = {}, {}
for i = 1, #ARGV, 2 do
  local depth = redis.call('ZCARD', ARGV[i + 1])
  if depth > 0 then
    local oldest = redis.call('ZRANGE', ARGV[i + 1], 0, 0, 'WITHSCORES')
    local refusals = redis.call('ZRANGEBYSCORE', 'place:refused:' .. ARGV[i], now, '+inf')
    waiting[#waiting + 1] = { ARGV[i], depth, math.max(0, now - math.floor(oldest[2])), refusals }
  end
end
if #waiting > 0 then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'workers', now, '+inf')) do
    bodies[#bodies + 1] = redis.call('GET', 'worker:' .. id)
  end
end
return { waiting, bodies }
