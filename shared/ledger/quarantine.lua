-- The lock of the worker that runs suspicious jobs alone, one worker at a time: takes or holds it for `ttl_ms`, gives it
-- up for 0. Answers 1 to its holder, else 0.

local worker, ttl_ms = ARGV[1], tonumber(ARGV[2])
local holder = redis.call('GET', 'quarantine')
if holder and holder ~= worker then
  return 0
end
if ttl_ms == 0 then
  redis.call('DEL', 'quarantine')
  return 0
end
redis.call('SET', 'quarantine', worker, 'PX', ttl_ms)
return 1
