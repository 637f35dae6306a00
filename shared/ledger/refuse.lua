-- Remembers that a worker cannot load a model for some time: model, worker id, ms.

local model, worker, for_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = math.floor((time[1] * 1e6 + time[2]) / 1000)
local key = 'place:refused:' .. model
redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
redis.call('ZADD', key, now + for_ms, worker)
if redis.call('PTTL', key) < for_ms then
  redis.call('PEXPIRE', key, for_ms)
end
return 1
