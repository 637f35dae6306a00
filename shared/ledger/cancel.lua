-- Wants the end of a tenant's job; answers the values of the fields that are named from ARGV[3] on.

local id, tenant = ARGV[1], ARGV[2]
local job = read(id)
if not job or job.tenant ~= tenant then
  return {}
end
if job.state == 'queued' then
  redis.call('HSET', 'job:' .. id, 'cancel', 1)
  close(job, 'cancelled', 'cancelled', 'null')
elseif job.state == 'running' then
  redis.call('HSET', 'job:' .. id, 'cancel', 1)
  redis.call('ZREM', 'jobs:attended', id)
end
return redis.call('HMGET', 'job:' .. id, unpack(ARGV, 3))
