-- What a worker says about itself, and its place in the list of workers: id, JSON, ms until it must say it again.

local id, body, ttl_ms = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = math.floor((time[1] * 1e6 + time[2]) / 1000)
redis.call('SET', 'worker:' .. id, body, 'PX', ttl_ms)
redis.call('ZREMRANGEBYSCORE', 'workers', '-inf', now)
redis.call('ZADD', 'workers', now + ttl_ms, id)
return 1
